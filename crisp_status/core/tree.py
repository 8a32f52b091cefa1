"""The tree of health: what a change of one replica does to its node, its service and the page.

Laws
- The time until a change is tallied for what was true before it; a bad change is back-dated to its first bad sight.
- A level above is touched only when the level below moves to another slot: the cost is that of the path, never the tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import uptime
from crisp_status.core.health import node_slot, service_slot, worst
from crisp_status.core.model import Health, Ledger, Node, Replica, Service

if TYPE_CHECKING:
    from crisp_status.core.model import State


def service_of(key: str) -> str:
    """The service part of `service/node`."""
    return key.partition("/")[0]


def set_health(state: State, node: Node, replica: Replica, health: Health, since: float) -> None:
    """Move `replica` to `health`, and everything above it that follows."""
    old, replica.health, replica.since = replica.health, health, since
    _touch(state, node, since)
    node.counts[old] -= 1
    node.counts[health] += 1
    _rise(state, node, since)


def set_unknown(state: State, node: Node, replica: Replica, at: float, *, unknown: bool) -> bool:
    """Note whether the last look failed by an error of ours; whether that is news."""
    if replica.unknown == unknown:
        return False
    _touch(state, node, at)
    replica.unknown = unknown
    node.unknowns += 1 if unknown else -1
    return True


def set_maintenance(state: State, node: Node, at: float, *, maintenance: bool) -> bool:
    """Begin or end announced work on a node; whether that is news."""
    if node.maintenance == maintenance:
        return False
    _touch(state, node, at)
    before = node_slot(node)
    node.maintenance = maintenance
    _move_node(state, node, before, at)
    return True


def add_replica(state: State, node: Node, replica_id: str, at: float, number: int = 0) -> Replica:
    """A pending replica of that id, at the lowest free number unless one is given."""
    if not number:
        taken = {r.number for r in node.replicas.values()}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
    replica = Replica(replica_id, number, since=at)
    _touch(state, node, at)
    node.replicas[replica_id] = replica
    node.counts[Health.PENDING] += 1
    _rise(state, node, at)
    return replica


def remove_replica(state: State, node: Node, replica: Replica, at: float) -> None:
    """Forget a replica."""
    _touch(state, node, at)
    del node.replicas[replica.id]
    node.counts[replica.health] -= 1
    node.unknowns -= replica.unknown
    _rise(state, node, at)


def add_service(state: State, service_id: str, at: float) -> Service:
    """A service without nodes."""
    service = Service(service_id, Ledger(at, at), since=at)
    state.services[service_id] = service
    _touch_page(state, at)
    state.counts[service_slot(service)] += 1
    _settle_page(state, at)
    return service


def remove_service(state: State, service: Service, at: float) -> None:
    """Forget a service whose nodes are gone."""
    _touch_page(state, at)
    state.counts[service_slot(service)] -= 1
    del state.services[service.id]
    _settle_page(state, at)


def add_node(state: State, key: str, at: float) -> Node:
    """A node without replicas, in a service that exists."""
    node = Node(key, Ledger(at, at), since=at)
    state.nodes[key] = node
    service = state.services[service_of(key)]
    _touch_parents(state, service, at)
    before = service_slot(service)
    service.counts[node_slot(node)] += 1
    _settle_service(state, service, before, at)
    return node


def remove_node(state: State, node: Node, at: float) -> None:
    """Forget a node."""
    service = state.services[service_of(node.key)]
    _touch_parents(state, service, at)
    before = service_slot(service)
    service.counts[node_slot(node)] -= 1
    del state.nodes[node.key]
    for listed in (state.unstable, state.unconfirmed):
        if node.key in listed:
            listed.remove(node.key)
    _settle_service(state, service, before, at)


def _touch(state: State, node: Node, at: float) -> None:
    uptime.accrue(node.ledger, at, uptime.node_counts_as(state, node))


def _touch_parents(state: State, service: Service, at: float) -> None:
    uptime.accrue(service.ledger, at, uptime.parent_counts_as(state, service))
    _touch_page(state, at)


def _touch_page(state: State, at: float) -> None:
    uptime.accrue(state.ledger, at, uptime.parent_counts_as(state, state))


def _rise(state: State, node: Node, at: float) -> None:
    health = worst(node.counts)
    if health is node.health:
        return
    before = node_slot(node)
    node.health, node.since = health, at
    _move_node(state, node, before, at)


def _move_node(state: State, node: Node, before: int, at: float) -> None:
    after = node_slot(node)
    if after == before:
        return
    service = state.services[service_of(node.key)]
    _touch_parents(state, service, at)
    slot = service_slot(service)
    service.counts[before] -= 1
    service.counts[after] += 1
    _settle_service(state, service, slot, at)


def _settle_service(state: State, service: Service, before: int, at: float) -> None:
    health = worst(service.counts)
    if health is not service.health:
        service.health, service.since = health, at
    after = service_slot(service)
    if after != before:
        state.counts[before] -= 1
        state.counts[after] += 1
        _settle_page(state, at)


def _settle_page(state: State, at: float) -> None:
    health = worst(state.counts)
    if health is state.health:
        return
    state.health, state.since = health, at
    state.dead_since = at if health is Health.DEAD else 0.0
