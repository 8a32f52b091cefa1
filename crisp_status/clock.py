"""The only place where the present is read. Everything else is given a time, or a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two different clocks: one for dates, which people can set; one for durations, which only runs."""

    def now(self) -> float:
        """Wall clock, in epoch seconds. May jump in both directions."""

    def monotonic(self) -> float:
        """Seconds since some moment. Never goes back; only differences mean anything."""


class SystemClock:
    """The clocks of this machine."""

    now = staticmethod(time.time)
    """Wall clock, in epoch seconds."""

    monotonic = staticmethod(time.monotonic)
    """Seconds that do not jump when the wall clock is set."""
