"""The common request answered without an HTTP library: a plain GET of a document whose bytes are ready, a plain report.

The danger is request smuggling: two readers of one connection that disagree about where a request ends. So this one
answers only what leaves no room for two opinions, namely one read that holds exactly one request of the strict grammar
of `heads`, when everything before it is answered. As soon as anything else arrives on a connection, the library gets
it as if it were new, and has it for the rest of its life. `tests/http/test_fastpath.py` holds both to identical
answers.

Gain, by `python -m benchmarks --only page`: a tenth of the CPU time of the library, a fifth for a new connection; by
`--only ingest`: half of it for a report, a third for one over a new connection.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from crisp_status.http import request_head
from crisp_status.http.site import DocumentRequest, Site
from crisp_status.http.transport_security import secure

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.http.responses import ReadyBytes
    from crisp_status.http.router import ImmediateRoute

BODY_MAX: Final = 4096
"""Bytes of a report taken here; most have 150."""

_CLOSE: Final = b"Connection: close\r\n"


class Plain(NamedTuple):
    """A plain request."""

    ask: DocumentRequest
    close: bool
    """The client wants the connection to end after the answer."""


class Post(NamedTuple):
    """The header block of a plain report, and who takes it."""

    door: ImmediateRoute
    args: dict[str, str]
    head: request_head.Head


def parse(data: bytes, site: Site) -> Plain | None:
    """What one read asks for, if it is exactly one plain question for a document; None: it is something else."""
    if data[-4:] != request_head.END:
        return None
    head = request_head.read(data[:-4])
    # Who asks, and what would follow, is the library's business.
    if head is None or head.method == "POST" or not head.fields.keys().isdisjoint(("authorization", "content-length")):
        return None
    found = site.ask(
        head.method,
        head.path,
        head.query,
        accept_language=head.fields.get("accept-language", ""),
        accept_encoding=head.fields.get("accept-encoding", ""),
        if_none_match=head.fields.get("if-none-match", ""),
    )
    return None if found is None else Plain(found, head.close)


def leave(transport: asyncio.WriteTransport | None) -> None:
    """Close a connection; when bytes wait to be read by the client, without waiting for that."""
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()
    elif transport is not None:
        transport.close()


class VisitorServer(Protocol):
    """What a visitor needs of the server that accepted it (`connections.FastServer`)."""

    idle_seconds: float
    time: Callable[[], float]
    remembered: dict[bytes, Plain]

    def came(self, connection: Visitor, /) -> None:
        """Count a new connection."""

    def went(self, connection: Visitor, /) -> None:
        """A connection is closed."""

    def exposed(self, transport: asyncio.Transport, /) -> bool:
        """Whether it came in the clear where TLS is spoken, so that pages are redirected and tokens refused."""

    def patience(self) -> float:
        """Until when a client may leave unread what it is sent."""

    def remember(self, data: bytes, found: Plain) -> None:
        """Keep the meaning of a header block."""

    def post(self, block: bytes) -> Post | None:
        """The meaning of the header block of a plain report."""

    def remember_post(self, block: bytes, post: Post) -> None:
        """Keep the meaning of the header block of a report that was taken."""

    def taken_over(self, visitor: Visitor) -> asyncio.Protocol:
        """The library's connection in the place of this one."""


class Visitor(asyncio.Protocol):
    """A connection over which nothing but plain requests came."""

    __slots__ = ("_paused", "_secure", "_server", "_site", "_transport", "gone_by", "until")

    def __init__(self, server: VisitorServer, site: Site) -> None:
        self._server = server
        self._site = site
        self._paused = False
        self._secure = False
        self._transport: asyncio.Transport | None = None
        self.until = 0.0
        """When it is closed, if nothing comes; time of the loop."""
        self.gone_by = inf
        """When it is ended, if the client does not read what it is sent by then; time of the loop."""

    @property
    def wire(self) -> asyncio.Transport | None:
        """What is written to; None: it is gone, or the library has it."""
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast("asyncio.Transport", transport)
        self._secure = secure(transport)
        self._server.came(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self._transport = None
        self._server.went(self)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        self._paused = True
        self.gone_by = self._server.patience()

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        self.gone_by = inf

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
        if not self._secure and server.exposed(transport):
            self._hand_over(transport, data)  # a page is redirected, a token is refused: with words, not in a hurry
            return
        found = server.remembered.get(data)
        if found is None:
            found = parse(data, self._site)
            if found is not None:
                server.remember(data, found)
            elif data[:5] == b"POST " and not self._paused and self._take(transport, data):
                return
        ready = None if found is None or self._paused else self._site.public(found.ask)
        if found is None or ready is None:
            self._hand_over(transport, data)
            return
        self._say(transport, ready, close=found.close)

    def _take(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Take a report and answer it; False: let the library do that, nothing has happened."""
        block, _, body = data.partition(request_head.END)
        post = self._server.post(block)
        if post is None or post.head.length != len(body) or len(body) > BODY_MAX:
            return False
        said = post.door.at_once(post.args, post.head.fields, post.head.query, body)
        if said is None:
            return False
        self._server.remember_post(block, post)
        self._say(transport, said[0], close=post.head.close or not said[1])
        return True

    def _say(self, transport: asyncio.Transport, ready: ReadyBytes, *, close: bool) -> None:
        now = self._server.time()
        date = self._site.dater.line(now, secure=self._secure)
        counters = self._site.counters
        counters.requests += 1
        counters.requests_fast += 1
        if close:
            transport.write(ready.with_header(date, _CLOSE))
            transport.close()
            return
        transport.write(ready.at(date))
        self.until = now + self._server.idle_seconds

    def _hand_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """Let the library have the connection, from these bytes on."""
        self._transport = None
        connection = self._server.taken_over(self)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if self._paused:
            connection.pause_writing()
        connection.data_received(data)
