"""States of any size with a full history, for measures: every third replica closes a node, ten nodes make a service."""

from __future__ import annotations

import random

from crisp_status.core.model import (
    Entry,
    Failure,
    Health,
    Hurt,
    Incident,
    Ledger,
    Node,
    Period,
    Reason,
    Replica,
    Service,
    State,
    Tally,
)
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan

NOW = 1_795_000_000.0
"""A fixed present, so that two runs measure the same bytes."""

DAY = 86_400.0
REPLICAS_A_NODE = 3
NODES_A_SERVICE = 10


def big_state(replicas: int, *, days: int = 90, exceptions: float = 0.1, seed: int = 1) -> State:
    """A state of so many replicas; each day and hour a share `exceptions` of the nodes was not healthy all the time."""
    dice = random.Random(seed)
    keys = [
        f"service-{n // NODES_A_SERVICE}/node-{n % NODES_A_SERVICE}" for n in range(-(-replicas // REPLICAS_A_NODE))
    ]
    nodes = {key: _node(key, dice) for key in keys}
    names = sorted({key.partition("/")[0] for key in keys})
    services = {name: Service(name, Ledger(NOW - days * DAY, NOW - 17.25), Health.HEALTHY, NOW - DAY) for name in names}
    unwell = max(1, int(len(keys) * exceptions))
    return State(
        plan=_plan(nodes),
        at=NOW,
        alive_at=NOW,
        health=Health.HEALTHY,
        since=NOW - DAY,
        ledger=Ledger(NOW - days * DAY, NOW - 17.25),
        services=services,
        nodes=nodes,
        days=[_period(f"day-{d:03}", NOW - (days - d) * DAY, DAY, keys, unwell, dice) for d in range(days)],
        hours=[_period(f"hour-{h:03}", NOW - (48 - h) * 3600.0, 3600.0, keys, unwell, dice) for h in range(48)],
        closed=[_incident(n, keys, dice) for n in range(min(500, len(keys)))],
        next_incident=501,
    )


def _plan(nodes: dict[str, Node]) -> Plan:
    by_service: dict[str, list[NodePlan]] = {}
    for key, node in nodes.items():
        service, _, name = key.partition("/")
        replicas = tuple(ReplicaPlan(replica) for replica in node.replicas)
        by_service.setdefault(service, []).append(NodePlan(service, name, f"The {name}", "poll", replicas))
    return Plan(services=tuple(ServicePlan(key, f"The {key}", tuple(value)) for key, value in by_service.items()))


def _node(key: str, dice: random.Random) -> Node:
    node = Node(key, Ledger(NOW - 90 * DAY, NOW - dice.random() * 1000, Tally(dice.random() * DAY), Tally(1800.5)))
    node.health = Health.HEALTHY
    node.since = NOW - dice.random() * DAY
    node.counts = [0, REPLICAS_A_NODE, 0, 0]
    node.latency = bytearray(dice.randbytes(len(node.latency)))
    for number in range(1, REPLICAS_A_NODE + 1):
        name = f"https://{key.replace('/', '.')}.replica-{number}.example/"
        replica = Replica(name, number, Health.HEALTHY, NOW - dice.random() * DAY)
        replica.seen_at = NOW - dice.random() * 120
        replica.latency_ms = dice.randrange(5, 400)
        if dice.random() < 0.1:
            replica.flips = [NOW - dice.random() * 3600 for _ in range(3)]
            replica.failures = [Failure(NOW - n * 7200.5, "no answer within 10 s from 10.1.2.3:443") for n in range(5)]
        node.replicas[name] = replica
    node.next_number = REPLICAS_A_NODE + 1
    return node


def _period(key: str, ends_at: float, seconds: float, keys: list[str], unwell: int, dice: random.Random) -> Period:
    others: dict[str, Tally | None] = {}
    for name in dice.sample(keys, unwell):
        dead = dice.random() * 600
        others[name] = Tally(seconds - dead, 0.0, dead)
    return Period(key, ends_at, Tally(seconds), others)


def _incident(number: int, keys: list[str], dice: random.Random) -> Incident:
    node = keys[number]
    opened = NOW - dice.random() * 90 * DAY
    incident = Incident(number + 1, opened, opened + 20.5, opened + 600.25, Health.DEAD)
    incident.nodes[node] = Hurt(opened, Health.DEAD, opened + 600.25)
    reason = Reason("status", "the server answers 503 Service Unavailable", "503")
    incident.timeline = [
        Entry(opened, "dead", node, [1, 2, 3], reason=reason),
        Entry(opened + 600.25, "healthy", node, [1, 2, 3]),
    ]
    return incident
