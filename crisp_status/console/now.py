"""What is bad now and why, who knows of it, and the first things to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from crisp_status.api import operations
from crisp_status.console import place_matrix
from crisp_status.core.model import Health
from crisp_status.http.error_responses import Refused
from crisp_status.language import headline

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.core.model import Incident, Node, Replica, State
    from crisp_status.core.policy import NodePlan
    from crisp_status.http.router import Router

REPLICAS_SHOWN: Final = 50
"""Of one node, worst first."""

NODES_SHOWN: Final = 100

SILENCES: Final = {"1h": 3600.0, "4h": 4 * 3600.0, "healthy": 0.0}
"""Choices of the form, in seconds; 0 is until healthy."""


class BadNode(NamedTuple):
    """One node that is not well, with those of its replicas that are not."""

    node: Node
    plan: NodePlan
    service: str
    replicas: list[Replica]
    more: int


class Recipient(NamedTuple):
    """What one notifier knows of an incident."""

    notifier: str
    health: str
    at: float
    """When it was told; 0: not yet."""
    waiting: str
    """Why it was not told yet; "" when it was."""


class Now:
    """`/operator/`."""

    def __init__(self, frame: Frame, look_now: Callable[[Collection[tuple[str, str]]], None]) -> None:
        """`look_now` looks at these replicas (node, replica) at once; empty: at all."""
        self._frame = frame
        self._look_now = look_now

    def add_routes(self, router: Router) -> None:
        """Register the page and its forms."""
        self._frame.add(router, "GET", "/operator", self.show)
        self._frame.add(router, "POST", "/operator/check", self.check, "operator")
        self._frame.add(router, "POST", "/operator/silences", self.silence, "operator")
        self._frame.add(router, "POST", "/operator/silences/{id}/lift", self.unsilence, "operator")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: the page's own headline, every node that is bad, and who was told."""
        view, held = self._frame.site.view, visit.state
        going = sorted((i for i in held.open.values() if not i.closed_at), key=lambda i: -i.id)
        return self._frame.page(
            visit,
            "now.html",
            headline=headline.headline(view, visit.t) if view is not None else self._frame.config().page.name,
            incidents=going,
            bad=bad_nodes(held)[:NODES_SHOWN],
            recipients={i.id: recipients(held, i, self._frame.engine.held()) for i in going},
            silences=list(held.silences.values()),
            places=place_matrix.places(held),
            rows=place_matrix.unlike(held)[:REPLICAS_SHOWN],
            templates=[t for t in self._frame.config().templates if t.kind == "update"],
        )

    async def check(self, visit: Visit) -> web.StreamResponse:
        """POST: look at one replica, or at everything, now."""
        key, replica = visit.field("node"), visit.field("replica")
        if key:
            node = visit.state.nodes.get(key)
            if node is None or replica not in node.replicas:
                raise Refused(404, "There is no such replica any more.")
            self._look_now([(key, replica)])
        else:
            self._look_now([])
        return self._frame.redirect("/operator/", "check")

    async def silence(self, visit: Visit) -> web.StreamResponse:
        """POST: hold reminders, or every notice of one service or node."""
        seconds = SILENCES.get(visit.field("silence"))
        if seconds is None:
            raise Refused(400, "Choose for how long.")
        scope, by = visit.field("scope"), visit.identity.name
        await operations.silence(self._frame.engine, seconds, scope, by, self._frame.clock.now())
        return self._frame.redirect("/operator/", "silence")

    async def unsilence(self, visit: Visit) -> web.StreamResponse:
        """POST: lift a silence."""
        await operations.unsilence(self._frame.engine, visit.args["id"], visit.identity.name)
        return self._frame.redirect("/operator/", "unsilence")


def bad_nodes(state: State) -> list[BadNode]:
    """Dead and sick nodes, the worst first, then in the order of the page."""
    found = []
    for service in state.plan.services:
        for plan in service.nodes:
            node = state.nodes.get(plan.key)
            if node is None or not (node.health.bad or node.unknowns):
                continue
            bad = sorted(
                (r for r in node.replicas.values() if r.health.bad or r.unknown), key=lambda r: (-r.health, r.number)
            )
            found.append(BadNode(node, plan, service.name, bad[:REPLICAS_SHOWN], max(0, len(bad) - REPLICAS_SHOWN)))
    found.sort(key=lambda b: -b.node.health)
    return found


def recipients(state: State, incident: Incident, held: list[tuple[int, str, str, str]]) -> list[Recipient]:
    """For each notifier that could hear of an incident: when it was told, or why it was not."""
    reasons: dict[str, str] = {}
    for number, notifier, _, reason in held:
        if number == incident.id:
            reasons.setdefault(notifier, reason)
    told: dict[str, float] = {}
    for attempt in state.attempts:
        if attempt.outcome == "delivered" and attempt.message.startswith(f"{incident.id}-"):
            told.setdefault(attempt.notifier, attempt.at)
    waiting: dict[str, Any] = {m.notifier: m for m in state.outbox.values() if m.incident == incident.id}
    found = []
    for notifier in (n.id for n in state.plan.notifiers if n.enabled):
        message = waiting.get(notifier)
        why = (message.last_error or "-") if message is not None else reasons.get(notifier, "")
        at = told.get(notifier, 0.0)
        health = Health.SICK if message is not None else Health.HEALTHY if at else Health.PENDING
        found.append(Recipient(notifier, health.word, at, why))
    return found
