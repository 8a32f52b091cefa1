"""The page never says more than was seen: what came in is noted beside the core, in the plainest way, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import events
from crisp_status.core.model import Health, Tally
from tests.simulation.laws import LawBroken

if TYPE_CHECKING:
    from collections import Counter

    from crisp_status.core.model import State
    from tests.simulation.machine import Machine

OURS = (events.Unknown, events.NetworkLost, events.NetworkBack)
"""Failures of ours and their end: they say nothing about anybody's health."""

SILENT = {"silent", "agent_silent"}

JUMPS = ("clock jumps", "clock set back while away")

JUMP_SLACK = 2.0
"""Seconds that a clock may be set by unnoticed (`engine.JUMP_SECONDS`)."""

Key = tuple[str, str]


class Eyes:
    """One life."""

    def __init__(self, machine: Machine, counts: Counter[str]) -> None:
        self.machine = machine
        self.counts = counts
        self.seen: dict[Key, set[Health]] = {}
        """What was ever seen of each replica."""
        self.dead_from: dict[Key, set[str]] = {}
        """Places that ever called it dead."""
        self.quorums: dict[str, int] = {}
        """By node, the least that was ever needed; one that is seen from here alone needs one."""
        self.silent: set[str] = set()
        """Nodes of which something once fell silent."""
        machine.on_step = self._stepped
        self.born = machine.clock.monotonic()
        self.jumped = self._jumps()

    def hear(self, event: events.Event) -> None:
        """It is handed in."""
        if isinstance(event, events.Observed):
            self._see(event.node, event.replica, event.health)
            self._vote(event.node, event.replica, event.health, self.machine.state.plan.here.id)
        elif isinstance(event, events.Voted) and event.health is not None:
            self._see(event.node, event.replica, event.health)
            self._vote(event.node, event.replica, event.health, event.place)
        elif isinstance(event, events.Reported):
            self._see(event.node, event.replica, event.health or Health.HEALTHY)
            if max(event.cpu, event.ram) > 0.5:
                self._see(event.node, event.replica, Health.SICK)

    def _stepped(self, event: events.Event) -> None:
        """What fell silent may be forgotten in the same step, and is then nowhere to be seen."""
        if isinstance(event, events.Ticked):
            self.silent |= {one.node for one in event.silent}

    def _vote(self, node: str, replica: str, health: Health, place: str) -> None:
        if health is Health.DEAD:
            self.dead_from.setdefault((node, replica), set()).add(place)

    def _judge_quorums(self, state: State) -> None:
        """Dead is only what so many places called dead: the least that its quorum ever was."""
        for plan in (node for service in state.plan.services for node in service.nodes):
            least = self.quorums[plan.key] = min(plan.quorum, self.quorums.get(plan.key, plan.quorum))
            for replica in state.nodes[plan.key].replicas.values():
                by = self.dead_from.get((plan.key, replica.id), set())
                if plan.places and replica.health is Health.DEAD and plan.key not in self.silent and len(by) < least:
                    raise LawBroken(f"{plan.key} {replica.id} is dead; of a quorum of {least} only {by} said so")

    def _see(self, node: str, replica: str, health: Health) -> None:
        self.seen.setdefault((node, replica), set()).add(health)

    def healths(self) -> dict[Key, Health]:
        """What the page says of each replica."""
        nodes = self.machine.state.nodes
        return {(key, r.id): r.health for key, node in nodes.items() for r in node.replicas.values()}

    def judge(self) -> None:
        """Grey is what was never seen, red what was seen dead or fell silent; no second counts that did not pass."""
        state = self.machine.state
        self._judge_quorums(state)
        for key, node in state.nodes.items():
            if any(r.reason.code in SILENT for r in node.replicas.values()):
                self.silent.add(key)
            for replica in node.replicas.values():
                seen = self.seen.get((key, replica.id), set())
                if replica.health is not Health.PENDING and replica.health not in seen and key not in self.silent:
                    raise LawBroken(f"{key} {replica.id} is {replica.health.word}, and {seen or 'nothing'} was seen")
            if node.ledger.day.dead and key not in self.silent and not self._ever_dead(key):
                raise LawBroken(f"{key} has an outage of {node.ledger.day.dead} s that nobody saw")
        self._judge_time(state)

    def _ever_dead(self, key: str) -> bool:
        return any(Health.DEAD in seen for (node, _), seen in self.seen.items() if node == key)

    def _judge_time(self, state: State) -> None:
        # Days that another program remembered have nothing usual, and are not of this life.
        days = [period.others.get("", period.usual) for period in state.days if period.usual != Tally()]
        tallies = [state.ledger.day, *(day for day in days if day is not None)]
        counted = sum(t.healthy + t.sick + t.dead + t.maintenance for t in tallies)
        passed = self.machine.clock.monotonic() - self.born
        slack = JUMP_SLACK * (1 + self._jumps() - self.jumped) + len(tallies)
        if counted > passed + slack:
            raise LawBroken(f"{counted:.1f} s are counted of the {passed:.1f} s that passed")

    def _jumps(self) -> int:
        return sum(self.counts[name] for name in JUMPS)
