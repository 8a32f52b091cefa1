"""A new plan comes into force: the tree follows it, and what stays keeps all it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import (
    absence,
    broadcasts,
    incidents,
    places,
    receivers,
    sessions,
    tree,
    undelivered,
    uptime,
    work,
)
from crisp_status.core.model import Health, TimelineKind
from crisp_status.core.operator_records import Announcement
from crisp_status.core.schedule import FIRST_SPREAD

if TYPE_CHECKING:
    from crisp_status.core.events import Planned
    from crisp_status.core.model import Incident, Node, State
    from crisp_status.core.policy import NodePlan, Plan
    from crisp_status.core.world import World

HEARTBEAT: str = "heartbeat"
"""Id of the one replica of a node that is reported by a URL alone."""


def apply(world: World, event: Planned) -> None:
    """Put `event.plan` into force. At a start (`fresh`) the time since `event.alive_at` was our absence."""
    state, at = world.state, event.at
    old = {n.key: n for s in state.plan.services for n in s.nodes}
    if event.fresh and event.alive_at:
        uptime.close_periods(state, event.alive_at)
        uptime.accrue_all(state, event.alive_at)
        uptime.anchor_all(state, at)
    _record_names(state)
    receivers.follow(state, event.plan)
    rezoned = state.plan.timezone != event.plan.timezone
    state.plan = event.plan
    if not state.ledger.born:
        state.ledger.born = state.ledger.since = state.since = at
    if rezoned:
        uptime.rezone(state, at)
    uptime.close_periods(state, at)
    _tree(state, old, at)
    if event.fresh:
        _wake(world, at)
        _pass_over_absence(world, event)
        _hold_claims(world, event)
    _announcements(state, event.plan, at)
    known = set(event.plan.operators)
    for gone in [s.id for s in state.subscriptions.values() if s.operator not in known]:
        del state.subscriptions[gone]
    sessions.follow_operators(state)
    undelivered.follow(state, at)
    world.derive()
    work.follow(state, at)
    work.apply(state, at)
    places.follow(world, at)
    if event.fresh and event.alive_at:
        places.pass_over(world, event.alive_at, at, at)


def forget(state: State, node: Node, replica_id: str, at: float) -> None:
    """Remove a replica from the tree and from its incident."""
    replica = node.replicas[replica_id]
    if replica.incident:
        incidents.recovered(state, node, replica, at, TimelineKind.REMOVED)
    tree.remove_replica(state, node, replica, at)
    incidents.shrank(state, node, replica, at)


def _record_names(state: State) -> None:
    """Write down what nodes of incidents are called before the plan is replaced; of the past only what is missing."""
    names = incidents.names(state.plan)
    for incident in state.open.values():
        incidents.record_names(incident, names)
    for incident in state.closed:
        if any(not affected.name for affected in incident.nodes.values()):
            incidents.record_names(incident, names)


def _tree(state: State, old: dict[str, NodePlan], at: float) -> None:
    new = {n.key: n for s in state.plan.services for n in s.nodes}
    for key, node in list(state.nodes.items()):
        if key not in new or (key in old and old[key].mode != new[key].mode):
            for replica_id in list(node.replicas):
                forget(state, node, replica_id, at)
            tree.remove_node(state, node, at)
    wanted = {s.id for s in state.plan.services}
    for service in [s for s in state.services.values() if s.id not in wanted]:
        tree.remove_service(state, service, at)
    for planned in state.plan.services:
        if planned.id not in state.services:
            tree.add_service(state, planned.id, at)
    for plan in new.values():
        node = state.nodes.get(plan.key) or tree.add_node(state, plan.key, at)
        _replicas(state, node, plan, at)
    state.services = {s.id: state.services[s.id] for s in state.plan.services}
    state.nodes = {key: state.nodes[key] for key in new}


def _replicas(state: State, node: Node, plan: NodePlan, at: float) -> None:
    """Configured replicas are numbered as written; those that reported themselves stay as they are."""
    ids = [r.id for r in plan.replicas]
    if plan.heartbeat:
        ids = [HEARTBEAT]
    if not ids:
        return
    if list(node.replicas) != ids:  # a restart finds thousands of nodes as they are
        wanted = set(ids)
        for gone in [i for i in node.replicas if i not in wanted]:
            forget(state, node, gone, at)
        for number, replica_id in enumerate(ids, start=1):
            if replica_id not in node.replicas:
                tree.add_replica(state, node, replica_id, at, number)
        node.replicas = {i: node.replicas[i] for i in ids}
    for number, replica in enumerate(node.replicas.values(), start=1):
        replica.number = number


def _wake(world: World, at: float) -> None:
    """We were away: what we could not look at is looked at again, and our network is taken to work until it does not."""
    state = world.state
    state.offline_since = 0.0
    for node in state.nodes.values():
        for replica in node.replicas.values():
            if replica.unknown and not replica.interval:  # one that reports is unknown until it does
                tree.set_unknown(state, node, replica, at, unknown=False)
            if replica.health is Health.PENDING:
                replica.since = at


def _pass_over_absence(world: World, event: Planned) -> None:
    """Nobody was silent while we were away, and whose report was due then is unknown. The plan may have changed."""
    if not event.alive_at:
        return
    world.derive()
    nodes = world.state.nodes
    there = [m for m in event.missed if m.node in nodes and m.replica in nodes[m.node].replicas]
    absence.pass_over(world, event.alive_at, event.at, there, event.at, event.known_at)
    broadcasts.missed(world, absence.told_of(world, there), event.at)


def _hold_claims(world: World, event: Planned) -> None:
    """After an absence that was longer than a look takes, nothing is claimed of an incident before there was one."""
    for incident in world.state.open.values():
        look = FIRST_SPREAD + _verdict(world, incident)
        if event.at - event.alive_at > look:
            incident.remind_at = max(incident.remind_at, event.at + look) if incident.remind_at else 0.0
            incident.settle_at = max(incident.settle_at, event.at + look) if incident.settle_at else 0.0


def _verdict(world: World, incident: Incident) -> float:
    """How long a look at what an incident affects may take."""
    plans = (world.plans[key] for key in incident.nodes if key in world.plans)
    return max((plan.verdict_seconds for plan in plans), default=0.0)


def _announcements(state: State, plan: Plan, at: float) -> None:
    for key in [a.id for a in state.announcements.values() if a.from_file]:
        if all(p.id != key for p in plan.announcements):
            del state.announcements[key]
    for p in plan.announcements:
        known = state.announcements.get(p.id)
        state.announcements[p.id] = Announcement(
            p.id,
            p.title,
            p.text,
            known.created_at if known else at,
            p.starts_at or (known.starts_at if known else at),
            p.expires_at,
            list(p.maintenance),
            p.rrule,
            from_file=True,
        )
