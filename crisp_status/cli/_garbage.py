"""Python's garbage collector, kept away from what lasts.

A full collection goes through every object that may be part of a circle, and meanwhile nothing is answered: 60 to 190 ms
with 10,000 replicas, ten times in the first minutes. But what the daemon knows lasts, and nearly all of the rest is freed
at once, by counting references. So what a start has made is taken out of the collector's sight; and whenever a full
collection took long, so is what survived it. Circles that were alive just then would stay for ever; so once a day all of
it is looked through.

Gain, by `python -m benchmarks --only cycle`: a collection at 10,000 replicas takes 20 to 60 ms.
"""

from __future__ import annotations

import gc
import time
from typing import Any, Final

from crisp_status.clock import SystemClock

LONG: Final = 0.02
"""Seconds of CPU time: a collection that takes longer goes mostly through what lasts."""

ALL_SECONDS: Final = 86400.0
"""One pause a day of 0.1 to 0.2 s with 10,000 replicas, and no circle stays for longer."""


def wait() -> None:
    """Collect nothing until `keep`: a start makes much and throws little away."""
    gc.disable()


def keep() -> None:
    """Keep what is there now, and from now on what survives a long collection."""
    gc.freeze()
    gc.callbacks.append(_Watch())
    gc.enable()


def stop() -> None:
    """As it was before."""
    gc.callbacks[:] = [known for known in gc.callbacks if not isinstance(known, _Watch)]
    gc.enable()
    gc.unfreeze()


class _Watch:
    """Called before and after each collection."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._all_at = self._clock.monotonic()
        self._began = 0.0
        self._all = False

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] != 2:
            return
        if phase == "start":
            now = self._clock.monotonic()
            self._all = now - self._all_at > ALL_SECONDS
            if self._all:
                self._all_at = now
                gc.unfreeze()
            self._began = time.thread_time()
        elif self._all or time.thread_time() - self._began > LONG:
            gc.freeze()
