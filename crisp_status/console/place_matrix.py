"""Places: which of them is heard, and what each sees of every replica that is seen from several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status.core.model import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.core.model import PlaceState, Replica, State
    from crisp_status.core.policy import NodePlan, Plan
    from crisp_status.core.vote import Vote
    from crisp_status.http.router import Router

ROWS_SHOWN: Final = 200
"""Replicas of the matrix: those that not all places see alike come first, and nobody reads a longer table."""


class KnownPlace(NamedTuple):
    """One place: `heard` is None of this daemon, which hears itself."""

    id: str
    name: str
    heard: PlaceState | None


class MatrixRow(NamedTuple):
    """What is seen of one replica, in the order of the places; None: nothing."""

    plan: NodePlan
    replica: Replica
    votes: list[Vote | None]
    alike: bool


class PlacesPage:
    """`/operator/places`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def add_routes(self, router: Router) -> None:
        """Register the page."""
        self._frame.add(router, "GET", "/operator/places", self.show)

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: the places, and the matrix."""
        state = visit.state
        known = places(state)
        rows = sorted(matrix(state), key=lambda row: (row.alike, -row.replica.health))
        more = max(0, len(rows) - ROWS_SHOWN)
        return self._frame.page(visit, "places.html", places=known, rows=rows[:ROWS_SHOWN], more=more)


def places(state: State) -> list[KnownPlace]:
    """Those that are configured, this daemon last; [] when there are no others."""
    plan = state.plan
    others = [KnownPlace(p.id, p.name, state.places.get(p.id)) for p in plan.places]
    return [*others, KnownPlace(plan.here.id, plan.here.name, None)] if others else []


def matrix(state: State) -> Iterator[MatrixRow]:
    """Every replica that is seen from places."""
    order = _order(state.plan)
    for service in state.plan.services:
        for plan in service.nodes:
            node = state.nodes.get(plan.key)
            for replica in node.replicas.values() if node is not None and plan.places else ():
                votes = replica.votes or {}
                found = {vote.health for vote in votes.values()}
                alike = len(found) <= 1 and (not found or replica.health in found)
                yield MatrixRow(plan, replica, [votes.get(place) for place in order], alike)


def unlike(state: State) -> list[MatrixRow]:
    """Replicas that one place sees otherwise than another, healthy ones included."""
    return [row for row in matrix(state) if not row.alike and row.replica.health is not Health.PENDING]


def _order(plan: Plan) -> list[str]:
    return [*(place.id for place in plan.places), plan.here.id]
