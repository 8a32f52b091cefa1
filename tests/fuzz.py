"""Try every door of the daemon with what nobody would send by mistake, by a seed and for a bounded time (tests/fuzzing).

    python -m tests.fuzz --seconds 600                      all doors in turn; counts of what became of the inputs
    python -m tests.fuzz --door http --seed 7 --seconds 60  one door
    python -m tests.fuzz --door http --seed 7 --input 4711  one input again

What must hold: nothing that is sent makes a 5xx, a hang, an exception that nobody expects, a log line that is not one
line of plain ASCII; the page answers all the while; memory stays flat.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.fuzzing import Door, inbound, kept, outside, told, words
from tests.fuzzing.world import World, memory, world

DOORS: dict[str, Door] = {
    "http": inbound.http,
    "pipeline": inbound.pipeline,
    "reports": inbound.reports,
    "heartbeats": inbound.heartbeats,
    "manage": inbound.manage,
    "act": inbound.act,
    "config": words.config,
    "announcement": words.announcement,
    "state": kept.state,
    "targets": outside.targets,
    "certificates": outside.certificates,
    "nameserver": outside.nameserver,
    "mail": told.mail,
    "receivers": told.receivers,
    "agent": told.agent,
    "reporter": told.reporter,
}

AT_ONCE = 8
"""Inputs tried at the same time."""

WAITING = frozenset({"targets", "mail", "receivers", "agent", "reporter", "http"})
"""Doors whose inputs mostly wait for a deadline: four times as many at once."""

INPUT_SECONDS = 30.0
"""An input that takes longer is a hang."""

TURN_SECONDS = 2.0
"""So long is one door tried before the next one has its turn."""

GROWTH_MAX = 96 * 2**20
"""Bytes that this process, daemon and doors together, may grow by after every door was tried once: caches fill up, and
what Python has freed it does not all give back."""


@dataclass
class Tally:
    """What became of the inputs of one door."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    grown: int = 0
    """Bytes by which the process was larger after its turns than before, but for the first."""


async def turn(home: World, name: str, tally: Tally, seed: int, seconds: float, only: int = -1) -> None:
    """Try one door for so long, from the input after the last one; or one input."""
    before = memory() if tally.inputs else 0
    async with DOORS[name](home) as attempt:
        ends = time.monotonic() + seconds
        while True:
            first = only if only >= 0 else tally.inputs
            numbers = range(first, first + (1 if only >= 0 else AT_ONCE * (4 if name in WAITING else 1)))
            await asyncio.gather(*(_one(attempt, name, tally, seed, number) for number in numbers))
            tally.inputs += len(numbers)
            if time.monotonic() >= ends or only >= 0:
                break
    try:
        await home.page()
    except (AssertionError, OSError, TimeoutError):
        tally.failures.append(f"after {name} --seed {seed}, input {tally.inputs}: {traceback.format_exc(limit=-2)}")
    if before:
        tally.grown += memory() - before


async def _one(attempt: object, name: str, tally: Tally, seed: int, number: int) -> None:
    try:
        async with asyncio.timeout(INPUT_SECONDS):
            outcome = await attempt(Random(f"{seed} {name} {number}"))  # type: ignore[operator]
    except Exception:
        tally.outcomes["BROKEN"] += 1
        if len(tally.failures) < 5:
            again = f"python -m tests.fuzz --door {name} --seed {seed} --input {number}"
            tally.failures.append(f"{again}\n{traceback.format_exc(limit=-6)}")
    else:
        tally.outcomes[outcome] += 1


async def fuzz(doors: list[str], seconds: float, seed: int, only: int = -1, turn_seconds: float = TURN_SECONDS) -> str:
    """Try these doors in turn. The report; ends with "nothing broke" when that is so."""
    tallies = {name: Tally() for name in doors}
    async with world() as (home, lines):
        await home.page()
        ends = time.monotonic() + seconds
        warm = 0
        rounds = 0
        while True:
            for name in doors:
                await turn(home, name, tallies[name], seed, turn_seconds, only)
            rounds += 1
            warm = warm or memory()
            if time.monotonic() >= ends or only >= 0 or any(t.failures for t in tallies.values()):
                break
        grown = memory() - warm
        said = [_line(name, tally) for name, tally in tallies.items()]
        broken = [text for tally in tallies.values() for text in tally.failures] + lines.bugs[:5]
        if grown > GROWTH_MAX:
            broken.append(f"memory grew by {grown / 2**20:.0f} MB")
        said.append(
            f"{sum(t.inputs for t in tallies.values())} inputs, seed {seed}, {rounds} rounds; the page was asked {home.asked} "
            f"times, slowest {home.slowest * 1000:.0f} ms; {warm / 2**20:.0f} MB after the first round, "
            f"{grown / 2**20:+.1f} MB since; {lines.count} log lines"
        )
    return "\n".join([*said, *broken, f"{len(broken)} BROKEN" if broken else "nothing broke"])


def _line(name: str, tally: Tally) -> str:
    outcomes = ", ".join(f"{count} {word}" for word, count in tally.outcomes.most_common(12))
    return f"{name:<14}{tally.inputs:>9} {tally.grown / 2**20:>+7.1f} MB  {outcomes}"


def main() -> int:
    """Parse, try, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--door", action="append", choices=list(DOORS), help="may be given again; default: all")
    parser.add_argument("--seed", type=int, default=None, help="default: by chance")
    parser.add_argument("--input", type=int, default=-1, help="only the input of this number")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else Random().randrange(10**9)
    said = asyncio.run(fuzz(given.door or list(DOORS), given.seconds, seed, given.input))
    print(said)
    return 0 if said.endswith("nothing broke") else 1


if __name__ == "__main__":
    sys.exit(main())
