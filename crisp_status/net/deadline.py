"""Deadlines by the thousand: one timer for all of them, because one for each look is a sixth of what a TCP look costs.

Gain, by `python -m benchmarks --only looks`: 5 to 9 µs of CPU a look.
"""

from __future__ import annotations

import asyncio
import heapq
from types import TracebackType
from typing import Final, Self

GRAIN: Final = 0.02
"""Seconds by which a deadline may come late, never early."""


EARLY: Final = 1e-6
"""Share of a grain: the clock of a loop may count whole milliseconds, and a division come out just below a number."""


class DeadlineWheel:
    """All deadlines of one event loop, in buckets of `GRAIN` seconds."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._buckets: dict[int, dict[Deadline, None]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_for = 0

    def within(self, seconds: float) -> Deadline:
        """For a `with` of this task: a `TimeoutError` ends it when it takes longer."""
        return Deadline(self, self.loop.time() + seconds)

    def bucket(self, ends: float) -> dict[Deadline, None]:
        """Where those are that end then, by the time of the loop; who is in it ends, who is taken out does not."""
        number = int(ends / GRAIN) + 1
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = {}
            heapq.heappush(self._order, number)
            if self._timer is None or number < self._timer_for:
                self._set_timer()
        return bucket

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_for = self._order[0]
        self._timer = self.loop.call_at(self._timer_for * GRAIN, self._due)

    def _due(self) -> None:
        self._timer = None
        now = self.loop.time() / GRAIN + EARLY
        while self._order and self._order[0] <= now:
            for deadline in self._buckets.pop(heapq.heappop(self._order)):
                deadline.expire()
        if self._order:
            self._set_timer()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Deadline:
    """As `asyncio.timeout`, also in telling its own cancellation from that of somebody else."""

    __slots__ = ("_all", "_bucket", "_cancelled_before", "_task", "ends", "expired")

    def __init__(self, deadlines: DeadlineWheel, ends: float) -> None:
        self._all = deadlines
        self._task: asyncio.Task[object] | None = None
        self.ends = ends
        """Time of the loop."""
        self.expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._all.loop)  # without the loop it asks the system
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task = task
        self._cancelled_before = task.cancelling()
        self._bucket = self._all.bucket(self.ends)
        self._bucket[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bucket.pop(self, None)
        task, self._task = self._task, None
        if (
            self.expired
            and task is not None
            and task.uncancel() <= self._cancelled_before
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def pause(self) -> None:
        """Do not end until `resume`."""
        self._bucket.pop(self, None)

    def resume(self, paused: float) -> None:
        """Go on, later by so many seconds."""
        self._bucket.pop(self, None)
        self.ends += paused
        self._bucket = self._all.bucket(self.ends)
        self._bucket[self] = None

    def expire(self) -> None:
        """The time is over."""
        if self._task is not None:
            self.expired = True
            self._task.cancel()
