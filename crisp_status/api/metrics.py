"""`/metrics` for Prometheus: on the page's address behind the manager token, or open on an address of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from crisp_status.api.submit import CommandEngine, state
from crisp_status.formats.exposition import CONTENT_TYPE, Backlog, Counters, NoMetricsError, exposition
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.clock import Clock
    from crisp_status.core.model import State
    from crisp_status.http.router import Handler, Router
    from crisp_status.http.site import Site


class MetricsEndpoint:
    """The door. `refresh`, if given, brings the counters up to date before they are read."""

    def __init__(
        self, engine: CommandEngine, clock: Clock, site: Site, refresh: Callable[[Counters], None] | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._site = site
        self._refresh = refresh

    def add_routes(self, router: Router, guard: Callable[[Handler], Handler] | None = None) -> None:
        """Register it, behind `guard` when its address is public."""
        router.add("GET", "/metrics", guard(self.read) if guard else self.read)

    async def read(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: all figures in Prometheus' text format."""
        counters = self._site.counters
        if self._refresh is not None:
            self._refresh(counters)
        held = backlog(await state(self._engine), self._clock.now())
        try:
            text = exposition(self._site.view, counters, held)
        except NoMetricsError as error:
            raise Refused(404, f"{error}.") from None
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def backlog(held: State, now: float) -> Backlog:
    """What is not delivered."""
    messages = held.outbox.values()
    oldest = min((m.created_at for m in messages), default=now)
    return Backlog(
        waiting=len(held.outbox),
        failing=sum(1 for m in messages if m.attempts),
        refused=sum(1 for m in messages if m.refusals),
        gave_up=held.gave_up,
        oldest_seconds=max(0.0, now - oldest),
    )
