"""How busy we are: CPU and RAM as ratios, with container limits (cgroup v1 and v2) respected."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

MEASURE_SECONDS: Final = 0.2
"""The kernel counts in hundredths of a second, so that this tells five per cent of a processor apart."""

UNLIMITED: Final = 1 << 60
"""cgroup v1 writes a number near 2**63 where there is no limit."""


class Load:
    """CPU and RAM in use as ratios, of the container's limits where it has any, else of the machine.

    `root` is where `proc` and `sys` are; values are None where nothing can be known.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = Path(root)
        self._before = (time.monotonic(), self._busy())

    def cpu(self) -> float | None:
        """Ratio since the last call; waits until `MEASURE_SECONDS` have passed since then, for less measures nothing.

        The load average a CPU where the time that processors were busy cannot be known.
        """
        then, used = self._before
        if used is None:
            return self._load_average()
        time.sleep(max(0.0, then + MEASURE_SECONDS - time.monotonic()))
        now, busy = time.monotonic(), self._busy()
        if busy is None:
            return self._load_average()
        self._before = (now, busy)
        return max(0.0, (busy - used) / (now - then) / self._cpus())

    def ram(self) -> float | None:
        """Memory in use that could not be freed, over what there is."""
        found = [r for r in map(self._group_ram, self._groups("memory")) if r is not None]
        if found:
            return max(found)
        with contextlib.suppress(Exception):
            if self._root == Path("/"):
                import psutil

                memory = psutil.virtual_memory()
                return float(1 - memory.available / memory.total)
        facts = self._table("proc/meminfo")
        total, free = facts.get("MemTotal:", 0), facts.get("MemAvailable:", 0)
        return 1 - free / total if total else None

    def _cpus(self) -> float:
        machine = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        limits = [q for q in map(self._group_quota, self._groups("cpu")) if q is not None]
        return max(0.001, min([machine, *limits]))

    def _limited(self) -> bool:
        return any(self._group_quota(group) is not None for group in self._groups("cpu"))

    def _busy(self) -> float | None:
        """Seconds of CPU used so far: by the group when it has a quota, else by the machine."""
        if self._limited():
            for group in [*self._groups("cpu"), *self._groups("cpuacct")]:
                if usage := self._table(group / "cpu.stat").get("usage_usec"):
                    return usage / 1e6
                if usage := self._number(group / "cpuacct.usage"):
                    return usage / 1e9
        with contextlib.suppress(Exception):
            line = (self._root / "proc/stat").read_text().split("\n", 1)[0].split()
            ticks = [int(word) for word in line[1:9]]
            return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        with contextlib.suppress(Exception):
            import psutil

            times = psutil.cpu_times()
            return float(sum(times) - times.idle)
        return None

    def _load_average(self) -> float | None:
        try:
            return os.getloadavg()[0] / self._cpus()
        except (OSError, AttributeError):
            return None

    def _groups(self, controller: str) -> list[Path]:
        """Folders of our control group, innermost first, up to the root of its hierarchy (v2, or v1 by controller)."""
        try:
            lines = (self._root / "proc/self/cgroup").read_text().splitlines()
        except OSError:
            return []
        found: list[Path] = []
        for line in lines:
            number, controllers, name = [*line.split(":", 2), "", ""][:3]
            unified = number == "0" and not controllers
            if not unified and controller not in controllers.split(","):
                continue
            top = self._root / "sys/fs/cgroup" / ("" if unified else controllers)
            if not unified and not top.is_dir():
                top = self._root / "sys/fs/cgroup" / controller
            parts = [part for part in name.split("/") if part not in {"", ".."}]
            found += [top.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
        return [folder for folder in found if folder.is_dir()]

    def _group_quota(self, group: Path) -> float | None:
        """CPUs that the group may use."""
        with contextlib.suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text().split()
            return float(quota) / float(period)
        quota_us, period_us = self._number(group / "cpu.cfs_quota_us"), self._number(group / "cpu.cfs_period_us")
        return quota_us / period_us if quota_us and period_us and quota_us > 0 else None

    def _group_ram(self, group: Path) -> float | None:
        limit = self._number(group / "memory.max") or self._number(group / "memory.limit_in_bytes")
        used = self._number(group / "memory.current") or self._number(group / "memory.usage_in_bytes")
        if not limit or used is None or limit >= UNLIMITED:
            return None
        stat = self._table(group / "memory.stat")
        cache = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        return max(0.0, (used - cache) / limit)

    def _number(self, path: Path) -> int | None:
        try:
            return int((self._root / path).read_text())
        except (OSError, ValueError):
            return None

    def _table(self, path: str | Path) -> dict[str, int]:
        """A file of `name number` lines."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self._root / path).read_text().splitlines()
            return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1}
        return {}
