"""The common request answered without an HTTP library: a plain GET of a document whose bytes are ready.

The danger is request smuggling: two readers of one connection that disagree about where a request ends. So this one
answers only what leaves no room for two opinions, namely one read that holds exactly one header block of a small
strict grammar, on a connection where the library has nothing half read and nothing to answer. As soon as anything
else arrives on a connection, the library has it for the rest of its life. `tests/web/test_fastpath.py` holds both to
identical answers.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from crisp_status.web import asks
from crisp_status.web.site import Ask, Site

if TYPE_CHECKING:
    from crisp_status.web.server import Limits

MAX_HEAD: Final = 4096
"""Bytes of a header block taken here; browsers send under a thousand."""

MAX_REMEMBERED: Final = 2048
"""Different header blocks whose meaning is remembered: a client repeats itself exactly. At most 8 MB."""

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


def parse(data: bytes, site: Site) -> Ask | None:
    """What one read asks for, if it is exactly one plain request; None: let the library read it."""
    if len(data) > MAX_HEAD or data[-4:] != b"\r\n\r\n":
        return None
    first, *fields = data[:-4].split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
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
    if seen.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    return ask(
        site,
        line[1].decode(),
        line[2].decode(),
        (line[3] or b"").decode(),
        accept_language=seen.get(b"accept-language", b"").decode(),
        accept_encoding=seen.get(b"accept-encoding", b"").decode(),
        if_none_match=seen.get(b"if-none-match", b"").decode(),
    )


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


class Connection(RequestHandler):
    """One client connection: ready bytes where possible, the library otherwise; and it may not stall."""

    __slots__ = ("_limits", "_plain", "_server", "_site", "_stalled")

    def __init__(self, server: FastServer, site: Site | None, limits: Limits, **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._server = server
        self._site = site
        self._limits = limits
        self._plain = site is not None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came: it has a short time for its first request, longer for later ones."""
        super().connection_made(transport)
        self._server.came(self)
        # The library gives the first request as long as it gives an idle connection.
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        self._next_keepalive_close_time = self._loop.time() + min(self._limits.first_seconds, self._limits.idle_seconds)
        self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        self._server.went(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        transport = self.transport
        if transport is not None:
            self._stalled = self._loop.call_later(self._limits.stall_seconds, transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    @property
    def idle(self) -> bool:
        """Whether the library waits for a request and has nothing to answer."""
        waiter = self._waiter
        return waiter is not None and not waiter.done() and not self._messages

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._plain and data and self._answered(data):
            return
        super().data_received(data)

    def _answered(self, data: bytes) -> bool:
        site, server = self._site, self._server
        assert site is not None
        found = server.remembered.get(data)
        if found is None:
            found = parse(data, site)
            if found is None:
                self._plain = False
                return False
            server.remember(data, found)
        waiter = self._waiter
        transport = self.transport
        if (
            waiter is None
            or waiter.done()
            or self._messages
            or self._paused
            or self._upgraded
            or self._close
            or self._force_close
            or transport is None
        ):
            # The library is at work, and will find this request complete and behind the one it answers.
            return False
        ready = site.ready(found)
        if ready is None:
            return False
        now = self._loop.time()
        transport.write(ready.at(site.dater.line(now)))
        self._next_keepalive_close_time = now + self._keepalive_timeout
        site.counters.requests += 1
        site.counters.requests_fast += 1
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What the library could not read, or a failure that no handler caught, in our words."""
        return self._server.refuse(request, status, exc, message)


class FastServer(web.Server):
    """The factory of connections; knows them all and keeps their number within bounds."""

    def __init__(self, handler: Any, site: Site | None, limits: Limits, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._site = site
        self._limits = limits
        self.remembered: dict[bytes, Ask] = {}
        self._generation = -1
        self._open: dict[Connection, None] = {}

    def __call__(self) -> RequestHandler:
        """A new connection."""
        return Connection(self, self._site, self._limits, loop=self._loop, **self._kwargs)

    def remember(self, data: bytes, found: Ask) -> None:
        """Keep the meaning of a header block, until there are too many or the routes change."""
        if len(self.remembered) >= MAX_REMEMBERED:
            self.remembered.clear()
        self.remembered[data] = found

    def forget(self) -> None:
        """The routes or languages changed: what a header block means is open again."""
        self.remembered.clear()

    def came(self, connection: Connection) -> None:
        """Count it; when there are too many, the one that has been idle longest makes room."""
        self._open[connection] = None
        if self._site is not None:
            self._site.counters.connections = len(self._open)
        if len(self._open) > self._limits.connections:
            oldest = next((c for c in self._open if c.idle and c is not connection), connection)
            if self._site is not None:
                self._site.counters.connections_refused += 1
            oldest.force_close()

    def went(self, connection: Connection) -> None:
        """It is closed."""
        self._open.pop(connection, None)
        if self._site is not None:
            self._site.counters.connections = len(self._open)

    def refuse(
        self, request: web.BaseRequest, status: int, exc: BaseException | None, message: str | None
    ) -> web.StreamResponse:
        """Overridden by the server, which knows the words."""
        raise NotImplementedError
