"""One seed after the other: what `python -m tests.simulate` and `python -m tests.nights` have in common."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Live(Protocol):
    """Lives through one seed; raises what broke."""

    def __call__(self, seed: int, counts: Counter[str], *, story: bool = False) -> None: ...


def parser(module: str, description: str, what: str, seeds: int) -> argparse.ArgumentParser:
    """The options of both; `what` is what a seed stands for, in the plural."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument("--seeds", type=int, default=seeds, help=f"how many {what} ({seeds})")
    made.add_argument("--first", type=int, help="the first seed (0; with --seconds by chance)")
    made.add_argument("--seed", type=int, help="tell the story of this one")
    made.add_argument("--seconds", type=float, default=0.0, help="stop after so long")
    return made


def run(asked: Any, live: Live, what: str, again: str) -> int:
    """Do what was asked for; the exit code. `again` is the command that tells the story of a seed that follows."""
    if asked.seed is not None:
        live(asked.seed, Counter(), story=True)
        return 0
    seeds = 1_000_000_000 if asked.seconds else asked.seeds
    first = Random().randrange(10**9) if asked.seconds and asked.first is None else asked.first or 0
    print(f"{what} from seed {first} on")
    return _many(live, first, seeds, asked.seconds, again)


def _many(live: Callable[[int, Counter[str]], None], first: int, seeds: int, seconds: float, again: str) -> int:
    counts: Counter[str] = Counter()
    began = time.perf_counter()
    failed = -1
    for seed in range(first, first + seeds):
        if seconds and time.perf_counter() - began > seconds:
            break
        try:
            live(seed, counts)
        except Exception:
            traceback.print_exc()
            failed = seed
            break
    for name, count in sorted(counts.items()):
        print(f"{count:>10,}  {name}")
    print(f"{time.perf_counter() - began:>10.1f}  seconds")
    if failed >= 0:
        print(f"seed {failed} failed; its story: {again} {failed}")
    return int(failed >= 0)


def told_twice(*line: str) -> list[bytes]:
    """What two processes say, in which sets and dictionaries of strings have other orders."""
    return [
        subprocess.run(
            [sys.executable, "-m", *line],
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
