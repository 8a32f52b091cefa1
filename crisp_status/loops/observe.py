"""Whose replicas the daemon polls, and what becomes of a look: an event for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core.events import LooksBegun, LooksEnded, NetworkBack, NetworkLost, Observed, Unknown
from crisp_status.core.model import Health
from crisp_status.look.once import Policy
from crisp_status.loops.poll import PollLoop, PollTarget

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from crisp_status.clock import Clock
    from crisp_status.config.plan import PlannedTarget
    from crisp_status.core.policy import NodePlan, Plan
    from crisp_status.engine import Engine
    from crisp_status.formats.exposition import Counters
    from crisp_status.look.result import Look
    from crisp_status.loops.poll import Key


class Poller:
    """The loop of modes poll and script. `configure` may be called again at any time."""

    def __init__(self, engine: Engine, clock: Clock, counters: Counters) -> None:
        """Look on behalf of `engine`."""
        self._engine = engine
        self._plans: dict[str, NodePlan] = {}
        self._here = ""
        self._good: dict[Key, int] = {}
        """Of dead replicas that must be well for a while: how many looks in a row they answered."""
        self._targets: Mapping[Key, PlannedTarget] = {}
        self._loop = PollLoop(self, clock, counters)

    def configure(self, plan: Plan, targets: Mapping[Key, PlannedTarget], witnesses: Sequence[str]) -> None:
        """Look at `targets` from now on."""
        self._here = plan.here.id
        looked_at = [n for s in plan.services for n in s.nodes if not n.places or self._here in n.places]
        self._good.clear()
        self._plans = {n.key: n for n in looked_at if n.mode in {"poll", "script"}}
        self._targets = {key: target for key, target in targets.items() if key[0] in self._plans}
        self._loop.configure(self._targets, witnesses)

    def look_now(self, keys: Collection[Key]) -> None:
        """Look at these replicas at once; at all when none is named."""
        self._loop.look_now(keys)

    async def run(self) -> None:
        """Look until cancelled; then those in flight have `FINISH_SECONDS`."""
        await self._loop.run()

    def target(self, key: Key) -> PollTarget:
        """See `PollReceiver`."""
        node, planned = self._plans[key[0]], self._targets[key]
        policy = Policy(node.retry, node.retry_wait, node.delay_dead, node.delay_sick, node.expect_dead).limited(
            planned.limits
        )
        return PollTarget(
            planned.kind,
            planned.url,
            planned.options,
            planned.limits.get("interval", node.interval),
            policy,
            node.depends_on,
        )

    def is_dead(self, key: Key) -> bool:
        """See `PollReceiver`."""
        node = self._engine.peek().nodes.get(key[0])
        replica = node.replicas.get(key[1]) if node is not None else None
        if replica is not None and replica.votes is not None:  # what other places see is no news of our own look
            vote = replica.votes.get(self._here)
            return vote is not None and vote.health is Health.DEAD
        return replica is not None and replica.health is Health.DEAD

    async def seen(self, key: Key, found: Look) -> None:
        """See `PollReceiver`."""
        if found.health is None:
            await self._engine.submit(Unknown(node=key[0], replica=key[1], text=found.reason.text))
            return
        if not self._confirmed(key, found.health):
            return
        await self._engine.submit(
            Observed(
                node=key[0],
                replica=key[1],
                health=found.health,
                since=found.since,
                reason=found.reason,
                latency_ms=found.latency_ms,
            )
        )

    def _confirmed(self, key: Key, health: Health) -> bool:
        """Whether the look is news: a dead replica must answer `recover_after` times in a row before it is well."""
        wanted = self._plans[key[0]].recover_after if key[0] in self._plans else 1
        if wanted == 1 or health is Health.DEAD or not self.is_dead(key):
            self._good.pop(key, None)
            return True
        good = self._good[key] = self._good.get(key, 0) + 1
        if good < wanted:
            return False
        del self._good[key]
        return True

    async def looks_begun(self, key: Key, until: float) -> None:
        """See `PollReceiver`."""
        await self._engine.submit(LooksBegun(node=key[0], replica=key[1], until=until))

    async def looks_ended(self, key: Key) -> None:
        """See `PollReceiver`."""
        await self._engine.submit(LooksEnded(node=key[0], replica=key[1]))

    async def network_lost(self) -> None:
        """See `PollReceiver`."""
        await self._engine.submit(NetworkLost())

    async def network_back(self) -> None:
        """See `PollReceiver`."""
        await self._engine.submit(NetworkBack())
