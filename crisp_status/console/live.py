"""Tells a browser that its page is out of date, so that it loads it again; every page works without.

A page carries a mark of what it shows. Its script asks with that mark, and hears one word when the state has another.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import web

from crisp_status.api.submit import state
from crisp_status.console.frame import HEADERS
from crisp_status.console.page_marks import state_mark
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.http.router import Router

ALL_MAX: Final = 200
"""Streams at a time: connections that cost memory while nothing happens."""

OWN_MAX: Final = 6
"""Of one session: a browser opens no more to one host."""

LIFE_SECONDS: Final = 240.0
"""Then the browser asks again, so that one that left without a word is forgotten."""

BEAT_SECONDS: Final = 15.0
"""Between signs of life, by which a client that left is noticed."""

PAUSE_SECONDS: Final = 1.0
"""After a change before the next look: an outage of thousands makes many."""


class LiveUpdates:
    """`/operator/live`."""

    def __init__(self, frame: Frame, changed: Callable[[int], Awaitable[int]]) -> None:
        """`changed` waits until there is something newer than a revision, and gives the present one."""
        self._frame = frame
        self._changed = changed
        self._open: Counter[str] = Counter()

    def add_routes(self, router: Router) -> None:
        """Register the stream."""
        self._frame.add(router, "GET", "/operator/live", self.follow)

    async def follow(self, visit: Visit) -> web.StreamResponse:
        """GET: one event when the state is not that of the mark any more."""
        who = visit.identity.form_token
        if self._open[who] >= OWN_MAX or self._open.total() >= ALL_MAX:
            raise Refused(503, "Too many pages follow the state already. Load this one again by hand.")
        # A proxy that gathers answers would hold the one word back.
        headers = HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        self._open[who] += 1
        try:
            await response.prepare(visit.request)
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(LIFE_SECONDS):
                    await self._until_news(visit, response)
        finally:
            self._open[who] -= 1
            self._open += Counter()  # forgets those at zero
        return response

    async def _until_news(self, visit: Visit, response: web.StreamResponse) -> None:
        revision, seen = -1, visit.query.get("mark", [""])[-1]
        while visit.request.transport is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    revision = await self._changed(revision)
            held = await state(self._frame.engine)
            if self._frame.access.identify(visit.request, held) is None:
                return
            if state_mark(held) != seen:
                await response.write(b"data: changed\n\n")
                return
            await response.write(b":\n\n")
            await asyncio.sleep(PAUSE_SECONDS)
