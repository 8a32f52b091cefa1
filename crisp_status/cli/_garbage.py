"""Python's garbage collector, kept away from what lasts.

A full collection goes through every object that may be part of a circle, and meanwhile nothing is answered: 60 to 190 ms
with 10,000 replicas, ten times in the first minutes. But what the daemon knows lasts, and nearly all of the rest is freed
at once, by counting references. So what a start has made is taken out of the collector's sight; and whenever a full
collection took long, so is what survived it. It costs the circles that were alive just then, and happens only as often as
the daemon grows by some 200,000 objects.

Gain, by `python -m benchmarks --only cycle`: no collection of more than 40 ms at 10,000 replicas.
"""

from __future__ import annotations

import gc
from typing import Any, Final

from crisp_status.clock import SystemClock

LONG: Final = 0.02
"""Seconds: a collection that takes longer goes mostly through what lasts."""


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
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = self._clock.monotonic()
        elif info["generation"] == 2 and self._clock.monotonic() - self._began > LONG:
            gc.freeze()
