"""Everything of aiohttp that it does not document: no other file may use any of it, and a test names it.

`pyproject.toml` has an upper bound for aiohttp for the sake of this file: raise it when the tests pass with the new version.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage

__all__ = ["HttpProcessingError", "LibraryConnection", "LibraryServer", "RequestPayloadError", "drained"]


class LibraryConnection(RequestHandler):
    """One connection as the library reads it."""

    __slots__ = ("body",)

    def __init__(self, server: LibraryServer, **options: Any) -> None:
        super().__init__(server, **options)
        self.body: StreamReader | None = None
        """Of the request that is answered now."""

    @property
    def idle(self) -> bool:
        """Whether the library waits for a request and has nothing to answer."""
        waiter = self._waiter
        return waiter is not None and not waiter.done() and not self._messages

    @property
    def has_requests(self) -> bool:
        """Whether requests were read that nobody answers yet."""
        return bool(self._messages)

    @property
    def newest_body(self) -> StreamReader | None:
        """Of the request that was read last."""
        return self._messages[-1][1] if self._messages else self.body


class LibraryServer(web.Server):
    """What makes connections and requests."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where it runs."""
        return self._loop

    @property
    def options(self) -> dict[str, Any]:
        """What each connection is made with."""
        return {"loop": self._loop, **self._kwargs}

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        assert isinstance(protocol, LibraryConnection)
        protocol.body = payload
        return super()._make_request(message, payload, protocol, writer, task)


async def drained(protocol: RequestHandler) -> None:
    """Wait until the client has read what was written past the library."""
    if protocol.writing_paused:
        await protocol._drain_helper()
