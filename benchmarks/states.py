"""States of any size with a full history, for measures: three replicas are a node, fifty nodes a service."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from crisp_status.core.incident_records import TimelineKind
from crisp_status.core.latency import LONG_SECONDS, LONG_SLOTS, SHORT_SECONDS, SHORT_SLOTS
from crisp_status.core.model import (
    AffectedNode,
    FailedLook,
    Health,
    Incident,
    Ledger,
    Node,
    Period,
    Reason,
    Replica,
    Service,
    State,
    Tally,
    TimelineEntry,
)
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.uptime import day_end, day_of, hour_end
from crisp_status.core.verdict import ReasonCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Where = Callable[[str, int], str]
    """Address of a replica by node key and number."""

NOW = 1_795_000_000.0
"""A fixed present, so that two runs measure the same bytes."""

DAY = 86_400.0
DAYS = 90
UNWELL = 0.1
"""Share of the nodes that was not healthy all the time, of each day and hour."""

REPLICAS_A_NODE = 3
NODES_A_SERVICE = 50


def example(node: str, number: int) -> str:
    """The address of a replica that nobody looks at."""
    return f"https://{node.replace('/', '.')}.replica-{number}.example/"


def big_state(replicas: int, where: Where = example, now: float = NOW, days: int = DAYS) -> State:
    """A state of so many replicas, all healthy, as a daemon that has run for so many days leaves it."""
    return _Maker(replicas, where, now, days).state()


def save(folder: Path, replicas: int, where: Where, now: float) -> None:
    """Put that state into a folder, as a daemon that was stopped at `now` leaves it."""
    from crisp_status.store.state_folder import StateFolder

    store = StateFolder(folder)
    store.open()
    store.begin_snapshot().write(store.encode(big_state(replicas, where, now)))
    store.close()


class _Maker:
    def __init__(self, replicas: int, where: Where, now: float, days: int) -> None:
        self.dice = random.Random(1)
        self.days = days
        self.replicas, self.where, self.now = replicas, where, now
        self.keys = [
            f"service-{n // NODES_A_SERVICE}/node-{n % NODES_A_SERVICE}" for n in range(-(-replicas // REPLICAS_A_NODE))
        ]

    def state(self) -> State:
        now = self.now
        nodes = {key: self.node(key, place) for place, key in enumerate(self.keys)}
        services: dict[str, Service] = {}
        for key in self.keys:
            name = key.partition("/")[0]
            service = services.get(name)
            if service is None:
                service = services[name] = Service(name, self.ledger(17.25), Health.HEALTHY, now - DAY)
            service.counts[Health.HEALTHY] += 1
        return (
            State(
                plan=_plan(nodes),
                at=now,
                alive_at=now,
                health=Health.HEALTHY,
                since=now - DAY,
                counts=[0, len(services), 0, 0, 0],
                ledger=self.ledger(17.25),
                services=services,
                nodes=nodes,
                day_ends_at=day_end(now, "UTC"),
                hour_ends_at=hour_end(now),
                days=[self.day(now - n * DAY) for n in range(self.days, 0, -1)],
                closed=[self.incident(n) for n in range(min(500, len(self.keys)))],
                next_incident=501,
            )
            if nodes
            else State()
        )

    def ledger(self, ago: float) -> Ledger:
        return Ledger(self.now - DAYS * DAY, self.now - ago, Tally(self.dice.random() * DAY / 2))

    def node(self, key: str, place: int) -> Node:
        now, dice = self.now, self.dice
        node = Node(key, self.ledger(dice.random() * 600), Health.HEALTHY, now - dice.random() * DAY)
        count = min(REPLICAS_A_NODE, self.replicas - place * REPLICAS_A_NODE)
        node.counts = [0, count, 0, 0]
        node.short_slot, node.long_slot = int(now // SHORT_SECONDS) - 1, int(now // LONG_SECONDS) - 1
        for number in range(1, count + 1):
            name = self.where(key, number)
            replica = Replica(name, number, Health.HEALTHY, now - dice.random() * DAY)
            replica.seen_at = now - dice.random() * 120
            replica.latency_ms = dice.randrange(5, 400)
            replica.short, replica.long = dice.randbytes(2 * SHORT_SLOTS), dice.randbytes(2 * LONG_SLOTS)
            replica.samples_long = bytes(range(30, 66))
            if dice.random() < 0.1:
                replica.flips = [now - dice.random() * 3600 for _ in range(3)]
                replica.failures = [
                    FailedLook(now - n * 7200.5, "no answer within 10 s from 10.1.2.3:443") for n in range(5)
                ]
            node.replicas[name] = replica
        node.next_number = count + 1
        return node

    def day(self, at: float) -> Period:
        others: dict[str, Tally | None] = {}
        for name in self.dice.sample(self.keys, max(1, int(len(self.keys) * UNWELL))):
            dead = self.dice.random() * 600
            others[name] = Tally(DAY - dead, 0.0, dead)
        return Period(day_of(at, "UTC"), day_end(at, "UTC"), Tally(DAY), others)

    def incident(self, number: int) -> Incident:
        node = self.keys[number]
        opened = self.now - (0.1 + self.dice.random()) * 80 * DAY
        incident = Incident(number + 1, opened, opened + 20.5, opened + 600.25, Health.DEAD)
        incident.nodes[node] = AffectedNode(opened, Health.DEAD, opened + 600.25)
        reason = Reason(ReasonCode.STATUS, "the server answers 503 Service Unavailable", "503")
        incident.timeline = [
            TimelineEntry(opened, TimelineKind.DEAD, node, [1, 2, 3], reason=reason),
            TimelineEntry(opened + 600.25, TimelineKind.HEALTHY, node, [1, 2, 3]),
        ]
        return incident


def _plan(nodes: dict[str, Node]) -> Plan:
    by_service: dict[str, list[NodePlan]] = {}
    for key, node in nodes.items():
        service, _, name = key.partition("/")
        replicas = tuple(ReplicaPlan(replica) for replica in node.replicas)
        by_service.setdefault(service, []).append(NodePlan(service, name, f"The {name}", "poll", replicas))
    return Plan(services=tuple(ServicePlan(key, f"The {key}", tuple(value)) for key, value in by_service.items()))
