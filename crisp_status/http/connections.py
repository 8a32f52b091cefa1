"""All connections of the server: how many there may be, how long they may wait, and who reads them.

Each begins as a `Visitor` of the fast path, or at once as one of the HTTP library where there is no fast path.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from crisp_status.http import request_head
from crisp_status.http.aiohttp_private import (
    HttpProcessingError,
    LibraryConnection,
    LibraryServer,
    RequestPayloadError,
)
from crisp_status.http.fastpath import Plain, Post, Visitor, leave

if TYPE_CHECKING:
    from crisp_status.http.router import ImmediateRoute
    from crisp_status.http.site import Site

MAX_REMEMBERED: Final = 2048
"""Different header blocks whose meaning is remembered: a client repeats itself exactly. At most 8 MB."""

MAX_POSTS: Final = 512
"""The same for reports, with all their fields: at most 10 MB, and only of those who may report."""

SWEEPS: Final = 4
"""Looks at waiting connections within the shortest time that one may wait."""


@dataclass(frozen=True)
class Limits:
    """What one client, and all of them together, may take."""

    connections: int = 4096
    """Each costs up to 50 kB; 200 MB is what a small VPS has. Above it the oldest idle one is closed."""
    first_seconds: float = 20.0
    """From connecting to a complete first header block; those who trickle are cut off."""
    idle_seconds: float = 75.0
    """Between requests: longer than the 60 s after which nginx lets go, so that the proxy closes first."""
    stall_seconds: float = 60.0
    """How long a client may leave bytes unread, and how long one is answered that says no more."""
    line_bytes: int = 65536
    """Longest request line. Scripts put the output of a job into the URL of a heartbeat, and a long one must count."""
    field_bytes: int = 8190
    """Longest header field; what other servers take."""
    fields: int = 64
    """Header fields; browsers send twenty, proxies add ten."""


class ClientConnection(LibraryConnection):
    """A connection of the library; it may not stall."""

    __slots__ = ("_in_first_line", "_leaves_by", "_server", "gone_by", "until", "wire")

    def __init__(self, server: FastServer, **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._server = server
        self._in_first_line = True
        self._leaves_by = inf
        """When it is ended whose client says no more, but reads; time of the loop."""
        self.until = 0.0
        """When it is closed, if no whole request comes; time of the loop. Later requests are the library's business."""
        self.gone_by = inf
        """When it is ended, if the client does not read what it is sent by then; time of the loop."""
        self.wire: asyncio.Transport | None = None
        """What is written to, also when the library has let go of it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        super().connection_made(transport)
        self.wire = cast("asyncio.Transport", transport)
        self._server.came(self)

    def data_received(self, data: bytes) -> None:
        """Percent-encode what clients should have encoded in the request line, then let the library read."""
        # curl sends the characters of a URL as they are, and the library refuses every byte above 127 in it.
        if self._in_first_line:
            line, newline, rest = data.partition(b"\n")
            self._in_first_line = not newline
            if not line.isascii():
                data = request_head.escaped(line) + newline + rest
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting it."""
        self._server.went(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client says no more. True: whole requests of it wait for their answers, and the connection ends after these."""
        body = self.newest_body
        if self.transport is None or self.idle or body is None or not body.is_eof() or self.ssl_context is not None:
            return False  # A transport with TLS cannot stay half open.
        # It may have left altogether, which looks the same and is noticed only by writing.
        self._leaves_by = self._server.patience()
        self.gone_by = min(self.gone_by, self._leaves_by)
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Answer; the last one to a client that says no more ends the connection."""
        said = await super().finish_response(request, resp, start_time)
        self.body = None
        self._in_first_line = not self.has_requests
        if self._leaves_by < inf and not self.has_requests:
            self.close()
        return said

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        super().pause_writing()
        self.gone_by = min(self._leaves_by, self._server.patience())

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self.gone_by = self._leaves_by

    def drop(self) -> None:
        """End it at once, also when the client does not read what was written."""
        leave(self.wire)
        self.force_close()

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """What no handler met. A body that breaks off or is badly framed is the client's doing and no line of the log."""
        if not isinstance(kwargs.get("exc_info"), RequestPayloadError | HttpProcessingError):
            super().log_exception(*args, **kwargs)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What the library could not read, or a failure that no handler caught, in our words."""
        return self._server.refuse(request, status, exc, message)


class FastServer(LibraryServer):
    """Makes connections; knows them all and keeps their number within bounds."""

    def __init__(self, handler: Any, site: Site | None, limits: Limits, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._site = site
        self._limits = limits
        self.idle_seconds = limits.idle_seconds
        self._first_seconds = min(limits.first_seconds, limits.idle_seconds)
        self._sweep_seconds = min(1.0, self._first_seconds / SWEEPS, limits.stall_seconds / SWEEPS)
        self.time = self.loop.time
        self.remembered: dict[bytes, Plain] = {}
        self.posts: dict[bytes, Post] = {}
        self._open: dict[Visitor | ClientConnection, None] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    def accept(self) -> Visitor | ClientConnection:
        """A new connection."""
        if self._site is None:
            return self()
        return Visitor(self, self._site)

    def __call__(self) -> ClientConnection:
        """A new connection of the library."""
        return ClientConnection(self, **self.options)

    def patience(self) -> float:
        """Until when a client may leave unread what it is sent from now on; time of the loop."""
        return self.time() + self._limits.stall_seconds

    def remember(self, data: bytes, found: Plain) -> None:
        """Keep the meaning of a header block, until there are too many or the routes change."""
        if len(self.remembered) >= MAX_REMEMBERED:
            self.remembered.clear()
        self.remembered[data] = found

    def post(self, block: bytes) -> Post | None:
        """The meaning of the header block of a plain report; None: it is something else."""
        known = self.posts.get(block)
        if known is not None:
            return known
        head = request_head.read(block)
        found = None if head is None or head.method != "POST" else self.immediate_route(head.path)
        return None if head is None or found is None else Post(found[0], found[1], head)

    def remember_post(self, block: bytes, post: Post) -> None:
        """Keep the meaning of the header block of a report that was taken."""
        if len(self.posts) >= MAX_POSTS:
            self.posts.clear()
        self.posts[block] = post

    def forget(self) -> None:
        """The routes or languages changed: what a header block means is open again."""
        self.remembered.clear()
        self.posts.clear()

    def came(self, connection: Visitor | ClientConnection) -> None:
        """Count it; when there are too many, the first that came of those that are idle or closing makes room."""
        if self._closed:  # it was accepted in the moment of the end
            connection.drop()
            return
        self._open[connection] = None
        connection.until = self.time() + self._first_seconds
        if self._sweeping is None:
            self._sweep_later()
        self._count(1)
        if len(self._open) > self._limits.connections:
            oldest = next((c for c in self._open if c is not connection and (c.idle or _closing(c))), connection)
            if self._site is not None:
                self._site.counters.connections_refused += 1
            # Forgotten at once: of a thousand that come within one turn of the loop each must make another one leave.
            self.went(oldest)
            oldest.drop()

    def went(self, connection: Visitor | ClientConnection) -> None:
        """It is closed."""
        if connection in self._open:
            del self._open[connection]
            self._count(-1)

    def _count(self, more: int) -> None:
        if self._site is not None:
            self._site.counters.connections += more  # several servers may show one site

    def taken_over(self, visitor: Visitor) -> ClientConnection:
        """The library's connection in the place of that one."""
        self.went(visitor)
        return self()

    def _sweep_later(self) -> None:
        self._sweeping = self.loop.call_later(self._sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        """Let go of those who wait, or leave unread, for too long: one timer for all costs a request nothing."""
        now = self.time()
        for connection in list(self._open):
            if _closing(connection):
                connection.gone_by = min(connection.gone_by, now + self._limits.stall_seconds)
            elif connection.until < now and connection.idle:
                connection.force_close()
            if connection.gone_by < now:
                connection.drop()
        self._sweeping = None
        if self._open:
            self._sweep_later()

    def pre_shutdown(self) -> None:
        """Accept no more requests."""
        self._closed = True
        for connection in list(self._open):
            if isinstance(connection, Visitor):
                connection.force_close()
        super().pre_shutdown()

    def exposed(self, transport: asyncio.Transport) -> bool:
        """Whether plain HTTP is not for this client. Overridden by the server, which knows the rules."""
        raise NotImplementedError

    def immediate_route(self, path: str) -> tuple[ImmediateRoute, dict[str, str]] | None:
        """Who takes a POST to that path at once. Overridden by the server, which knows the doors."""
        raise NotImplementedError

    def refuse(
        self, request: web.BaseRequest, status: int, exc: BaseException | None, message: str | None
    ) -> web.StreamResponse:
        """Overridden by the server, which knows the words."""
        raise NotImplementedError


def _closing(connection: Visitor | ClientConnection) -> bool:
    """Whether only the client's reading, which may never come, keeps it from its end."""
    return connection.wire is not None and connection.wire.is_closing()
