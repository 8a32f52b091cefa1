"""Incidents: from the first bad observation until everything affected is well again.

Laws
- A replica that turns bad joins the open incident of its service, else the one that grew within `JOIN_SECONDS`, else it
  opens a new one. So one fault that hits many services is one incident, and a fault of another day is another.
- An incident ends when nothing in it is bad and nothing in it is flapping; it is back-dated at both ends.
- One that ended a moment ago, of which nobody has been told yet, goes on when its service fails again.
- A node that was well in between has another outage, with its own times, also within one incident. A gap of which
  nobody can have heard (shorter than the grouping wait, or over before the wait was) does not divide an outage.
- What an incident says of the past is recorded when it happens: worst moment, names, numbers of replicas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import tree
from crisp_status.core.health import MAINTENANCE
from crisp_status.core.incident_records import TIMELINE
from crisp_status.core.model import FINE, AffectedNode, Health, Impact, Incident, TimelineEntry, TimelineKind
from crisp_status.core.vote import Sight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.core.model import Node, Reason, Replica, State
    from crisp_status.core.policy import Plan

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
        affected = incident.nodes.setdefault(node.key, AffectedNode(replica.since, replica.health))
        if not affected.bad:
            _begin_outage(state, incident, affected, node, replica.since, at)
        affected.bad += 1
        affected.well_at = 0.0
    else:
        affected = incident.nodes[node.key]
    _record(state, incident, affected, node, replica)
    _uncover(incident, affected, node)
    if at - incident.grew_at > JOIN_SECONDS:
        incident.settles = 0
    incident.grew_at = at
    _line(
        incident,
        replica.since,
        TimelineKind(replica.health.word),
        node,
        replica,
        replica.reason,
        seen_from(state.plan, replica),
    )
    wait(state, incident, at)
    return incident


def _begin_outage(
    state: State, incident: Incident, affected: AffectedNode, node: Node, since: float, at: float
) -> None:
    """The node turns bad: its latest outage goes on where nobody can have heard that it ended, else a new one begins."""
    enabled = {n.id for n in state.plan.notifiers if n.enabled}
    progress = [p for key, p in incident.told.items() if key in enabled]
    believed = any(p.nodes.get(node.key, Health.PENDING).bad for p in progress)
    unsettled = affected.well_at > incident.settled_at  # a wait may be prolonged, after a start until all was looked at
    unheard = believed or unsettled or at - affected.well_at <= state.plan.notify.group_wait
    if affected.well_at and unheard and not node.unstable:
        return
    affected.began_at, affected.dead_at, affected.peak = since, 0.0, Health.PENDING
    if not node.unstable:
        affected.acknowledged = 0
    for known in incident.told.values():
        if known.nodes.get(node.key) is Health.HEALTHY:
            del known.nodes[node.key]


def _record(state: State, incident: Incident, affected: AffectedNode, node: Node, replica: Replica) -> None:
    """Note how bad it is now."""
    affected.worst = max(affected.worst, replica.health)
    affected.peak = max(affected.outage_worst if not affected.began_at else affected.peak, replica.health)
    affected.since = min(affected.since, replica.since)
    affected.began_at = min(affected.outage_at, replica.since)
    affected.wholly |= node.wholly_dead
    incident.worst = max(incident.worst, replica.health)
    incident.opened_at = min(incident.opened_at, replica.since)
    incident.impact = max(incident.impact, Impact.MINOR)
    if replica.health is Health.DEAD:
        affected.dead_at = min(affected.dead_at or replica.since, replica.since)
        affected.first_dead_at = min(affected.first_dead_at or affected.dead_at, affected.dead_at)
        incident.impact = max(incident.impact, Impact.CRITICAL if _all_dead(state) else Impact.MAJOR)


def _all_dead(state: State) -> bool:
    """Whether every node is wholly dead, of two or more. Looks at nodes only when every service is dead throughout."""
    for service in state.services.values():
        if service.counts[Health.DEAD] != sum(service.counts) - service.counts[MAINTENANCE]:
            return False
    watched = [node for node in state.nodes.values() if not node.maintenance]
    return len(watched) > 1 and all(node.wholly_dead for node in watched)


def _uncover(incident: Incident, affected: AffectedNode, node: Node) -> None:
    """An acknowledgement covers what was bad when it was given: for what is worse now reminders begin anew."""
    if not incident.acknowledged_at or node.level <= affected.acknowledged or node.unstable:
        return
    for other in incident.nodes.values():
        if other is not affected and other.bad and not other.acknowledged:  # an older version did not write it here
            other.acknowledged = Health.DEAD + 1
    incident.acknowledged_at, incident.acknowledged_by = 0.0, ""
    incident.remind_at, incident.reminders = 0.0, 0


def recovered(state: State, node: Node, replica: Replica, at: float, what: TimelineKind = TimelineKind.HEALTHY) -> None:
    """Note that `replica` is well again, or gone (`what` is `REMOVED`)."""
    incident = state.open[replica.incident]
    replica.incident = 0
    affected = incident.nodes[node.key]
    affected.bad -= 1
    if affected.bad == 0:
        affected.well_at = at
    incident.bad -= 1
    incident.services[tree.service_of(node.key)] -= 1
    _line(incident, at, what, node, replica, FINE)
    wait(state, incident, at)
    close_if_over(state, incident, at)


def of_flapping(state: State, node: Node) -> Incident:
    """The open incident of a node that flaps: that of its bad replicas, else the one in which it was well again last.

    An incident that was opened by hand may name the node too, and is never the one.
    """
    number = next((replica.incident for replica in node.replicas.values() if replica.incident), 0)
    if number:
        return state.open[number]
    going = [i for i in state.open.values() if node.key in i.nodes and not i.closed_at and not i.record.manual]
    return max(going, key=lambda incident: incident.nodes[node.key].well_at)


def shrank(state: State, node: Node, replica: Replica, at: float) -> None:
    """Note that a node lost `replica`: when it was the last one that was not dead, that is news."""
    if not node.wholly_dead or replica.health is Health.DEAD:
        return
    # What died within announced work of its own is in no incident: then there is nobody to tell.
    incident = state.open.get(next((r.incident for r in node.replicas.values() if r.incident), 0))
    if incident is not None:
        wait(state, incident, at)


def close_if_over(state: State, incident: Incident, at: float) -> bool:
    """End the incident when nothing in it is bad or flapping; whether it ended now."""
    if (
        incident.closed_at
        or incident.bad
        or incident.record.manual
        or any(key in incident.nodes for key in state.unstable)
    ):
        return False
    incident.closed_at = max((a.well_at for a in incident.nodes.values()), default=at)
    incident.remind_at = 0.0
    incident.settle_at = min(incident.settle_at or at + JOIN_SECONDS, at + state.plan.notify.group_wait)
    return True


def archive(state: State, incident: Incident) -> None:
    """Move an incident that is over, and of which everyone has been told, to the closed ones."""
    del state.open[incident.id]
    record_names(incident, names(state.plan))
    incident.settle_at = 0.0
    state.closed.append(incident)
    del state.closed[: max(0, len(state.closed) - CLOSED_KEPT)]


def seen_from(plan: Plan, replica: Replica) -> list[Sight]:
    """Which place sees the replica how, this daemon last; [] when it is not seen from several."""
    votes = replica.votes
    if not votes:
        return []
    order = (*(place.id for place in plan.places), plan.here.id)
    return [Sight(plan.place_name(place), votes[place].health) for place in order if place in votes]


def names(plan: Plan) -> dict[str, tuple[str, str]]:
    """Names of service and node by key."""
    return {node.key: (service.name, node.name) for service in plan.services for node in service.nodes}


def record_names(incident: Incident, known: dict[str, tuple[str, str]]) -> None:
    """Write down what its nodes are called now, so that it says so whatever they are called later."""
    for key, affected in incident.nodes.items():
        if key in known:
            affected.service, affected.name = known[key]


def prune(state: State, at: float) -> bool:
    """Forget incidents that ended more than `history_days` ago; whether any did."""
    horizon = at - state.plan.history_days * 86400.0
    before = len(state.closed)
    if before and state.closed[0].closed_at < horizon:
        state.closed = [i for i in state.closed if i.closed_at >= horizon]
    return len(state.closed) != before


def note(incident: Incident, entry: TimelineEntry) -> None:
    """Add a line to the timeline, unless it is full; operators' words always fit."""
    if len(incident.timeline) >= TIMELINE_KEPT and not TIMELINE[entry.what].team:
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


