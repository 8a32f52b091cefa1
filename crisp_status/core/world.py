"""The state together with what is derived from it: look-ups and lazy deadlines that no snapshot needs."""

from __future__ import annotations

from typing import Final

from crisp_status.core.cron import next_run
from crisp_status.core.model import Node, Replica, State
from crisp_status.core.policy import NodePlan
from crisp_status.core.schedule import WakeTimes

EARLY: Final = 60.0
"""Seconds by which the clock of a job's machine may be ahead of ours."""


class World:
    """One state, the node plans by key, and who may fall silent when."""

    def __init__(self, state: State) -> None:
        """Derive everything from `state`."""
        self.state = state
        self.plans: dict[str, NodePlan] = {}
        self.silences: WakeTimes[tuple[str, str]] = WakeTimes()
        self.known_at = state.at
        """Until when volatile fields are known: of a world that was recovered, when its snapshot was made."""
        self.looking: dict[tuple[str, str], float] = {}
        """Volatile: replicas whose neighbours are being looked at, and until when at the latest."""
        self.looked = False
        """Volatile: some of these looks have ended since the last tick."""
        self.flapping: list[Node] = []
        """Nodes that began to flap in the event that is being stepped; empty between two events."""
        self.latency_slot = 0
        self.latency_nodes: list[str] = []
        """Volatile, both: the slot of response times that is open, and nodes of which one before it may be, too."""
        _share(state)
        self.derive()

    def derive(self) -> None:
        """Derive anew: after a start and after a change of plan."""
        self.plans = {n.key: n for s in self.state.plan.services for n in s.nodes}
        self.silences = WakeTimes()
        for key, plan in self.plans.items():
            node = self.state.nodes.get(key)
            if node is not None and plan.mode in {"push", "local"}:
                for replica in node.replicas.values():
                    self.watch(plan, replica)

    def watch(self, plan: NodePlan, replica: Replica) -> None:
        """Expect the next report of `replica`, if it ever reported."""
        if replica.interval:
            self.silences.watch((plan.key, replica.id), due(plan, replica))

    def nodes_of(self, name: str) -> list[Node]:
        """The node of that key, or the nodes of the service of that id."""
        node = self.state.nodes.get(name)
        if node is not None:
            return [node]
        return [n for n in self.state.nodes.values() if n.key.startswith(f"{name}/")]


def _share(state: State) -> None:
    """Let subscribers who chose the same share the words of it: a hundred bytes each, of a state that was read."""
    known: dict[str, str] = {}
    for one in state.subscribers.values():
        one.services = known.setdefault(one.services, one.services)
        one.language = known.setdefault(one.language, one.language)


def expected(plan: NodePlan, interval: float, seen_at: float) -> float:
    """When the report after the one at `seen_at` should come. One that was a little early counts for its time."""
    if not plan.schedule:
        return seen_at + interval
    return next_run(plan.schedule, plan.timezone, seen_at + min(EARLY, interval / 10))


def due(plan: NodePlan, replica: Replica) -> float:
    """When silence makes it dead: the time of its next report plus the grace of its mode (DESIGN section 6)."""
    grace = plan.silent_dead if plan.mode == "local" else plan.delay_dead
    return expected(plan, replica.interval, replica.seen_at) + grace
