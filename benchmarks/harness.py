"""How everything here is measured: side by side, in alternation, several rounds, CPU time beside wall time."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from crisp_status.cli.run import _loop_factory as loop_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
CHILD_SECONDS = 900.0
"""No measure takes longer; one that does hangs."""


class ChildError(Exception):
    """A measure that runs in a process of its own broke there."""


@dataclass
class Settings:
    """What was asked for on the command line."""

    quick: bool = False
    vigil: str = ""
    gatus: str = ""
    uptime_kuma: str = ""

    @property
    def rounds(self) -> int:
        """Rounds of an alternation."""
        return 2 if self.quick else 3

    @property
    def seconds(self) -> float:
        """Length of one sample."""
        return 1.0 if self.quick else 3.0


@dataclass
class Sample:
    """One round of one contender."""

    rate: float
    """Operations a second of wall time."""
    cpu_us: float
    """CPU time of the server for an operation, microseconds."""
    p99_ms: float = 0.0


@dataclass
class Row:
    """One line of the table."""

    what: str
    ours: float
    unit: str
    against: str = ""
    """Name of the reference."""
    reference: float | None = None
    ratio: float | None = None
    """Ours divided by the reference, the median of the rounds."""
    spread: float = 0.0
    """Between the lowest and the highest round, as a share of the median."""
    cpu_us: float | None = None
    reference_cpu_us: float | None = None
    target: str = ""
    reached: bool | None = None
    note: str = ""


def alternate(rounds: int, contenders: dict[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Each contender once a round, so that a busy minute of the machine meets all of them."""
    found: dict[str, list[Sample]] = {name: [] for name in contenders}
    for number in range(rounds):
        # Every other round backwards: who goes second finds a warmer machine.
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            found[name].append(contenders[name]())
    return found


def spread(values: list[float]) -> float:
    """Highest less lowest, as a share of the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def median(samples: list[Sample], field: str) -> float:
    """Of one field of the samples."""
    return statistics.median(getattr(sample, field) for sample in samples)


def ratios(ours: list[Sample], reference: list[Sample], field: str) -> list[float]:
    """Round by round, ours divided by the reference."""
    return [getattr(a, field) / max(getattr(b, field), 1e-9) for a, b in zip(ours, reference, strict=True)]


def rated(what: str, ours: list[Sample], reference: list[Sample], against: str, least: float | None = None) -> Row:
    """A row of rates: ours must be at least `least` times the reference."""
    by_round = ratios(ours, reference, "rate")
    ratio = statistics.median(by_round)
    return Row(
        what,
        median(ours, "rate"),
        "/s",
        against,
        median(reference, "rate"),
        ratio,
        spread(by_round),
        median(ours, "cpu_us"),
        median(reference, "cpu_us"),
        f"≥ {least:g} ×" if least else "",
        ratio >= least if least else None,
    )


def costed(what: str, ours: list[Sample], reference: list[Sample], against: str, most: float | None = None) -> Row:
    """A row of CPU time for an operation: ours must be at most `most` times the reference."""
    by_round = ratios(ours, reference, "cpu_us")
    ratio = statistics.median(by_round)
    return Row(
        what,
        median(ours, "cpu_us"),
        "µs CPU",
        against,
        median(reference, "cpu_us"),
        ratio,
        spread(by_round),
        target=f"≤ {most:g} ×" if most else "",
        reached=ratio <= most if most else None,
    )


def limited(what: str, values: list[float], unit: str, most: float | None = None, note: str = "") -> Row:
    """A row of something of ours alone, that should be at most `most`."""
    ours = statistics.median(values)
    target, reached = ("", None) if most is None else (f"≤ {most:g} {unit}", ours <= most)
    return Row(what, ours, unit, spread=spread(values), target=target, reached=reached, note=note)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, in all its threads, also those that have ended, to the nanosecond.

    The number of the clock is that of clock_getcpuclockid(3) on Linux.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid: int) -> float:
    """Memory of a process, in megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cores() -> list[int]:
    """Those that this process may use."""
    return sorted(os.sched_getaffinity(0))


def pin(pid: int, place: int) -> None:
    """Keep a process on the core of that place, when there are two: server on the first, load on the last."""
    ours = cores()
    if len(ours) > 1:
        os.sched_setaffinity(pid, {ours[place]})


def in_process(function: str, **given: Any) -> Any:
    """Call `module:name` in a new Python on the first core; what it returned, by way of JSON."""
    command = [sys.executable, "-m", "benchmarks.harness", function, json.dumps(given)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=CHILD_SECONDS,
        preexec_fn=lambda: pin(0, 0),
    )
    if done.returncode:
        raise ChildError(f"{function}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.rpartition("\n\n")[2])


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on the loop that the daemon would take, references too: like is compared with like."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


@contextmanager
def running(command: list[str], place: int, **given: Any) -> Iterator[subprocess.Popen[str]]:
    """A process on one core, ended at the end."""
    process = subprocess.Popen(command, text=True, cwd=given.pop("cwd", ROOT), **given)
    pin(process.pid, place)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stdin):
            if pipe is not None:
                pipe.close()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="crisp-status-bench-") as name:
        yield Path(name)


def machine() -> dict[str, Any]:
    """Kind of machine, without anything that names it, and how busy others keep it."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": model,
        "cores": len(cores()),
        "memory_gb": round(memory / 1e6),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "loop": "asyncio" if loop_factory() is None else "uvloop",
        "busy_before": round(_busy(1.0), 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _busy(seconds: float) -> float:
    """Share of all cores that is used by others just now."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    total = sum(after) - sum(before)
    return 1 - (after[3] - before[3] + after[4] - before[4]) / total if total else 0.0


def _ticks() -> list[int]:
    return [int(field) for field in _lines("/proc/stat")[0].split()[1:9]]


def say(text: str) -> None:
    """Progress, beside the table."""
    print(text, file=sys.stderr, flush=True)


def table(rows: list[Row]) -> str:
    """All of it for people."""
    head = ("", "ours", "reference", "ratio", "spread", "target", "")
    body = [_cells(row) for row in rows]
    widths = [max(len(line[n]) for line in (head, *body)) for n in range(len(head))]
    lines = []
    for line in (head, *body):
        cells = [line[0].ljust(widths[0])]
        cells += [line[n].rjust(widths[n]) for n in range(1, 6)]
        lines.append("  ".join([*cells, line[6]]).rstrip())
    return "\n".join(lines)


def markdown(rows: list[Row]) -> str:
    """The same for a page of documentation."""
    lines = ["| | ours | reference | ratio | spread | target | |", "|---|--:|--:|--:|--:|--:|---|"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    cpu = f" ({row.cpu_us:.0f} µs)" if row.cpu_us is not None else ""
    other = f" ({row.reference_cpu_us:.0f} µs)" if row.reference_cpu_us is not None else ""
    verdict = {True: "reached", False: "MISSED", None: ""}[row.reached]
    return (
        row.what,
        f"{_number(row.ours)} {row.unit}{cpu}",
        f"{row.against} {_number(row.reference)}{other}" if row.reference is not None else "",
        f"{row.ratio:.2f}" if row.ratio is not None else "",
        f"±{row.spread / 2:.0%}" if row.spread else "",
        row.target,
        " ".join(part for part in (verdict, row.note) if part),
    )


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def plain(rows: list[Row]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(row) for row in rows]


if __name__ == "__main__":
    from importlib import import_module

    module, _, name = sys.argv[1].partition(":")
    found = getattr(import_module(module), name)(**json.loads(sys.argv[2]))
    print("\n\n" + json.dumps(found))
