"""Incidents: from the first bad observation until everything affected is well again.

Laws
- A replica that turns bad joins the open incident of its service, else the one that grew within `JOIN_SECONDS`, else it
  opens a new one. So one fault that hits many services is one incident, and a fault of another day is another.
- An incident ends when nothing in it is bad and nothing in it is flapping; it is back-dated at both ends.
- One that ended a moment ago, of which nobody has been told yet, goes on when its service fails again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import tree
from crisp_status.core.model import FINE, AffectedNode, Health, Incident, TimelineEntry

if TYPE_CHECKING:
    from crisp_status.core.model import Node, Reason, Replica, State

JOIN_SECONDS: Final = 300.0
"""What fails within this time of the last growth belongs together: longer than one cycle of looks with its retries."""

MERGE_SECONDS: Final = 150.0
"""Replicas of one node that change alike within this time are one line of the timeline."""

TIMELINE_KEPT: Final = 400
"""Lines an incident may have: a day of flapping every few minutes."""

NUMBERS_KEPT: Final = 20
"""Replica numbers named on one line."""

LOOK_BACK: Final = 12
"""Lines that are searched for one to merge into; bounds the cost of an event."""

CLOSED_KEPT: Final = 2000
"""Closed incidents kept at most within `history_days`."""


def worsened(state: State, node: Node, replica: Replica, at: float) -> Incident:
    """Note that `replica` is sick or dead now; it joins or opens an incident."""
    incident = state.open.get(replica.incident)
    service = tree.service_of(node.key)
    if incident is None:
        incident = _incident_for(state, service, at)
        if incident is None:
            incident = _opened(state, replica.since, at)
        incident.closed_at = 0.0
        replica.incident = incident.id
        incident.bad += 1
        incident.services[service] = incident.services.get(service, 0) + 1
        hurt = incident.nodes.setdefault(node.key, AffectedNode(replica.since, replica.health))
        hurt.bad += 1
        hurt.well_at = 0.0
    else:
        hurt = incident.nodes[node.key]
    hurt.worst = max(hurt.worst, replica.health)
    hurt.since = min(hurt.since, replica.since)
    if replica.health is Health.DEAD and not hurt.dead_at:
        hurt.dead_at = replica.since
    incident.worst = max(incident.worst, replica.health)
    incident.opened_at = min(incident.opened_at, replica.since)
    if at - incident.grew_at > JOIN_SECONDS:
        incident.settles = 0
    incident.grew_at = at
    _line(incident, replica.since, replica.health.word, node.key, replica.number, replica.reason)
    _wait(state, incident, at)
    return incident


def recovered(state: State, node: Node, replica: Replica, at: float, what: str = "healthy") -> None:
    """Note that `replica` is well again, or gone (`what` is `removed`)."""
    incident = state.open[replica.incident]
    replica.incident = 0
    hurt = incident.nodes[node.key]
    hurt.bad -= 1
    if hurt.bad == 0:
        hurt.well_at = at
    incident.bad -= 1
    incident.services[tree.service_of(node.key)] -= 1
    _line(incident, at, what, node.key, replica.number, FINE)
    _wait(state, incident, at)
    close_if_over(state, incident, at)


def shrank(state: State, node: Node, replica: Replica, at: float) -> None:
    """Note that a node lost `replica`: when it was the last one that was not dead, that is news."""
    if node.wholly_dead and replica.health is not Health.DEAD:
        _wait(state, state.open[next(iter(node.replicas.values())).incident], at)


def close_if_over(state: State, incident: Incident, at: float) -> bool:
    """End the incident when nothing in it is bad or flapping; whether it ended now."""
    if (
        incident.closed_at
        or incident.bad
        or incident.record.manual
        or any(key in incident.nodes for key in state.unstable)
    ):
        return False
    incident.closed_at = max((h.well_at for h in incident.nodes.values()), default=at)
    incident.remind_at = 0.0
    incident.settle_at = min(incident.settle_at or at + JOIN_SECONDS, at + state.plan.notify.group_wait)
    return True


def archive(state: State, incident: Incident) -> None:
    """Move an incident that is over, and of which everyone has been told, to the closed ones."""
    del state.open[incident.id]
    incident.settle_at = 0.0
    state.closed.append(incident)
    del state.closed[: max(0, len(state.closed) - CLOSED_KEPT)]


def prune(state: State, at: float) -> bool:
    """Forget incidents that ended more than `history_days` ago; whether any did."""
    horizon = at - state.plan.history_days * 86400.0
    before = len(state.closed)
    if before and state.closed[0].closed_at < horizon:
        state.closed = [i for i in state.closed if i.closed_at >= horizon]
    return len(state.closed) != before


def note(incident: Incident, entry: TimelineEntry) -> None:
    """Add a line to the timeline, unless it is full; operators' words always fit."""
    if len(incident.timeline) >= TIMELINE_KEPT and entry.what not in {"note", "acknowledged", "alerted"}:
        incident.dropped += 1
        return
    incident.timeline.append(entry)


def _incident_for(state: State, service: str, at: float) -> Incident | None:
    near: Incident | None = None
    for incident in state.open.values():
        if incident.record.manual:
            continue
        if service in incident.services and (not incident.closed_at or incident.settle_at > at):
            return incident
        if not incident.closed_at and at - incident.grew_at <= JOIN_SECONDS:
            near = incident if near is None or incident.grew_at >= near.grew_at else near
    return near


def _opened(state: State, since: float, at: float) -> Incident:
    incident = Incident(state.next_incident, since, at)
    state.next_incident += 1
    state.open[incident.id] = incident
    return incident


def _wait(state: State, incident: Incident, at: float) -> None:
    if not incident.settle_at:
        incident.settle_at = at + next_wait(state, incident)


def next_wait(state: State, incident: Incident) -> float:
    """The grouping wait: each one of an incident is twice the last, at most five minutes, so that a fault that spreads
    for minutes makes a handful of messages.
    """
    wait = state.plan.notify.group_wait
    return min(wait * 2.0**incident.settles, max(wait, JOIN_SECONDS))


def _line(incident: Incident, at: float, what: str, node: str, number: int, reason: Reason) -> None:
    for entry in incident.timeline[: -LOOK_BACK - 1 : -1]:
        if entry.node == node and entry.what == what and at - entry.at <= MERGE_SECONDS:
            if number not in entry.replicas:
                if len(entry.replicas) < NUMBERS_KEPT:
                    entry.replicas.append(number)
                else:
                    entry.more += 1
            return
        if entry.node == node:
            break
    note(incident, TimelineEntry(at, what, node, [number], reason=reason))
