"""What remembering costs: snapshot bytes and pause, restart, journal; at 100, 10,000 and 100,000 replicas with 90 days
of history, in which each day a tenth of the nodes was not healthy all the time.

    python -m benchmarks.remembering [--sizes 100,10000] [--rounds 9] [--json FILE]

Each size runs in a process of its own, and each restart in another one, so that no memory is warm that would be cold.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import harness
from benchmarks.states import NOW, big_state
from crisp_status.core.events import Observed
from crisp_status.core.model import Health, Period, Reason, ReasonCode, Tally
from crisp_status.store.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness import Row, Settings

SIZES = (100, 10_000, 100_000)
PAUSE_MOST_MS = {10_000: 20.0, 100_000: 100.0}
"""SPEED section 4."""

EVENTS = 21_500
BATCH = 100

ROWS = (
    ("snapshot_mb", "snapshot, MB"),
    ("pause_ms", "pause of the loop for a snapshot, ms"),
    ("pause_worst_ms", "  the longest of all rounds, ms"),
    ("pause_new_day_ms", "  with a new day, ms"),
    ("plain_ms", "  msgspec on the whole state, for comparison, ms"),
    ("write_ms", "writing it beside the loop (fsync included), ms"),
    ("stall_ms", "  longest stall of the loop meanwhile, ms"),
    ("restart_ms", "restart: read, check and decode it, ms"),
    ("restart_mb", "  memory of that process, MB"),
    ("append_us", f"journal: an event in a batch of {BATCH}, µs"),
    ("append_one_us", "  an event alone, µs"),
    ("sync_ms", "  fsync of a batch, ms"),
    ("line_bytes", "  a line, bytes"),
    ("replay_us", f"  reading an event back ({EVENTS:,} lines), µs"),
)


def median_ms(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median and longest of so many rounds, in CPU time: nothing in it waits. Garbage is collected before."""
    took = []
    for _ in range(rounds):
        gc.collect()
        start = time.thread_time()
        work()
        took.append((time.thread_time() - start) * 1000)
    return statistics.median(took), max(took)


def figures(replicas: int, rounds: int, folder: Path) -> dict[str, float]:
    """All figures of one size."""
    state = big_state(replicas)
    gc.freeze()
    store = StateFolder(folder)
    store.open()
    out: dict[str, float] = {"replicas": replicas}
    out.update(journal(store, folder, rounds))

    store.begin_snapshot().write(store.encode(state))
    chunks = store.encode(state)
    out["snapshot_mb"] = sum(len(chunk) for chunk in chunks) / 1e6
    del chunks
    out["pause_ms"], out["pause_worst_ms"] = median_ms(lambda: store.encode(state), rounds)

    def new_day() -> object:
        state.days = [*state.days[1:], copy_of(state.days[0])]
        return store.encode(state)

    out["pause_new_day_ms"], _ = median_ms(new_day, rounds)
    encoder = msgspec.json.Encoder()
    out["plain_ms"], _ = median_ms(lambda: encoder.encode(state), rounds)
    writes = [asyncio.run(write(store, state)) for _ in range(min(rounds, 5))]
    out["write_ms"] = statistics.median(took for took, _ in writes)
    out["stall_ms"] = statistics.median(stall for _, stall in writes)
    store.close()
    restarts = [restart(folder) for _ in range(3)]
    out["restart_ms"] = statistics.median(ms for ms, _ in restarts)
    out["restart_mb"] = statistics.median(mb for _, mb in restarts)
    return out


def copy_of(period: Period) -> Period:
    """One that was never encoded."""
    return Period(period.key, period.ends_at, Tally(period.usual.healthy), dict(period.others))


async def write(store: StateFolder, state: Any) -> tuple[float, float]:
    """How long a snapshot takes in a thread, and the longest that the loop was late meanwhile; both ms."""
    snapshot = store.begin_snapshot()
    chunks = store.encode(state)
    start = time.perf_counter()
    task = asyncio.create_task(asyncio.to_thread(snapshot.write, chunks))
    stall = 0.0
    while not task.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        stall = max(stall, time.perf_counter() - before - 0.001)
    await task
    return (time.perf_counter() - start) * 1000, stall * 1000


