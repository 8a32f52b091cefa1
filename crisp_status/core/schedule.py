"""When to look at whom: one heap for everything that is due.

Times are those of a clock that never jumps (monotonic), given by the caller. Each key has its place, which depends on
nothing but the key. Its first look is at that place of the first seconds, so that all are seen soon. The next few come up
to a quarter of an interval later than the interval alone would make them, until the key has its place in the whole interval,
so that the work of thousands is level instead of coming in waves. From then on the key keeps its phase for ever: the next time
is counted from the last *planned* time, so slowness makes no drift. Nobody is looked at twice within an interval.

Gain, in prototypes with 100,000 keys of 60 s each (SPEED section 5): 2.4 % of a core and 17 MB when the heap is drained
every 20 ms, 8.4 % with a timer of the event loop for each, 167 MB with a task for each. How late looks are, and what a
cycle of them costs: `python -m benchmarks --only cycle`.
"""

from __future__ import annotations

import heapq
from typing import Final, Generic, TypeVar
from zlib import crc32

FIRST_SPREAD: Final = 10.0
"""First looks happen within `min(interval, FIRST_SPREAD)` of the start (DESIGN section 6)."""

LEVELLING: Final = 4
"""Looks until a key has its place in the interval, at most."""

K = TypeVar("K")


class Schedule(Generic[K]):
    """Keys with their intervals; `pop_due` gives those whose time has come, each once a period."""

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, tuple[int, float]] = {}
        self._new: dict[K, float] = {}
        """Seconds by which keys are still to be moved to their places."""
        self._serial = 0

    def __len__(self) -> int:
        """Keys that are scheduled."""
        return len(self._live)

    def __contains__(self, key: object) -> bool:
        """Whether the key is scheduled."""
        return key in self._live

    def add(self, key: K, interval: float, now: float) -> None:
        """Schedule `key`; its first time is within the spread, its second at most an interval after that.

        A key that is scheduled already with the same interval keeps its phase.
        """
        known = self._live.get(key)
        if known is not None and known[1] == interval:
            return
        spread = min(interval, FIRST_SPREAD)
        place = crc32(repr(key).encode()) / 2**32
        self._new[key] = place * (interval - spread)
        self._push(key, interval, now + place * spread)

    def remove(self, key: K) -> None:
        """Forget `key`; unknown ones are fine."""
        self._live.pop(key, None)
        self._new.pop(key, None)

    def advance(self, key: K, now: float) -> None:
        """Look at `key` now as well; its phase moves to here."""
        known = self._live.get(key)
        if known is not None:
            self._new.pop(key, None)
            self._push(key, known[1], now)

    def pop_due(self, now: float, limit: int = 1_000_000) -> list[tuple[K, float]]:
        """Keys whose time has come, with the time each was planned for; each is planned anew.

        Periods that were missed altogether (a long stall) are skipped, not made up.
        """
        due: list[tuple[K, float]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            planned, serial, key = heapq.heappop(self._heap)
            known = self._live.get(key)
            if known is None or known[0] != serial:
                continue
            interval = known[1]
            due.append((key, planned))
            following = planned + interval
            if key in self._new:
                delay = min(self._new[key], interval / LEVELLING)
                following += delay
                self._new[key] -= delay
                if not self._new[key]:
                    del self._new[key]
            if following <= now:
                following += interval * ((now - following) // interval + 1)
            self._push(key, interval, following)
        return due

    def next_due(self) -> float | None:
        """When the next key is due, or None when there is none."""
        while self._heap:
            _, serial, key = self._heap[0]
            known = self._live.get(key)
            if known is not None and known[0] == serial:
                return self._heap[0][0]
            heapq.heappop(self._heap)
        return None

    def _push(self, key: K, interval: float, at: float) -> None:
        self._serial += 1
        self._live[key] = (self._serial, interval)
        heapq.heappush(self._heap, (at, self._serial, key))


class WakeTimes(Generic[K]):
    """Lazy deadlines: entries may be late news; the caller checks the true deadline when one comes up."""

    def __init__(self) -> None:
        """Start empty."""
        self._heap: list[tuple[float, int, K]] = []
        self._known: set[K] = set()
        self._serial = 0

    def watch(self, key: K, deadline: float) -> None:
        """Watch `key` from now on, unless it is watched already."""
        if key not in self._known:
            self._known.add(key)
            self._serial += 1
            heapq.heappush(self._heap, (deadline, self._serial, key))

    def pop(self, now: float) -> list[K]:
        """Keys whose entry is due; they are no longer watched until `watch` is called again."""
        due: list[K] = []
        while self._heap and self._heap[0][0] <= now:
            key = heapq.heappop(self._heap)[2]
            self._known.discard(key)
            due.append(key)
        return due
