"""Operators' words. Each answers whether the state could take it.

The state keeps a copy of what it takes: the event may still wait to be written, and must say then what it said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crisp_status.core import incident_edits, incidents, outbox, work
from crisp_status.core.model import Message, MessageKind, TimelineEntry, TimelineKind

if TYPE_CHECKING:
    from crisp_status.core import events
    from crisp_status.core.model import State
    from crisp_status.core.world import World

ANNOUNCEMENTS_MAX: Final = 1000
"""More than anybody reads; keeps a runaway script from filling the state."""

SUBSCRIPTIONS_MAX: Final = 1000
"""Devices: some for each of hundreds of operators. Each is sent a message of its own."""
SILENCES_MAX: Final = 1000
"""Services and nodes at a time; whoever wants more quiet than that switches the notifiers off."""
REPEATING: Final = frozenset({"pushover"})
"""Kinds of channels that repeat an escalated reminder until somebody confirms it."""
NOTES_MAX: Final = 500
"""On one incident: one every quarter of an hour for five days."""


def announced(world: World, event: events.Announced) -> bool:
    """Post or replace an announcement; one that stands in the file cannot be replaced."""
    state, new = world.state, replace(event.announcement)
    known = state.announcements.get(new.id)
    if (known is not None and known.from_file) or (known is None and len(state.announcements) >= ANNOUNCEMENTS_MAX):
        return False
    new.created_at = known.created_at if known else event.at
    new.starts_at = new.starts_at or event.at
    state.announcements[new.id] = new
    _follow(world, event.at)
    return True


def withdrawn(world: World, event: events.Withdrawn) -> bool:
    """Take an announcement down; those in the file are taken out of the file."""
    known = world.state.announcements.get(event.id)
    if known is None or known.from_file:
        return False
    del world.state.announcements[event.id]
    _follow(world, event.at)
    return True


def silenced(world: World, event: events.Silenced) -> bool:
    """Hold reminders, or every notice of one service or node; a later word on the same scope replaces it."""
    state, new = world.state, replace(event.silence)
    if new.scope and new.scope not in state.nodes and new.scope not in state.services:
        return False
    if len(state.silences) >= SILENCES_MAX:
        return False
    for key in [s.id for s in state.silences.values() if s.scope == new.scope]:
        del state.silences[key]
    new.created_at = event.at
    state.silences[new.id] = new
    return True


def unsilenced(world: World, event: events.Unsilenced) -> bool:
    """Lift one silence, or all without a scope."""
    silences = world.state.silences
    ids = [event.id] if event.id in silences else [s.id for s in silences.values() if not event.id and not s.scope]
    for key in ids:
        del silences[key]
    return bool(ids) or not event.id


def acknowledged(world: World, event: events.Acknowledged) -> bool:
    """No more reminders of what is bad in this incident now."""
    incident = world.state.open.get(event.incident)
    if incident is None or incident.closed_at:
        return False
    for key, affected in incident.nodes.items():
        if affected.bad:
            affected.acknowledged = max(affected.acknowledged, world.state.nodes[key].level)
    if not incident.acknowledged_at:
        incident.acknowledged_at, incident.acknowledged_by = event.at, event.by
        incidents.note(incident, TimelineEntry(event.at, TimelineKind.ACKNOWLEDGED))
        incident_edits.log(incident, event, "acknowledged")
        _end_emergencies(world.state, incident.id, event.at)
    return True


def _end_emergencies(state: State, incident: int, at: float) -> None:
    """Owe it to channels that repeat escalated reminders by themselves that they stop."""
    if not state.plan.notify.reminder_escalate:
        return
    for notifier in state.plan.notifiers:
        if notifier.kind in REPEATING and notifier.enabled:
            number = outbox.new_id(state, incident, notifier.id)
            outbox.put(state, Message(number, notifier.id, MessageKind.ACKNOWLEDGED, at, at, incident=incident))


def noted(world: World, event: events.Noted) -> bool:
    """Write an update of an incident, open or closed; an internal one stays with the team."""
    incident = world.state.incident(event.incident)
    if incident is None or sum(e.what is TimelineKind.NOTE for e in incident.timeline) >= NOTES_MAX:
        return False
    if event.internal:
        return incident_edits.log(incident, event, "note", event.text)
    incidents.note(
        incident, TimelineEntry(event.at, TimelineKind.NOTE, text=event.text, phase=event.phase, by=event.by)
    )
    incident_edits.log(incident, event, "update", event.phase)
    if event.phase == "resolved" and incident.record.manual and not incident.closed_at:
        incident_edits.close(world.state, incident, event.at)
    return True


def subscribed(world: World, event: events.Subscribed) -> bool:
    """Remember a device; the same endpoint replaces its older subscription."""
    state, new = world.state, replace(event.subscription)
    if new.operator not in state.plan.operators or len(state.subscriptions) >= SUBSCRIPTIONS_MAX:
        return False
    for key in [s.id for s in state.subscriptions.values() if s.endpoint == new.endpoint]:
        del state.subscriptions[key]
    new.created_at = event.at
    state.subscriptions[new.id] = new
    return True


def unsubscribed(world: World, event: events.Unsubscribed) -> bool:
    """Forget a device, and what it is owed."""
    if world.state.subscriptions.pop(event.id, None) is None:
        return False
    outbox.forget_target(world.state, event.id, event.at)
    return True


def _follow(world: World, at: float) -> None:
    work.follow(world.state, at)
    work.apply(world.state, at)