def journal(store: StateFolder, folder: Path, rounds: int) -> dict[str, float]:
    """Cost of an event in the journal; it does not depend on the size of the state."""
    events = [
        Observed(
            at=NOW + n / 7,
            node=f"service-{n % 300}/node-{n % 10}",
            replica=f"https://service-{n % 300}.node-{n % 10}.replica-1.example/",
            health=Health.DEAD,
            since=NOW + n / 7 - 21.5,
            reason=Reason(ReasonCode.NO_ANSWER, "no answer within 10 s from 10.1.2.3:443", "10"),
        )
        for n in range(EVENTS)
    ]
    before = store.journal_bytes
    in_batch, alone, sync = [], [], []
    for start in range(0, EVENTS - BATCH, 2 * BATCH):
        batch, rest = events[start : start + BATCH], events[start + BATCH : start + 2 * BATCH]
        clock = time.perf_counter()
        store.append(batch)
        in_batch.append((time.perf_counter() - clock) / BATCH * 1e6)
        clock = time.perf_counter()
        for event in rest:
            store.append([event])
        alone.append((time.perf_counter() - clock) / len(rest) * 1e6)
        if start % (10 * BATCH) == 0:
            clock = time.perf_counter()
            store.sync()
            sync.append((time.perf_counter() - clock) * 1000)
    count = store.sequence - 1
    size = (store.journal_bytes - before) / count
    store.close()
    replay = []
    for _ in range(rounds):
        gc.collect()
        clock = time.perf_counter()
        found = store.open()
        replay.append((time.perf_counter() - clock) / len(found.events) * 1e6)
        del found
        store.close()
    store.open()
    return {
        "append_us": statistics.median(in_batch),
        "append_one_us": statistics.median(alone),
        "sync_ms": statistics.median(sync),
        "line_bytes": size,
        "replay_us": statistics.median(replay),
    }


RESTART = """
import resource, sys, time
from pathlib import Path
from crisp_status.store.state_folder import StateFolder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
found = StateFolder(Path(sys.argv[1])).open()
took = (time.perf_counter() - start) * 1000
assert found.state is not None and len(found.state.days) == 90
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


def restart(folder: Path) -> tuple[float, float]:
    """ms to open the store, and resident MB afterwards, in a new process."""
    done = subprocess.run([sys.executable, "-c", RESTART, str(folder)], capture_output=True, text=True, check=True)
    took, memory = done.stdout.split()
    return float(took), float(memory)


def one_size(replicas: int, rounds: int) -> dict[str, float]:
    """In a process of its own."""
    code = "import sys; from benchmarks.remembering import child; child(int(sys.argv[1]), int(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(replicas), str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parent.parent)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def child(replicas: int, rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="crisp-status-bench-") as folder:
        result = figures(replicas, rounds, Path(folder) / "state")
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps(result))


def table(results: list[dict[str, float]]) -> str:
    """One column a size."""
    lines = [f"{'replicas':<52}" + "".join(f"{int(r['replicas']):>12,}" for r in results)]
    for key, label in ROWS:
        lines.append(f"{label:<52}" + "".join(f"{r[key]:>12,.2f}" for r in results))
    return "\n".join(lines)


def measure(settings: Settings) -> list[Row]:
    """The figures that have targets."""
    rows: list[Row] = []
    for size in SIZES:
        found = one_size(size, 3 if settings.quick else 9)
        pause = PAUSE_MOST_MS.get(size)
        what = f"{size:,} replicas"
        rows += [
            harness.limited(
                f"snapshot, {what}: pause of the loop", [found["pause_ms"]], "ms", pause,
                f"longest {found['pause_worst_ms']:.1f} ms, with a new day {found['pause_new_day_ms']:.1f} ms",
            ),
            harness.limited(
                f"snapshot, {what}: written beside the loop", [found["write_ms"]], "ms", None,
                f"{found['snapshot_mb']:.1f} MB; the loop is late by {found['stall_ms']:.0f} ms at most meanwhile",
            ),
            harness.limited(
                f"snapshot, {what}: read back", [found["restart_ms"]], "ms", None, f"{found['restart_mb']:.0f} MB"
            ),
        ]  # fmt: skip
    rows.append(harness.limited("journal: an event, alone", [found["append_one_us"]], "µs"))
    rows.append(harness.limited("journal: an event, read back", [found["replay_us"]], "µs"))
    return rows


def main() -> None:
    """Measure, print the table, write the JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)))
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    results = [one_size(int(size), given.rounds) for size in given.sizes.split(",")]
    print(table(results))
    print(f"Python {platform.python_version()}, {platform.machine()}, medians of {given.rounds} rounds")
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
