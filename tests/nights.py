"""Live through nights: the whole daemon - looks, loops, engine, store, web, channels - and its agent, on simulated machines
with a simulated clock, network and disk, where everything fails (tests/simulation/night.py).

    python -m tests.nights --seeds 100             many nights; a summary, and the first seed that failed
    python -m tests.nights --seed 4711             one night, told step by step
    python -m tests.nights --seconds 60            as many as fit
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tests.simulation import seeds
from tests.simulation.machine import bugs, listen_for_bugs
from tests.simulation.night import Night

if TYPE_CHECKING:
    from collections import Counter

HOURS = (0.3, 0.5, 1.0, 2.0)
"""Simulated hours of a night before it calms down."""


def live(seed: int, counts: Counter[str], *, story: bool = False, hours: float = 0.0) -> None:
    """One night, of so many hours or as its seed has it; raises `LawBroken` or whatever broke."""
    listen_for_bugs()
    # Collected only while nothing runs: what is left of killed programs must not act inside of living ones.
    gc.collect()
    bugs.clear()
    gc.disable()
    try:
        night = Night(seed, counts, story=story)
        night.live(3600.0 * (hours or Random(seed).choice(HOURS)))
    finally:
        gc.enable()


def main() -> int:
    """What was asked for on the command line."""
    parser = seeds.parser("tests.nights", "Random nights of the whole daemon.", "nights", 10)
    parser.add_argument("--hours", type=float, default=0.0, help="simulated hours of each night; default: by its seed")
    asked = parser.parse_args()
    again = f"python -m tests.nights --hours {asked.hours:g} --seed"
    return seeds.run(asked, partial(live, hours=asked.hours), "nights", again)


if __name__ == "__main__":
    sys.exit(main())
