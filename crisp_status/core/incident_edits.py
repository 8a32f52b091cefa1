"""What operators change about incidents: opened by hand, corrected, merged, struck out, explained afterwards.

Laws
- An incident that was opened by hand ends by hand. It moves no health, and nothing joins it.
- Corrections move the uptime of the days that are kept, as far as incidents tell it: time that leaves an incident counts
  as healthy, unless another incident of the same node, service or page covers it; time that joins one counts as down.
- A struck incident and a merged one stay in the state with their log; visitors do not see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crisp_status.core import audience, incidents, uptime
from crisp_status.core.model import AffectedNode, Health, Incident, TimelineEntry, TimelineKind
from crisp_status.core.operator_records import LogEntry

if TYPE_CHECKING:
    from crisp_status.core import events
    from crisp_status.core.model import State
    from crisp_status.core.world import World

LOG_MAX: Final = 500
"""Lines of the team's log of one incident; the newest win."""

MANUAL_MAX: Final = 50
"""Incidents open by hand at a time; more is a script that runs away."""

PHASES: Final = ("investigating", "identified", "monitoring", "resolved")


def log(incident: Incident, event: events.Command, what: str, text: str = "") -> bool:
    """Add a line to the team's log. Always True, so that a handler can end with it."""
    incident.record.log.append(LogEntry(event.at, event.by, what, text))
    del incident.record.log[: max(0, len(incident.record.log) - LOG_MAX)]
    return True


def opened(world: World, event: events.IncidentOpened) -> bool:
    """Open an incident by hand. Refused for unknown nodes, without a title, or when too many are open."""
    state = world.state
    if not event.title or event.phase not in PHASES[:3] or any(key not in state.nodes for key in event.nodes):
        return False
    if sum(i.record.manual for i in state.open.values()) >= MANUAL_MAX or not event.health.bad:
        return False
    incident = Incident(state.next_incident, event.at, event.at, worst=event.health, grew_at=event.at)
    incident.record.manual, incident.record.title = True, event.title
    incident.nodes = {key: AffectedNode(event.at, event.health) for key in event.nodes}
    state.next_incident += 1
    state.open[incident.id] = incident
    log(incident, event, "opened", event.title)
    incidents.note(
        incident,
        TimelineEntry(event.at, TimelineKind.NOTE, text=event.text or event.title, phase=event.phase, by=event.by),
    )
    return True


def close(state: State, incident: Incident, at: float) -> None:
    """End an incident that was opened by hand."""
    incident.closed_at = at
    for node in incident.nodes.values():
        node.well_at = at
    incidents.archive(state, incident)


def corrected(world: World, event: events.IncidentCorrected) -> bool:
    """Give an incident that is over other times; its nodes are clipped to them, or stretched where they touched its ends."""
    state = world.state
    incident = _over(state, event.incident)
    if incident is None or not 0 < event.opened_at < event.closed_at <= event.at:
        return False
    before = {key: _span(node) for key, node in incident.nodes.items()}
    old = incident.opened_at, incident.closed_at
    incident.opened_at, incident.closed_at = event.opened_at, event.closed_at
    for node in incident.nodes.values():
        node.since = event.opened_at if node.since <= old[0] else min(max(node.since, event.opened_at), event.closed_at)
        node.well_at = (
            event.closed_at if node.well_at >= old[1] else max(min(node.well_at, event.closed_at), node.since)
        )
        node.dead_at = _clipped(node.dead_at, node, old[0])
        node.first_dead_at = _clipped(node.first_dead_at, node, old[0])
        node.began_at = _clipped(node.began_at, node, old[0])
    if not incident.record.manual:
        for key, node in incident.nodes.items():
            uptime.recount(state, key, before[key], _span(node))
    return log(incident, event, "corrected")


def _clipped(at: float, node: AffectedNode, opened_at: float) -> float:
    """A time of a node within its corrected span; at its beginning where it touched the old one. 0 stays 0."""
    at = min(max(at, node.since), node.well_at) if at else 0.0
    return node.since if at and opened_at >= at else at


def struck(world: World, event: events.IncidentStruck) -> bool:
    """Take an incident that is over out of history and uptime."""
    incident = _over(world.state, event.incident)
    if incident is None or incident.record.struck:
        return False
    incident.record.struck = True
    if not incident.record.manual:
        for key, node in incident.nodes.items():
            uptime.recount(world.state, key, _span(node), None)
    return log(incident, event, "struck")


def merged(world: World, event: events.IncidentMerged) -> bool:
    """Let another incident tell the story of one that is over."""
    state = world.state
    source, into = _over(state, event.incident), state.incident(event.into)
    if source is None or into is None or source is into or into.record.merged_into or into.record.struck:
        return False
    if source.record.merged_into or source.record.struck:
        return False
    source.record.merged_into = into.id
    into.opened_at = min(into.opened_at, source.opened_at)
    into.closed_at = max(into.closed_at, source.closed_at) if into.closed_at else 0.0
    into.worst, into.impact = max(into.worst, source.worst), max(into.impact, source.impact)
    for key, node in source.nodes.items():
        known = into.nodes.get(key)
        if known is None:
            into.nodes[key] = replace(node)
            continue
        known.since, known.worst = min(known.since, node.since), max(known.worst, node.worst)
        known.first_dead_at = min(filter(None, (_first_dead(known), _first_dead(node))), default=0.0)
        known.dead_at = known.dead_at or node.dead_at
        known.wholly |= node.wholly
        known.well_at = max(known.well_at, node.well_at) if known.well_at else 0.0
    # Copies: a line that stood in both would be moved twice when the clock is set.
    told = [replace(line, replicas=list(line.replicas)) for line in source.timeline]
    into.timeline = sorted([*into.timeline, *told], key=lambda line: line.at)
    audience.merged(state, into.id, audience.count_notes(source))
    log(into, event, "merged", str(source.id))
    return log(source, event, "merged", str(into.id))


def explained(world: World, event: events.PostmortemWritten) -> bool:
    """Keep the post-mortem of an incident."""
    incident = world.state.incident(event.incident)
    if incident is None:
        return False
    incident.record.postmortem, incident.record.postmortem_by = event.text, event.by
    return log(incident, event, "postmortem")


def _over(state: State, number: int) -> Incident | None:
    incident = state.incident(number)
    return incident if incident is not None and incident.closed_at and incident.id not in state.open else None


def _span(node: AffectedNode) -> tuple[float, float] | None:
    """When the node was down in this incident; None when it was only slow."""
    return (_first_dead(node), node.well_at) if node.worst is Health.DEAD and _first_dead(node) else None


def _first_dead(node: AffectedNode) -> float:
    """When it first became dead in this incident; 0: it did not."""
    return node.first_dead_at or node.dead_at
