"""The common request answered without an HTTP library: a plain GET of a document whose bytes are ready.

The danger is request smuggling: two readers of one connection that disagree about where a request ends. So this one
answers only what leaves no room for two opinions, namely one read that holds exactly one header block of a small
strict grammar, when everything before it is answered. As soon as anything else arrives on a connection, the library
gets it as if it were new, and has it for the rest of its life. `tests/web/test_fastpath.py` holds both to identical
answers.

Gain, by `python -m benchmarks --only page`: a tenth of the CPU time of the library, a fifth for a new connection.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from crisp_status.web import asks
from crisp_status.web.site import Ask, Site

if TYPE_CHECKING:
    from crisp_status.web.connections import FastServer

MAX_FIELDS: Final = 64
"""Header fields taken here, and by the library (`server.Limits`)."""

MAX_HEAD: Final = 4096
"""Bytes of a header block taken here; browsers send under a thousand."""

_LINE: Final = re.compile(rb"(GET|HEAD) (/[A-Za-z0-9._~/-]{0,300})(?:\?([A-Za-z0-9=&._-]{0,100}))? HTTP/1\.1")
_FIELD: Final = re.compile(rb"([A-Za-z0-9-]{1,64}): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
_HOST: Final = re.compile(rb"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")

_NEVER: Final = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"expect",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Fields that speak of a body, of the connection or of who asks: the library's business."""


_CLOSE: Final = b"Connection: close\r\n"


class Plain(NamedTuple):
    """A plain request."""

    ask: Ask
    close: bool
    """The client wants the connection to end after the answer."""


def parse(data: bytes, site: Site) -> Plain | None:
    """What one read asks for, if it is exactly one plain request; None: let the library read it."""
    if len(data) > MAX_HEAD or data[-4:] != b"\r\n\r\n":
        return None
    first, *fields = data[:-4].split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None or len(fields) > MAX_FIELDS:
        return None
    seen: dict[bytes, bytes] = {}
    for field in fields:
        match = _FIELD.fullmatch(field)
        if match is None:
            return None
        name = match[1].lower()
        if name in seen or name in _NEVER:
            return None
        seen[name] = match[2]
    if _HOST.fullmatch(seen.get(b"host", b"")) is None:
        return None
    wish = seen.get(b"connection", b"keep-alive").lower()
    if wish not in {b"keep-alive", b"close"}:
        return None
    found = ask(
        site,
        line[1].decode(),
        line[2].decode(),
        (line[3] or b"").decode(),
        accept_language=seen.get(b"accept-language", b"").decode(),
        accept_encoding=seen.get(b"accept-encoding", b"").decode(),
        if_none_match=seen.get(b"if-none-match", b"").decode(),
    )
    return None if found is None else Plain(found, wish == b"close")


def ask(
    site: Site,
    method: str,
    path: str,
    query: str,
    *,
    accept_language: str,
    accept_encoding: str,
    if_none_match: str,
) -> Ask | None:
    """The question for the site, from what both readers found; None: no document lives there."""
    key = site.key(path, query, accept_language)
    if key is None:
        return None
    have = asks.tags(if_none_match) if if_none_match else frozenset()
    return Ask(key, asks.codings(accept_encoding), have, head=method == "HEAD")


def leave(transport: asyncio.WriteTransport | None) -> None:
    """Close a connection; when bytes wait to be read by the client, without waiting for that."""
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()
    elif transport is not None:
        transport.close()


class Visitor(asyncio.Protocol):
    """A connection over which nothing but plain requests came."""

    __slots__ = ("_paused", "_server", "_site", "_stall", "_transport", "until")

    def __init__(self, server: FastServer, site: Site) -> None:
        self._server = server
        self._site = site
        self._stall: asyncio.TimerHandle | None = None
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self.until = 0.0
        """When it is closed, if nothing comes; time of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.came(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self._transport = None
        self._read_again()
        self._server.went(self)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        self._paused = True
        if self._transport is not None:
            self._stall = self._server.stalled(self._transport)

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        self._read_again()

    def _read_again(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a request: always, for an answer takes no time."""
        return True

    def drop(self) -> None:
        """End it at once, also when the client does not read what was written."""
        leave(self._transport)

    def force_close(self) -> None:
        """End it, after what was written."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        server, transport = self._server, self._transport
        if transport is None:
            return
        found = server.remembered.get(data)
        if found is None:
            found = parse(data, self._site)
            if found is not None:
                server.remember(data, found)
        ready = None if found is None or self._paused else self._site.ready(found.ask)
        if found is None or ready is None:
            self._hand_over(transport, data)
            return
        now = server.time()
        date = self._site.dater.line(now)
        counters = self._site.counters
        counters.requests += 1
        counters.requests_fast += 1
        if found.close:
            transport.write(ready.with_header(date, _CLOSE))
            transport.close()
            return
        transport.write(ready.at(date))
        self.until = now + server.idle_seconds

    def _hand_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """Let the library have the connection, from these bytes on."""
        self._read_again()
        self._transport = None
        connection = self._server.taken_over(self)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if self._paused:
            connection.pause_writing()
        connection.data_received(data)
