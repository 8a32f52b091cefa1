"""What a wall clock that was set, or a machine that slept, does to the state.

Laws
- The gap is nobody's time: it is tallied nowhere, and nobody was silent in it (absence).
- Waits go on from where they were: nothing that was due comes earlier or later.
- After a step back nothing that still goes on lies in the future: it moves with the clock. What is over stays as written,
  and days of that future are dropped when the clock has lived through them again (uptime).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from crisp_status.core import absence, broadcasts, bulletins, places, uptime

if TYPE_CHECKING:
    from crisp_status.core.events import ClockJumped
    from crisp_status.core.model import Incident, Node, State, Tally
    from crisp_status.core.world import World


def clock_jumped(world: World, event: ClockJumped) -> bool:
    """Follow the clock. `event.before` is where it would stand without the jump."""
    state, delta = world.state, event.at - event.before
    uptime.accrue_all(state, event.before)
    uptime.anchor_all(state, event.at)
    for incident in state.open.values():
        incident.settle_at = _moved(incident.settle_at, delta)
        incident.remind_at = _moved(incident.remind_at, delta)
    state.hooked.settle_at = _moved(state.hooked.settle_at, delta)
    for message in state.outbox.values():
        message.due_at += delta
    bulletins.move(state, delta)
    for silence in state.silences.values():
        silence.until = _moved(silence.until, delta)
    if delta < 0:
        for node in state.nodes.values():
            for replica in node.replicas.values():
                replica.seen_at = _moved(replica.seen_at, delta) if replica.interval else replica.seen_at
        _back(state, event.at, delta)
        places.move_back(state, delta)
    else:
        places.pass_over(world, event.before, event.at, event.at)
        absence.pass_over(world, event.before, event.at, event.missed, event.at)
        broadcasts.missed(world, absence.told_of(world, event.missed), event.at)
    world.derive()
    return True


def _back(state: State, at: float, delta: float) -> None:
    state.at = at
    zone = state.plan.timezone
    state.day_ends_at, state.hour_ends_at = uptime.day_end(at, zone), uptime.hour_end(at)
    state.since = _moved(state.since, delta)
    state.dead_since = _moved(state.dead_since, delta)
    state.offline_since = _moved(state.offline_since, delta)
    _bear_again(state, at)
    for service in state.services.values():
        service.since = _moved(service.since, delta)
    for node in state.nodes.values():
        _move_node(node, delta)
    for incident in state.open.values():
        _move_incident(incident, delta)
    for message in state.outbox.values():
        message.created_at += delta


def _bear_again(state: State, at: float) -> None:
    """What was born after `at` is born now; it has no part in days that are over and will be lived through again."""
    late = {key: ledger for key, ledger in state.all_ledgers() if ledger.born > at}
    for ledger in late.values():
        ledger.born = at
    absent: dict[str, Tally | None] = dict.fromkeys(late)
    for index, day in enumerate(state.days):
        if day.ends_at > at and absent:
            state.days[index] = msgspec.structs.replace(day, others=absent | day.others)


def _move_node(node: Node, delta: float) -> None:
    node.since = _moved(node.since, delta)
    node.work_ended_at = _moved(node.work_ended_at, delta)
    for replica in node.replicas.values():
        replica.since = _moved(replica.since, delta)
        replica.flips = [flip + delta for flip in replica.flips]


def _move_incident(incident: Incident, delta: float) -> None:
    incident.opened_at += delta
    incident.seen_at += delta
    incident.closed_at = _moved(incident.closed_at, delta)
    incident.grew_at += delta
    incident.settled_at = _moved(incident.settled_at, delta)
    incident.alerted_at = _moved(incident.alerted_at, delta)
    incident.acknowledged_at = _moved(incident.acknowledged_at, delta)
    for affected in incident.nodes.values():
        affected.since += delta
        affected.began_at = _moved(affected.began_at, delta)
        affected.well_at = _moved(affected.well_at, delta)
        affected.dead_at = _moved(affected.dead_at, delta)
        affected.first_dead_at = _moved(affected.first_dead_at, delta)
    for entry in incident.timeline:
        entry.at += delta
    for line in incident.record.log:
        line.at += delta


def _moved(at: float, delta: float) -> float:
    """A time that may be 0 for none."""
    return at + delta if at else 0.0
