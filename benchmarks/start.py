"""Start and memory: from the start of the process to the first whole page, and what is resident when it is idle.

A first start has no state; a restart has one with 90 days of history. The targets answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks.page import quiet
from benchmarks.states import save
from benchmarks.targets import answering

if TYPE_CHECKING:
    from benchmarks.harness import Row, Settings

SIZES = (0, 1_000, 10_000, 100_000)
RESTART_MOST = {10_000: 1.0, 100_000: 5.0}
"""SPEED section 4: seconds to the first page, history included."""

INTERVAL = 120.0


def measure(settings: Settings) -> list[Row]:
    """By number of replicas."""
    rows: list[Row] = []
    for size in SIZES[:3] if settings.quick else SIZES:
        first, again, memory = [], [], []
        for number in range(settings.rounds if size <= 10_000 else 2):
            with harness.folder() as folder, answering("http") as target:
                where = configs.address(target)
                port = configs.free_port()
                config = configs.write(folder, size, where, interval=INTERVAL, port=port)
                with configs.daemon(config, port) as daemon:
                    first.append(daemon)
                if size:
                    # What the stopped daemon saved gives way to a state with a history.
                    (folder / "state").rename(folder / "old")
                    save(folder / "state", size, where, time.time())
                with configs.daemon(config, port) as daemon:
                    again.append(daemon)
                    if number == 0:
                        quiet(daemon.pid)
                        memory.append(harness.resident_mb(daemon.pid))
        what = f"{size:,} replicas"
        rows += [
            harness.limited(f"first start, {what}: to the first page", [d.started_seconds for d in first], "s",
                            None, f"{first[0].started_cpu:.2f} s of CPU"),
            harness.limited(f"restart, {what}: to the first page", [d.started_seconds for d in again], "s",
                            RESTART_MOST.get(size), f"{again[0].started_cpu:.2f} s of CPU"),
            harness.limited(f"memory, {what}, idle", memory, "MB"),
        ]  # fmt: skip
    return rows
