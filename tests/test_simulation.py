"""Two hundred random lives in each run; `make soak` lives on for as long as it is told to."""

from __future__ import annotations

from collections import Counter

import pytest

from tests import simulate
from tests.simulation.seeds import told_twice

SEEDS = 200
BATCH = 25


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_what_must_hold_holds_in_random_lives(first: int) -> None:
    """Replay equals life, worst-of holds, nothing acknowledged is lost, everybody is told (tests/simulation)."""
    counts: Counter[str] = Counter()
    for seed in range(first, first + BATCH):
        try:
            simulate.live(seed, counts)
        except Exception as error:
            error.add_note(f"its story: python -m tests.simulate --seed {seed}")
            raise

    assert counts["lives"] == BATCH
    assert counts["messages received"] > 0


def test_a_seed_is_the_same_life_in_every_process() -> None:
    """Whatever order Python gives to sets there: a failure in one place can be looked at in another."""
    told = told_twice("tests.simulate", "--seed", "46")

    assert told[0].count(b"\n") > 50
    assert told[0] == told[1]