def wait(state: State, incident: Incident, at: float) -> None:
    """Begin a grouping wait, unless one runs."""
    if not incident.settle_at:
        incident.settle_at = at + nextwait(state, incident)


def nextwait(state: State, incident: Incident) -> float:
    """The grouping wait: each one of an incident is twice the last, at most five minutes, so that a fault that spreads
    for minutes makes a handful of messages.
    """
    wait = state.plan.notify.group_wait
    return min(wait * 2.0**incident.settles, max(wait, JOIN_SECONDS))


def _line(
    incident: Incident,
    at: float,
    what: TimelineKind,
    node: Node,
    replica: Replica,
    reason: Reason,
    sights: Sequence[Sight] = (),
) -> None:
    number, total = replica.number, len(node.replicas)
    for entry in incident.timeline[: -LOOK_BACK - 1 : -1]:
        if entry.node == node.key and entry.what == what and at - entry.at <= MERGE_SECONDS:
            entry.total = max(entry.total, total)
            if entry.seen_from != [*sights]:  # what is not so of all of them is said of none
                entry.seen_from = []
            if number not in entry.replicas:
                if len(entry.replicas) < NUMBERS_KEPT:
                    entry.replicas.append(number)
                else:
                    entry.more += 1
            return
        if entry.node == node.key:
            break
    note(incident, TimelineEntry(at, what, node.key, [number], total=total, reason=reason, seen_from=[*sights]))
