"""Who connects to a TLS port, until the handshake is done: how many at a time, and for how long.

A connection is cheap until its ClientHello is complete (a few hundred bytes of ours), costs 25 kB during the handshake
and counts among the server's own from then on. So thousands who begin and go on with nothing take neither memory nor a
place from visitors: above a number the one that waits longest is let go.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from crisp_status.tls.client_hello import NotTlsError, parse
from crisp_status.tls.transport import TlsTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.tls.contexts import Contexts

HANDSHAKE_SECONDS: Final = 10.0
"""From connecting to the end of the handshake; two round trips and an hour of patience on a bad line."""

HANDSHAKES: Final = 1024
"""At a time; 40 MB when every one of them has sent its ClientHello."""

SWEEP_SECONDS: Final = 1.0

_PLAIN: Final = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI")
_SPOKE_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: 71\r\n\r\nThis port speaks HTTPS only. Write https:// in front of the address.  \r\n"
)

_ALERT_UNRECOGNIZED: Final = b"\x15\x03\x03\x00\x02\x02\x70"
"""A fatal alert "unrecognized_name" (RFC 8446 section 6.2), before any key was agreed on."""


class Handshakes:
    """Makes the connections of all TLS ports of one server."""

    def __init__(self, contexts: Contexts, *, most: int = HANDSHAKES, seconds: float = HANDSHAKE_SECONDS) -> None:
        """At most so many handshakes at a time, each in so many seconds."""
        self._contexts = contexts
        self._most = most
        self._seconds = seconds
        self._waiting: dict[_Arrival, float] = {}
        """Until when; the oldest first."""
        self._sweeping: asyncio.TimerHandle | None = None
        self.finished = 0
        """Handshakes that ended well."""
        self.failed = 0
        """Those that were refused, broken off or too slow."""

    def wrap(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """The factory of a TLS port whose connections, once secured, are for `factory`'s protocols."""
        return lambda: _Arrival(self, self._contexts, factory)

    def stop(self) -> None:
        """Let go of all who are not done yet."""
        for arrival in list(self._waiting):
            arrival.leave()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def came(self, arrival: _Arrival) -> None:
        """Somebody connected."""
        loop = asyncio.get_running_loop()
        self._waiting[arrival] = loop.time() + self._seconds
        if len(self._waiting) > self._most:
            next(iter(self._waiting)).leave()
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep)

    def went(self, arrival: _Arrival, *, well: bool) -> None:
        """It is done, well or not."""
        if self._waiting.pop(arrival, None) is not None:
            self.finished += well
            self.failed += not well

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for arrival, until in list(self._waiting.items()):
            if until > now:
                break
            arrival.leave()
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep) if self._waiting else None


class _Arrival(asyncio.Protocol):
    """One connection: gathers the ClientHello, then stands between the network and its `TlsTransport`."""

    __slots__ = ("_contexts", "_factory", "_gathered", "_handshakes", "_tls", "_wire")

    def __init__(self, handshakes: Handshakes, contexts: Contexts, factory: Callable[[], asyncio.Protocol]) -> None:
        self._handshakes = handshakes
        self._contexts = contexts
        self._factory = factory
        self._gathered = b""
        self._wire: asyncio.Transport | None = None
        self._tls: TlsTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast("asyncio.Transport", transport)
        self._handshakes.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._handshakes.went(self, well=False)
        tls, self._tls, self._wire = self._tls, None, None
        if tls is not None:
            tls.lost(exc)

    def data_received(self, data: bytes) -> None:
        tls = self._tls
        if tls is None:
            self._begin(data)
            return
        done = tls.established
        tls.feed(data)
        if not done:
            self._look(tls)

    def eof_received(self) -> bool:
        if self._tls is not None:
            self._tls.ended()
        return False

    def pause_writing(self) -> None:
        if self._tls is not None:
            self._tls.write_paused()

    def resume_writing(self) -> None:
        if self._tls is not None:
            self._tls.write_resumed()

    def leave(self) -> None:
        """It took too long, or there are too many."""
        self._handshakes.went(self, well=False)
        if self._wire is not None:
            self._wire.abort()

    def _begin(self, data: bytes) -> None:
        wire = self._wire
        if wire is None or wire.is_closing():
            return
        self._gathered += data
        try:
            hello = parse(self._gathered)
        except NotTlsError:
            if self._gathered.startswith(_PLAIN):
                wire.write(_SPOKE_HTTP)
            wire.close()
            return
        if hello is None:
            return
        context = self._contexts.choose(hello)
        if context is None:
            wire.write(_ALERT_UNRECOGNIZED)
            wire.close()
            return
        made = None if "acme-tls/1" in hello.protocols else self._factory
        gathered, self._gathered = self._gathered, b""
        tls = self._tls = TlsTransport(wire, context, made, asyncio.get_running_loop())
        tls.feed(gathered)
        self._look(tls)

    def _look(self, tls: TlsTransport) -> None:
        """See whether the handshake is done."""
        if tls.established:
            self._handshakes.went(self, well=True)
