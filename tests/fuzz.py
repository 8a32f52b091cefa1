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
import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzzing import Door, inbound, kept, near, outside, places, shown, told, words
from tests.fuzzing.world import World, memory, world

DOORS: dict[str, Door] = {
    "http": inbound.http,
    "pipeline": inbound.pipeline,
    "reports": inbound.reports,
    "heartbeats": inbound.heartbeats,
    "manage": inbound.manage,
    "act": inbound.act,
    "shown": shown.shown,
    "config": words.config,
    "announcement": words.announcement,
    "state": kept.state,
    "folder": places.folder,
    "list": places.agent_list,
    "targets": outside.targets,
    "certificates": outside.certificates,
    "nameserver": outside.nameserver,
    "pings": near.pings,
    "scripts": near.scripts,
    "mail": told.mail,
    "receivers": told.receivers,
    "services": told.services,
    "agent": told.agent,
    "reporter": told.reporter,
}

AT_ONCE = 8
"""Inputs tried at the same time."""

WAITING = frozenset({"targets", "mail", "receivers", "agent", "reporter", "http"})
"""Doors whose inputs mostly wait for a deadline: four times as many at once."""

DEAR = frozenset({"services", "scripts", "folder"})
"""Doors whose inputs cost processes or a daemon: half as many."""

INPUT_SECONDS = 30.0
"""An input that takes longer is a hang."""

STUCK_SECONDS = 90.0
"""When the process itself does nothing else for so long, nobody is left to count the input as a hang: all ends."""

TURN_SECONDS = 2.0
"""So long is one door tried before the next one has its turn."""

VISIT_SECONDS = 0.2
"""So often is the page asked while a door is tried."""

ALONE = frozenset({"config", "announcement", "state", "list", "certificates"})
"""Doors that are one function each: nothing but the trying itself could keep a visitor waiting, in this one process."""

GROWTH_MAX = 48 * 2**20
"""Bytes that this process, daemon and doors together, may grow by after the first half of the rounds: caches are full
and every limit was met by then."""

LEAK_MAX = 12 * 2**20
"""… and by the turns of one door. What the next door frees is counted for that one, so a few MB are noise."""

ROUNDS_MIN = 6
"""With fewer nobody can tell a leak from a cache that fills up."""


