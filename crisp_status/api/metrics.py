"""`/metrics` for Prometheus: on the page's address behind the manager token, or open on an address of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from crisp_status.api.submit import CommandEngine, state
from crisp_status.core.model import Health
from crisp_status.formats.exposition import (
    CONTENT_TYPE,
    Backlog,
    Counters,
    NoMetricsError,
    PlaceFigures,
    SubscriberFigures,
    exposition,
)
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
        known = await state(self._engine)
        held, seen_from = backlog(known, self._clock.now()), place_figures(known)
        try:
            text = exposition(self._site.view, counters, held, seen_from, subscriber_figures(known))
        except NoMetricsError as error:
            raise Refused(404, f"{error}.") from None
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def subscriber_figures(held: State) -> SubscriberFigures:
    """Who is told, and how far that has come."""
    audience = held.audience
    under_way = [one for one in audience.bulletins.values() if any(not lane.done for lane in one.lanes.values())]
    return SubscriberFigures(audience.counts, len(audience.pending), len(under_way), audience.sent, audience.failed)


def place_figures(held: State) -> list[PlaceFigures]:
    """What each place sees; nothing where there is none but this daemon."""
    plan = held.plan
    if not plan.places:
        return []
    votes = {place.id: [0, 0, 0, 0] for place in (*plan.places, plan.here)}
    latencies: dict[str, list[int]] = {place: [] for place in votes}
    for node in (node for service in plan.services for node in service.nodes if node.places):
        for replica in held.nodes[node.key].replicas.values():
            for place in node.places:
                vote = (replica.votes or {}).get(place)
                votes[place][vote.health if vote is not None else Health.PENDING] += 1
                if vote is not None and vote.latency_ms >= 0:
                    latencies[place].append(vote.latency_ms)
    found = []
    for place, (none, healthy, sick, dead) in votes.items():
        heard = place == plan.here.id or held.places[place].heard_since > 0
        mean = sum(latencies[place]) / len(latencies[place]) if latencies[place] else None
        found.append(PlaceFigures(place, heard, (none, healthy, sick, dead), mean))
    return found


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
