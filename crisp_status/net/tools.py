"""What all looks of one event loop share: the resolver, the limits, the ping sockets, the TLS settings.

Opened by the first look that needs it; `opened` keeps it for as long as a daemon, an agent or a command runs. A process
has one file limit and one network, so it has one set of tools a loop, however many apps run in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from crisp_status import __version__
from crisp_status.clock import Clock, SystemClock
from crisp_status.net.limits import raise_file_limit, sockets_allowed
from crisp_status.net.resolve import Resolver
from crisp_status.net.way import USUAL, Way, equip, stamps

if TYPE_CHECKING:
    from crisp_status.net.ping import Pingers

SCRIPTS_AT_ONCE = 2
"""A small machine should not be busy with its own monitoring."""

PINGS_AT_ONCE = 16_384
"""A quarter of the sequence numbers, so that a late answer never meets a number in use again."""

BEAT = 0.25
"""Seconds between two beats of the stall meter."""

OWN_TLS_MAX = 1000
"""Settings with files of the operator's that are remembered."""

LATE_ALLOWED = 0.05
"""Seconds: a busy loop is always a little late, and still hears every answer in time."""


class Stalls:
    """How long the event loop of this process stood still: what is late by our own fault is not the target's."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._beat()

    def _beat(self) -> None:
        now = self._clock.monotonic()
        if self._next:
            self.seconds += _lost(now - self._next)
        self._next = now + BEAT
        self._timer = self._loop.call_later(BEAT, self._beat)

    def total(self) -> float:
        """Seconds lost since the start, what is being lost right now included."""
        return self.seconds + _lost(self._clock.monotonic() - self._next)

    def close(self) -> None:
        """Stop the meter."""
        if self._timer is not None:
            self._timer.cancel()


def _lost(late: float) -> float:
    return late if late > LATE_ALLOWED else 0.0


class Tools:
    """See the module. `limits` are how many attempts may run at once, by name: a kind names its own in `LIMIT`."""

    def __init__(
        self,
        *,
        page_url: str = "",
        scripts: int = SCRIPTS_AT_ONCE,
        resolver: Resolver | None = None,
        clock: Clock | None = None,
        new_socket: Callable[[int, int], socket.socket] = socket.socket,
    ) -> None:
        self.user_agent = f"crisp-status/{__version__}" + (f" (+{page_url})" if page_url else "")
        self.resolver = resolver if resolver is not None else Resolver()
        self.new_socket = new_socket
        """By family and type, as the system makes them; a simulated network hands in its own."""
        self.stalls = Stalls(clock or SystemClock())
        self.limits = {
            "sockets": asyncio.Semaphore(sockets_allowed(raise_file_limit())),
            "scripts": asyncio.Semaphore(scripts),
            "pings": asyncio.Semaphore(PINGS_AT_ONCE),
        }
        self.users = 0
        self._pingers: Pingers | None = None
        self._tls: dict[tuple[bool, str], ssl.SSLContext] = {}
        self._own_tls: dict[tuple[bool, str, Way], tuple[tuple[int, ...], ssl.SSLContext]] = {}

    @property
    def pingers(self) -> Pingers:
        """The shared ICMP sockets."""
        if self._pingers is None:
            from crisp_status.net.ping import Pingers

            self._pingers = Pingers()
        return self._pingers

    def tls(self, verify: bool, way: Way = USUAL, alpn: str = "") -> ssl.SSLContext:
        """The TLS settings of a look; made once, because reading the authorities takes milliseconds, and again when a file
        of the operator's was written anew. Raises `Unknowable` when such a file cannot be used.

        `alpn` is the protocol to offer; "" offers none, as servers that know one of their own refuse others.
        """
        if way.ca_file or way.client_cert:
            return self._equipped(verify, way, alpn)
        key = verify, alpn
        if key not in self._tls:
            self._tls[key] = _context(verify, alpn)
        return self._tls[key]

    def _equipped(self, verify: bool, way: Way, alpn: str) -> ssl.SSLContext:
        key, written = (verify, alpn, way), stamps(way)
        found = self._own_tls.get(key)
        if found is None or found[0] != written:
            context = _context(verify, alpn, way.ca_file)
            equip(context, way)
            if len(self._own_tls) >= OWN_TLS_MAX:
                self._own_tls.clear()
            found = self._own_tls[key] = written, context
        return found[1]

    async def close(self) -> None:
        """Give back sockets and threads."""
        self.stalls.close()
        if self._pingers is not None:
            self._pingers.close()
        self.resolver.close()


BROWSER_CIPHERS = (
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA:DHE+AESGCM:!aNULL"
)
"""TLS 1.2 suites that browsers and curl take, the strong ones first; TLS 1.3 has its own list."""


def _context(verify: bool, alpn: str, ca_file: str = "") -> ssl.SSLContext:
    # With a file of authorities the system's are not read.
    context = ssl.create_default_context() if not ca_file else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Where nothing is verified, neither is the length of keys. Level 1 takes keys that browsers still take.
    context.set_ciphers(f"{BROWSER_CIPHERS}:@SECLEVEL={1 if verify else 0}")
    if alpn:
        context.set_alpn_protocols([alpn])
    # Newer Pythons refuse certificates that every browser accepts; one verdict on every Python.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def may_ping() -> str:
    """Empty when this process may ping, else a sentence that says what to set; the daemon logs it at its start."""
    from crisp_status.net import ping

    return ping.may_ping()


_by_loop: dict[asyncio.AbstractEventLoop, Tools] = {}


def tools() -> Tools:
    """The tools of the running loop."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        for closed in [other for other in _by_loop if other.is_closed()]:
            del _by_loop[closed]
        found = _by_loop[loop] = Tools()
    return found


@contextlib.asynccontextmanager
async def opened(
    *,
    page_url: str = "",
    scripts: int = SCRIPTS_AT_ONCE,
    resolver: Resolver | None = None,
    clock: Clock | None = None,
    new_socket: Callable[[int, int], socket.socket] = socket.socket,
) -> AsyncIterator[Tools]:
    """Keep the tools of this loop open; the last who leaves closes them.

    `page_url` is shown to the targets in `User-Agent`; `scripts` may run at once; the others are of the machine, and
    differ in tests only. The first who opens decides.
    """
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None or (found.users == 0 and (page_url or resolver)):
        if found is not None:
            await found.close()
        found = _by_loop[loop] = Tools(
            page_url=page_url,
            scripts=scripts,
            resolver=resolver,
            clock=clock,
            new_socket=new_socket,
        )
    found.users += 1
    try:
        yield found
    finally:
        found.users -= 1
        if found.users == 0:
            _by_loop.pop(loop, None)
            await found.close()
