"""Look at every replica in its own time. Nobody waits for anybody; nothing here decides a health.

Laws
- A look starts at its planned time whatever the others do; never two at one replica at once.
- An error of ours, and a failure that our own network may be the reason of, is `Unknown`: it makes nobody dead.
- When a node dies that depends on another, the other is looked at right away, so that one message can name the cause.
"""

from __future__ import annotations

import asyncio
import contextlib
from itertools import islice
from typing import TYPE_CHECKING, Final

from crisp_status import kinds, log
from crisp_status.core.events import NetworkBack, NetworkLost, Observed, Unknown
from crisp_status.core.model import Health
from crisp_status.core.schedule import Schedule
from crisp_status.look.look import Look
from crisp_status.look.witness import Network, Witnesses, network, sure_look
from crisp_status.loops import finish

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from crisp_status.clock import Clock
    from crisp_status.config.plan import PlannedTarget
    from crisp_status.core.policy import NodePlan, Plan
    from crisp_status.engine import Engine
    from crisp_status.formats.exposition import Counters

Key = tuple[str, str]
"""Node key and replica id."""

DRAIN_SECONDS: Final = 0.02
"""The heap is drained this often: less would cost more than the lateness is worth."""

BURST: Final = 100
"""Looks begun without giving way: some 10 ms of work."""

JOINING: Final = 1000
"""Replicas taken into the schedule without giving way: some 3 ms. With 100,000 of them a start serves its page 0.3 s
sooner, and a reload holds up nobody."""

CALL_SECONDS: Final = 5.0
"""How often it is tried whether our own network is back."""


class Poller:
    """The loop of modes poll and script. `configure` may be called again at any time."""

    def __init__(self, engine: Engine, clock: Clock, counters: Counters) -> None:
        """Look on behalf of `engine`."""
        self._engine = engine
        self._clock = clock
        self._counters = counters
        self._schedule: Schedule[Key] = Schedule()
        self._plans: dict[str, NodePlan] = {}
        self._targets: Mapping[Key, PlannedTarget] = {}
        self._witnesses = Witnesses((), clock)
        self._joining: Iterator[Key] = iter(())
        self._looking: dict[Key, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._calling: asyncio.Task[None] | None = None

    def configure(self, plan: Plan, targets: Mapping[Key, PlannedTarget], witnesses: Sequence[str]) -> None:
        """Look at `targets` from now on; those that stay with the same interval keep their phase."""
        self._plans = {n.key: n for s in plan.services for n in s.nodes if n.mode in {"poll", "script"}}
        wanted = {key: target for key, target in targets.items() if key[0] in self._plans}
        for key in self._targets:
            if key not in wanted:
                self._schedule.remove(key)
        self._targets = wanted
        if witnesses != self._witnesses.urls:
            self._witnesses = Witnesses(witnesses, self._clock)
        self._joining = iter(wanted)
        self._wake.set()

    def look_now(self, keys: Collection[Key]) -> None:
        """Look at these replicas at once; at all when none is named. What is being looked at already is left alone."""
        now = asyncio.get_running_loop().time()
        for key in keys or self._targets:
            if key in self._targets and key not in self._looking:
                self._schedule.advance(key, now)
        self._wake.set()

    async def run(self) -> None:
        """Look until cancelled; then those in flight have `FINISH_SECONDS`."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                now = loop.time()
                joining = list(islice(self._joining, JOINING))
                for key in joining:
                    self._schedule.add(key, self._plans[key[0]].interval, now)
                for key, planned in self._schedule.pop_due(now, BURST):
                    self._start(key, now - planned)
                self._wake.clear()
                due = self._schedule.next_due()
                wait = 1.0 if due is None else min(1.0, max(DRAIN_SECONDS, due - loop.time()))
                if joining:
                    wait = 0.0
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
        finally:
            await finish(self._looking.values())

    def _start(self, key: Key, late: float) -> None:
        if key in self._looking:
            return
        late_ms = int(late * 1000)
        self._counters.late_ms_total += late_ms
        self._counters.late_ms_max = max(self._counters.late_ms_max, late_ms)
        task = asyncio.create_task(self._look(key))
        self._looking[key] = task
        self._counters.looks_running = len(self._looking)
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._looking.get(key) is task:
            del self._looking[key]
        self._counters.looks_running = len(self._looking)
        if not task.cancelled() and task.exception() is not None:
            log.get().error("a look broke; this is a bug, please report it", node=key[0], exc_info=task.exception())

    async def _look(self, key: Key) -> None:
        plan, target = self._plans[key[0]], self._targets[key]
        seen = await sure_look(
            kinds.probes()[target.kind],
            target.url,
            target.options,
            witnesses=self._witnesses,
            dead=self._is_dead(key),
            retry=plan.retry,
            retry_wait=plan.retry_wait,
            delay_dead=plan.delay_dead,
            delay_sick=plan.delay_sick,
            clock=self._clock,
        )
        self._counters.looks += 1
        if key in self._targets:
            await self._judge(key, plan, seen)

    def _is_dead(self, key: Key) -> bool:
        node = self._engine.peek().nodes.get(key[0])
        replica = node.replicas.get(key[1]) if node is not None else None
        return replica is not None and replica.health is Health.DEAD

    async def _judge(self, key: Key, plan: NodePlan, seen: Look) -> None:
        if seen.health is Health.DEAD:
            self._counters.looks_failed += 1
            for upstream in plan.depends_on:
                self._advance(upstream)
        if seen.cause == "witness":
            await self._network_lost()
        if seen.health is None:
            self._counters.looks_unknown += 1
            await self._engine.submit(Unknown(node=key[0], replica=key[1], text=seen.reason.text))
            return
        await self._engine.submit(
            Observed(
                node=key[0],
                replica=key[1],
                health=seen.health,
                since=seen.since,
                reason=seen.reason,
                latency_ms=seen.latency_ms,
            )
        )

    def _advance(self, name: str) -> None:
        """Look now at the node of that key, or at the nodes of the service of that id."""
        now = asyncio.get_running_loop().time()
        for key in self._targets:
            if key not in self._looking and (key[0] == name or key[0].startswith(f"{name}/")):
                self._schedule.advance(key, now)
        self._wake.set()

    async def _network_lost(self) -> None:
        """Hold everything until a witness answers again."""
        if self._calling is None or self._calling.done():
            log.get().warning("our own network is gone: every witness is silent; all health is held")
            await self._engine.submit(NetworkLost())
            self._calling = asyncio.create_task(self._call())

    async def _call(self) -> None:
        """Ask until a witness answers."""
        while True:
            await asyncio.sleep(CALL_SECONDS)
            if await network(self._witnesses.urls, self._clock) in {Network.WORKS, Network.UNSURE}:
                break
        log.get().info("our own network is back")
        await self._engine.submit(NetworkBack())
        for key in self._targets:
            if key not in self._looking:
                self._schedule.advance(key, asyncio.get_running_loop().time())
        self._wake.set()