@dataclass
class Tally:
    """What became of the inputs of one door."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)
    """Bytes by which the process was larger after each turn than before."""
    slowest: float = 0.0
    """Seconds that the page took to answer meanwhile."""

    def late(self) -> int:
        """Bytes grown in the second half of its turns."""
        return sum(self.grown[len(self.grown) // 2 :])


async def turn(home: World, name: str, door: Door, tally: Tally, seed: int, seconds: float, only: int = -1) -> None:
    """Try one door for so long, from the input after the last one; or one input."""
    before = memory()
    again = f"{name} --seed {seed}, input {tally.inputs}"
    visitor = asyncio.create_task(_visit(home, tally, again, name not in ALONE))
    async with door(home) as attempt:
        ends = time.monotonic() + seconds
        while True:
            first = only if only >= 0 else tally.inputs
            count = AT_ONCE * 4 if name in WAITING else AT_ONCE // 2 if name in DEAR else AT_ONCE
            numbers = range(first, first + (1 if only >= 0 else count))
            with _watched(f"{name} --seed {seed}, inputs {numbers}"):
                await asyncio.gather(*(_one(attempt, name, tally, seed, number) for number in numbers))
            tally.inputs += len(numbers)
            if time.monotonic() >= ends or only >= 0:
                break
    visitor.cancel()
    await asyncio.gather(visitor, return_exceptions=True)
    await _visit(home, tally, again, False)
    tally.grown.append(memory() - before)


@contextlib.contextmanager
def _watched(what: str) -> Iterator[None]:
    """End the process, with a word of where it is, when the event loop never comes back."""

    def stuck() -> None:
        print(f"stuck in {what}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback()
        os._exit(1)

    timer = threading.Timer(STUCK_SECONDS, stuck)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


async def _visit(home: World, tally: Tally, again: str, stay: bool) -> None:
    """Ask for the page, once or again and again."""
    try:
        tally.slowest = max(tally.slowest, await home.page())
        while stay:
            await asyncio.sleep(VISIT_SECONDS)
            tally.slowest = max(tally.slowest, await home.page())
    except (AssertionError, OSError, TimeoutError):
        tally.failures.append(f"the page, from {again}: {traceback.format_exc(limit=-2)}")


async def _one(attempt: object, name: str, tally: Tally, seed: int, number: int) -> None:
    try:
        async with asyncio.timeout(INPUT_SECONDS):
            outcome = await attempt(Random(f"{seed} {name} {number}"))  # type: ignore[operator]
    except Exception:
        tally.outcomes["BROKEN"] += 1
        if len(tally.failures) < 5:
            again = f"python -m tests.fuzz --door {name} --seed {seed} --input {number}"
            tally.failures.append(f"{again}\n{traceback.format_exc(limit=-6)[:6000]}")
    else:
        tally.outcomes[outcome] += 1


async def fuzz(
    doors: Mapping[str, Door], seconds: float, seed: int, only: int = -1, turn_seconds: float = TURN_SECONDS
) -> str:
    """Try these doors in turn. The report; ends with "nothing broke" when that is so."""
    tallies = {name: Tally() for name in doors}
    sizes: list[int] = []
    async with world() as (home, lines):
        await home.page()
        ends = time.monotonic() + seconds
        while not sizes or (time.monotonic() < ends and only < 0 and not any(t.failures for t in tallies.values())):
            for name, door in doors.items():
                await turn(home, name, door, tallies[name], seed, turn_seconds, only)
            sizes.append(memory())
        said = [HEAD, *(_line(name, tally) for name, tally in tallies.items())]
        broken = (
            [text for tally in tallies.values() for text in tally.failures] + lines.bugs[:5] + leaks(tallies, sizes)
        )
        said.append(
            f"{sum(t.inputs for t in tallies.values())} inputs, seed {seed}, {len(sizes)} rounds; the page was asked "
            f"{home.asked} times, slowest {home.slowest * 1000:.0f} ms; {sizes[0] / 2**20:.0f} MB after the first round, "
            f"{sizes[len(sizes) // 2] / 2**20:.0f} MB halfway, {sizes[-1] / 2**20:.0f} MB at the end; {lines.count} log lines"
        )
        if len(sizes) < ROUNDS_MIN:
            said.append(f"too short to judge memory: that takes {ROUNDS_MIN} rounds")
    return "\n".join([*said, *broken, f"{len(broken)} BROKEN" if broken else "nothing broke"])


def leaks(tallies: Mapping[str, Tally], sizes: Sequence[int]) -> list[str]:
    """What still grew when everything had been tried for half of the time."""
    if len(sizes) < ROUNDS_MIN:
        return []
    grown = sizes[-1] - sizes[len(sizes) // 2]
    whole = [f"memory grew by {grown / 2**20:.0f} MB in the second half"] if grown > GROWTH_MAX else []
    return whole + [
        f"memory grew by {tally.late() / 2**20:.0f} MB in the second half of the turns of {name}"
        for name, tally in tallies.items()
        if tally.late() > LEAK_MAX
    ]


HEAD = f"{'door':<14}{'inputs':>9}{'grown, MB':>11}{'late':>7}{'page, ms':>10}  outcomes"
"""`late` is what of that growth came in the second half; `page` the slowest answer to a visitor meanwhile."""


def _line(name: str, tally: Tally) -> str:
    outcomes = ", ".join(f"{count} {word}" for word, count in tally.outcomes.most_common(12))
    grown, late = sum(tally.grown) / 2**20, tally.late() / 2**20
    return f"{name:<14}{tally.inputs:>9}{grown:>+11.1f}{late:>+7.1f}{tally.slowest * 1000:>10.0f}  {outcomes}"


def main() -> int:
    """Parse, try, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--door", action="append", choices=list(DOORS), help="may be given again; default: all")
    parser.add_argument("--seed", type=int, default=None, help="default: by chance")
    parser.add_argument("--input", type=int, default=-1, help="only the input of this number")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else Random().randrange(10**9)
    doors = {name: DOORS[name] for name in given.door or DOORS}
    turn_seconds = min(TURN_SECONDS, given.seconds / len(doors) / ROUNDS_MIN / 2)
    said = asyncio.run(fuzz(doors, given.seconds, seed, given.input, turn_seconds))
    print(said)
    return 0 if said.endswith("nothing broke") else 1


if __name__ == "__main__":
    sys.exit(main())
