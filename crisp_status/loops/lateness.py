"""The largest of what was measured lately."""

from __future__ import annotations

from typing import Final

WINDOW_SECONDS: Final = 60.0


class Lateness:
    """The most of the present minute and of the one before: it comes down when the trouble is over."""

    def __init__(self) -> None:
        self._window = 0
        self._before = self._present = 0

    def add(self, value: int, now: float) -> None:
        """One measurement, at that time of a clock that only goes forward, in seconds."""
        window = int(now // WINDOW_SECONDS)
        if window != self._window:
            self._before = self._present if window == self._window + 1 else 0
            self._window, self._present = window, 0
        self._present = max(self._present, value)

    @property
    def most(self) -> int:
        """The largest of the last one to two minutes."""
        return max(self._before, self._present)
