"""What one event costs: a look that changed nothing, and one that did, by size of the state.

The engine works with its journal on a real disk. Events come as they come from looks, a thousand at a time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from benchmarks import harness
from benchmarks.states import big_state
from crisp_status.core.verdict import ReasonCode

if TYPE_CHECKING:
    from benchmarks.harness import Row, Settings

SIZES = (100, 10_000, 100_000)
GROWTH_MOST = 1.5
"""A cost must not grow with the number of replicas; caches of the processor alone explain this much."""

AT_ONCE = 1000
ILL_MOST = 20
"""So many are ill at a time, whatever the size."""


def run(replicas: int, seconds: float, share: float) -> dict[str, float]:
    """Events a second and CPU time for one, of which that share changes a health."""
    from crisp_status import log
    from crisp_status.clock import SystemClock
    from crisp_status.core.events import Observed
    from crisp_status.core.model import FINE, Health, Reason
    from crisp_status.core.world import World
    from crisp_status.engine import Engine
    from crisp_status.store.file_store import FileStore

    log.configure(level="error")
    clock = SystemClock()
    reason = Reason(ReasonCode.STATUS, "the server answers 503 Service Unavailable", "503")

    async def main() -> dict[str, float]:
        with harness.folder() as folder:
            store = FileStore(folder / "state")
            await store.open()
            world = World(big_state(replicas, now=clock.now()))
            engine = Engine(world, store, clock)
            task = asyncio.create_task(engine.run())
            names = [(key, r) for key, node in world.state.nodes.items() for r in node.replicas]
            ill: dict[int, None] = {}
            count = place = 0
            every = int(1 / share) if share else 0

            async def some() -> None:
                nonlocal count, place
                for _ in range(AT_ONCE):
                    place = (place + 1) % len(names)
                    count += 1
                    seen, bad = place, place in ill
                    if every and count % every == 0:
                        bad = not bad and len(ill) < ILL_MOST
                        if bad:
                            ill[seen] = None
                        elif ill:
                            seen = next(iter(ill))
                            del ill[seen]
                    node, replica = names[seen]
                    health = Health.DEAD if bad else Health.HEALTHY
                    await engine.submit(
                        Observed(
                            node=node, replica=replica, health=health, since=clock.now(),
                            reason=reason if bad else FINE, latency_ms=12,
                        )
                    )  # fmt: skip
                while engine.waiting:  # noqa: ASYNC110 - what is measured is the engine, not a wait for it
                    await asyncio.sleep(0)
                await engine.read()

            for _ in range(3):
                await some()
            count = 0
            began, used = time.perf_counter(), time.process_time()
            while time.perf_counter() < began + seconds:
                await some()
            found = {
                "rate": count / (time.perf_counter() - began),
                "cpu_us": (time.process_time() - used) / count * 1e6,
            }
            await engine.stop()
            await task
            await store.close()
            return found

    return harness.run(main())


def measure(settings: Settings) -> list[Row]:
    """Each size against the smallest, in alternation."""
    rows: list[Row] = []
    for what, share in (("event, nothing changed", 0.0), ("event, one in a hundred changes a health", 0.01)):
        found = harness.alternate(
            settings.rounds,
            {
                str(size): lambda size=size, share=share: harness.Sample(
                    **harness.in_process("benchmarks.engine:run", replicas=size, seconds=settings.seconds, share=share)
                )
                for size in SIZES
            },
        )
        base = found[str(SIZES[0])]
        rows.append(harness.Row(f"{what}, {SIZES[0]} replicas", harness.median(base, "cpu_us"), "µs CPU",
                                note=f"{harness.median(base, 'rate'):,.0f}/s"))  # fmt: skip
        for size in SIZES[1:]:
            these = found[str(size)]
            row = harness.costed(f"{what}, {size:,} replicas", these, base, f"{SIZES[0]} replicas", GROWTH_MOST)
            row.note = f"{harness.median(these, 'rate'):,.0f}/s"
            rows.append(row)
    return rows
