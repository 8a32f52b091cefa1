"""Whole cycles: 10,000 replicas every two minutes, of which none, a tenth or half swallow connections.

The daemon runs in a process of its own on the first core, with a meter beside its loop; the targets on the last.
"""

from __future__ import annotations

import asyncio
import math
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import configs, harness
from benchmarks.targets import answering, swallowing

if TYPE_CHECKING:
    from benchmarks.harness import Row, Settings

LATE_MOST, STALL_MOST_MS, CPU_MOST, MEMORY_MOST_MB, DEAD_MOST = 1.0, 100.0, 15.0, 250.0, 35.0
"""SPEED section 2 and issue 2, for 10 % swallowed: seconds, milliseconds, % of a core, MB, seconds."""

METER_SECONDS = 0.005
SETTLE_SECONDS = 45.0
"""From the start until the first looks are over, the swallowed ones included."""


class Meter:
    """Wakes often and notes how late it was, on the clock and in CPU time of this thread."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wall, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(METER_SECONDS)
            self.wall = max(self.wall, time.perf_counter() - wall - METER_SECONDS)
            self.cpu = max(self.cpu, time.thread_time() - cpu)


def watch(config: str, interval: float, settle: float) -> dict[str, Any]:
    """Run the daemon for one settling time and one whole interval, in this process."""
    from crisp_status import kinds, log
    from crisp_status.app import App
    from crisp_status.cli import _garbage
    from crisp_status.config.load import load
    from crisp_status.core.model import Health

    log.configure(level="error")

    async def main() -> dict[str, Any]:
        app = App(load(Path(config), kinds.rooms(), {}))
        await app.start()
        _garbage.keep()
        late: list[float] = []
        began: dict[Any, float] = {}
        over: dict[Any, float] = {}
        whole = asyncio.Event()
        to_dead: list[float] = []
        cycle = math.inf
        start, done, submit = app.poller._start, app.poller._done, app.engine.submit

        def noted(key: Any, seconds: float) -> None:
            late.append(seconds)
            if key not in app.poller._looking:
                began[key] = time.perf_counter()
            start(key, seconds)

        def ended(key: Any, task: asyncio.Task[None]) -> None:
            if began.get(key, 0.0) >= cycle:
                over.setdefault(key, time.perf_counter())
                if len(over) == len(app.poller._targets):
                    whole.set()
            done(key, task)

        async def judged(event: Any) -> None:
            if getattr(event, "health", None) is Health.DEAD:
                to_dead.append(time.perf_counter() - began[event.node, event.replica])
            await submit(event)

        app.poller._start, app.poller._done = noted, ended  # type: ignore[method-assign]
        app.engine.submit = judged  # type: ignore[method-assign]
        first = Meter()
        meter = asyncio.create_task(first.run())
        await asyncio.sleep(settle)
        meter.cancel()
        early = sorted(late)
        late.clear()
        steady = Meter()
        meter = asyncio.create_task(steady.run())
        cycle, cpu, looks = time.perf_counter(), time.process_time(), app.counters.looks
        await asyncio.sleep(interval)
        used = (time.process_time() - cpu) / (time.perf_counter() - cycle) * 100
        looks = app.counters.looks - looks
        meter.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(whole.wait(), SETTLE_SECONDS)
        dead = sum(r.health is Health.DEAD for n in app.engine.peek().nodes.values() for r in n.replicas.values())
        found = {
            "first_late_p99": _p99(early),
            "late_p99": _p99(sorted(late)),
            "late_max": max(late),
            "looks": looks,
            "duration": max(over.values(), default=math.nan) - cycle,
            "ended": len(over),
            "cpu": used,
            "stall_ms": steady.wall * 1000,
            "stall_cpu_ms": steady.cpu * 1000,
            "first_stall_ms": first.wall * 1000,
            "first_stall_cpu_ms": first.cpu * 1000,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
            "dead": dead,
            "dead_seconds": max(to_dead, default=0.0),
            "unknown": app.counters.looks_unknown,
        }
        await app.stop()
        return found

    return harness.run(main())


def _p99(ordered: list[float]) -> float:
    return ordered[int(len(ordered) * 0.99)] if ordered else 0.0


def measure(settings: Settings) -> list[Row]:
    """No, some and many replicas that swallow; then 100,000 that answer."""
    replicas, interval, settle = (2_000, 30.0, 40.0) if settings.quick else (10_000, 120.0, SETTLE_SECONDS)
    rows: list[Row] = []
    for swallowed in (0.1,) if settings.quick else (0.0, 0.1, 0.5):
        found = once(replicas, swallowed, interval, settle)
        rows += told(
            f"{replicas:,} replicas at {interval:g} s, {swallowed:.0%} swallowed", found, judged=swallowed <= 0.1
        )
    if not settings.quick:
        rows += many(100_000, interval)
    return rows


def once(replicas: int, swallowed: float, interval: float, settle: float) -> dict[str, Any]:
    """One daemon, start to stop."""
    with harness.folder() as folder, answering("http") as port, swallowing() as hole:
        config = configs.write(
            folder, replicas, configs.address(port, hole, swallowed), interval=interval, port=configs.free_port()
        )
        found: dict[str, Any] = harness.in_process(
            "benchmarks.cycle:watch", config=str(config), interval=interval, settle=settle
        )
    return found


def told(what: str, found: dict[str, Any], *, judged: bool) -> list[Row]:
    """The rows of one mix."""
    most = (lambda value: value) if judged else (lambda _: None)
    stall = f"{found['stall_cpu_ms']:.0f} ms of it our own CPU; while starting {found['first_stall_ms']:.0f} ms"
    lines = [
        harness.limited(
            f"{what}: duration", [found["duration"]], "s", note=f"until looks at {found['ended']:,} of them have ended"
        ),
        harness.limited(
            "  lateness p99", [found["late_p99"]], "s", most(LATE_MOST),
            f"longest {found['late_max']:.2f} s; first looks p99 {found['first_late_p99']:.2f} s",
        ),
        harness.limited("  longest stall of the loop", [found["stall_ms"]], "ms", most(STALL_MOST_MS), stall),
        harness.limited("  CPU", [found["cpu"]], "% of a core", most(CPU_MOST), f"{found['looks']:,} looks"),
        harness.limited("  memory, highest", [found["memory_mb"]], "MB", most(MEMORY_MOST_MB)),
    ]  # fmt: skip
    if found["dead"]:
        note = f"{found['dead']:,} dead, {found['unknown']} unknown"
        lines.append(harness.limited("  from look to dead", [found["dead_seconds"]], "s", most(DEAD_MOST), note))
    return lines


def many(replicas: int, interval: float) -> list[Row]:
    """What one core can watch: all answer, and each is looked at in each interval."""
    found = once(replicas, 0.0, interval, 2 * interval)
    share = found["looks"] / replicas
    row = harness.Row(
        f"{replicas:,} replicas at {interval:g} s: looks done of those due", share * 100, "%",
        target="≥ 99 %", reached=share >= 0.99,
        note=f"CPU {found['cpu']:.0f} %, lateness p99 {found['late_p99']:.2f} s, stall {found['stall_ms']:.0f} ms "
        f"({found['stall_cpu_ms']:.0f} ms CPU), {found['memory_mb']:.0f} MB",
    )  # fmt: skip
    return [row]
