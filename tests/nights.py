"""Live through nights: the whole daemon - looks, loops, engine, store, web, channels - and its agent, on simulated machines
with a simulated clock, network and disk, where everything fails (tests/simulation/night.py).

    python -m tests.nights --seeds 100             many nights; a summary, and the first seed that failed
    python -m tests.nights --seed 4711             one night, told step by step
    python -m tests.nights --seconds 60            as many as fit
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import traceback
from collections import Counter
from random import Random

from tests.simulation.machine import bugs, listen_for_bugs
from tests.simulation.night import Night

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


def many(first: int, seeds: int, seconds: float, hours: float) -> int:
    """Nights one after the other; exit code."""
    counts: Counter[str] = Counter()
    began = time.perf_counter()
    failed = -1
    for seed in range(first, first + seeds):
        if seconds and time.perf_counter() - began > seconds:
            break
        try:
            live(seed, counts, hours=hours)
        except Exception:
            traceback.print_exc()
            failed = seed
            break
    for name, count in sorted(counts.items()):
        print(f"{count:>10,}  {name}")
    print(f"{time.perf_counter() - began:>10.1f}  seconds")
    if failed >= 0:
        print(f"seed {failed} failed; its story: python -m tests.nights --seed {failed}")
    return int(failed >= 0)


def main() -> int:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.nights", description="Random nights of the whole daemon.")
    parser.add_argument("--seeds", type=int, default=10, help="how many nights (10)")
    parser.add_argument("--first", type=int, help="the first seed (0; with --seconds by chance)")
    parser.add_argument("--seed", type=int, help="tell the story of this one")
    parser.add_argument("--seconds", type=float, default=0.0, help="stop after so long")
    parser.add_argument("--hours", type=float, default=0.0, help="simulated hours of each night; default: by its seed")
    asked = parser.parse_args()
    if asked.seed is not None:
        live(asked.seed, Counter(), story=True, hours=asked.hours)
        return 0
    seeds = 1_000_000_000 if asked.seconds else asked.seeds
    first = Random().randrange(10**9) if asked.seconds and asked.first is None else asked.first or 0
    print(f"nights from seed {first} on")
    return many(first, seeds, asked.seconds, asked.hours)


if __name__ == "__main__":
    sys.exit(main())
