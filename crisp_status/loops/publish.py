"""Make the page's bytes when something changed: soon when health did, rarely when only figures did, and at the moment
when time alone changes what it says.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.formats import embed
from crisp_status.formats.embed_policy import EmbedPolicy
from crisp_status.view import incident_views
from crisp_status.view.build import ViewCache, build, prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisp_status.clock import Clock
    from crisp_status.engine import Engine
    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import PageView

CHANGE_SECONDS: Final = 1.0
"""At most one rendering in this time."""

QUIET_SECONDS: Final = 15.0
"""How old figures that changed without a change of health may become."""

SHARE: Final = 5.0
"""Rest at least so many times as long as the last rendering took: a huge page may not eat the machine."""

MARGIN: Final = 0.05
"""So long after such a moment the page is made, so that it is over by any rounding."""


class Publisher:
    """The loop. `configure` may be called again at any time."""

    def __init__(self, engine: Engine, clock: Clock, show: Callable[[PageView], Awaitable[None]]) -> None:
        """`show` gets each new view."""
        self._engine = engine
        self._clock = clock
        self._show = show
        self._info: PageInfo | None = None
        self._policy = EmbedPolicy()
        self._cache = ViewCache()
        self._first: tuple[int, float, float] | None = None

    def configure(self, info: PageInfo, policy: EmbedPolicy) -> None:
        """Show the page as `info` says from now on, and the warning on other sites when `policy` says so."""
        self._info = info
        self._policy = policy
        self._cache = ViewCache()

    async def first(self) -> None:
        """Publish once, before anybody is let in; `run` goes on from there."""
        revision, began = self._engine.revision, asyncio.get_running_loop().time()
        self._first = revision, began, await self._publish(in_one_go=True)

    async def run(self) -> None:
        """Publish until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if self._first is not None:
                # What it took is no measure: the first view is made of nothing.
                (revision, began, turns_at), took, self._first = self._first, 0.0, None
            else:
                revision, began, turns_at = self._engine.revision, loop.time(), math.inf
                try:
                    turns_at = await self._publish()
                except Exception:
                    log.get().exception("the page could not be made; this is a bug, please report it")
                took = loop.time() - began
            await asyncio.sleep(max(CHANGE_SECONDS, SHARE * took))
            turn = loop.time() + max(0.0, turns_at - self._clock.now() + MARGIN)
            await self._something_new(revision, min(turn, began + max(QUIET_SECONDS, 4 * SHARE * took)))

    async def _something_new(self, revision: int, quiet_until: float) -> None:
        """Wait for a durable change, or until figures are old enough to be shown anew."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(quiet_until):
                await self._engine.changed(revision)

    async def _publish(self, *, in_one_go: bool = False) -> float:
        """Show the present; returns when time alone makes it another one, infinite for never."""
        if self._info is None:
            return math.inf
        info, policy, cache = self._info, self._policy, self._cache
        # `peek`: pieces are made ahead, and `build` makes each anew of which `read` says something else.
        pieces = () if in_one_go else prepare(self._engine.peek(), self._clock.now(), cache)
        for _ in pieces:
            await asyncio.sleep(0)
        state = await self._engine.read()
        view = build(state, info, self._clock.now(), cache)
        turns_at = min(incident_views.turns_at(state, view.at), embed.turns_at(view, policy) or math.inf)
        await self._show(view)
        return turns_at
