"""What anybody may read: documents of the site, by GET and HEAD."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web

from crisp_status.http.aiohttp_private import drained
from crisp_status.http.error_responses import Refused
from crisp_status.http.private_page import without_key
from crisp_status.http.responses import Dater, ReadyBytes
from crisp_status.http.site import DocumentRequest, Site
from crisp_status.http.transport_security import secure


class Public:
    """The same answers as the fast path, for requests of every shape."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def ask(self, request: web.BaseRequest) -> DocumentRequest | None:
        """What the request is for; None: no document lives at that path."""
        path, _, query = request.raw_path.partition("?")
        if not path.startswith("/"):
            path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
        if self._site.private is not None:
            query = without_key(query)
        headers = request.headers
        return self._site.ask(
            request.method,
            path,
            query,
            accept_language=",".join(headers.getall("Accept-Language", ())),
            accept_encoding=",".join(headers.getall("Accept-Encoding", ())),
            if_none_match=",".join(headers.getall("If-None-Match", ())),
        )

    async def answer(self, request: web.BaseRequest, asked: DocumentRequest) -> web.StreamResponse:
        """The document. Raises Refused 404 when the path leads to something that does not exist."""
        ready = await self._site.answer(asked)
        if ready is None:
            words = "This page has nothing of that name; it may have been renamed or be too old."
            page = not self._site.table.routes[asked.key.pattern].open
            raise Refused(404, words, everyday=True, page=page)
        return cast("web.StreamResponse", RawResponse(ready, self._site.dater))

    def closing(self, answer: web.Response) -> web.StreamResponse:
        """An answer of the library in our own HTTP/1.1, and the end of the connection."""
        body = bytes(answer.body) if isinstance(answer.body, bytes) else b""
        headers = [*answer.headers.items(), ("Content-Length", str(len(body))), ("Connection", "close")]
        said = RawResponse(ReadyBytes(answer.status, headers, body), self._site.dater, closes=True)
        return cast("web.StreamResponse", said)

    def refuse_method(self, request: web.BaseRequest) -> web.StreamResponse:
        """Anything but reading."""
        if request.method == "OPTIONS":
            allow = {"Allow": "GET, HEAD, OPTIONS", "Access-Control-Allow-Origin": "*", "Content-Length": "0"}
            cors = {
                "Access-Control-Allow-Methods": "GET, HEAD",
                # Nothing in a header changes a document, so that any may be sent; `*` leaves out Authorization alone.
                "Access-Control-Allow-Headers": "*",
                "Access-Control-Max-Age": "86400",
            }
            return web.Response(status=204, headers=allow | cors)
        words = f"{request.method} is not taken here, only GET and HEAD."
        raise Refused(405, words, {"Allow": "GET, HEAD, OPTIONS"}, everyday=True)


class RawResponse:
    """Ready bytes in the place of a response of the HTTP library, as far as that calls one."""

    __slots__ = ("_closes", "_dater", "_ready", "keep_alive", "prepared", "status")

    def __init__(self, ready: ReadyBytes, dater: Dater, *, closes: bool = False) -> None:
        """`closes`: the connection ends with it, and its headers say so."""
        self._closes = closes
        self._ready = ready
        self._dater = dater
        self.status = ready.status
        self.keep_alive: bool | None = None
        self.prepared = False

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send it all."""
        protocol = request.protocol
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.keep_alive = request.keep_alive
        self.prepared = True
        date = self._dater.line(asyncio.get_running_loop().time(), secure=secure(transport))
        if self._closes:
            self.keep_alive = False
            whole = self._ready.at(date)
        elif not self.keep_alive:
            whole = self._ready.with_header(date, b"Connection: close\r\n")
        elif request.version < (1, 1):
            whole = self._ready.with_header(date, b"Connection: keep-alive\r\n")
        else:
            whole = self._ready.at(date)
        transport.write(whole)
        # What the library looks at to know that an answer was begun.
        request.writer.output_size += len(whole)
        await drained(protocol)

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""

    def force_close(self) -> None:
        """Close after this one."""
        self.keep_alive = False
