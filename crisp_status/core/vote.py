"""What places say of one replica, and what follows from it. Pure counting: no state is changed here.

Laws
- Dead, when the quorum calls it dead. Sick, when the quorum calls it bad, but not dead.
- Healthy, when so many call it healthy that the quorum for bad cannot be reached, whatever the others may say.
- Else nobody knows. A place that says nothing has no vote and does not lower the quorum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from crisp_status.core.verdict import FINE, Health, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Vote(msgspec.Struct, array_like=True, gc=False):
    """What one place saw last of one replica. A place that could not look has none."""

    health: Health
    since: float
    """When it was first seen so from there: the first failed attempt of a bad one."""
    reason: Reason = FINE
    latency_ms: int = -1
    seen_at: float = 0.0
    """Volatile, both: of the last look."""


class Sight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one place saw when something was said of it."""

    place: str
    """Its name then; "" is this daemon, where nobody gave it a name."""
    health: Health
    """Pending: it said nothing."""


class Verdict(NamedTuple):
    """What a quorum agrees on."""

    health: Health
    since: float
    """Of a bad one, when the vote that made the quorum full was first seen so; else 0: now."""
    reason: Reason


def judge(votes: Mapping[str, Vote], places: Collection[str], quorum: int) -> Verdict | None:
    """What the places agree on; None: nobody knows."""
    cast = [votes[place] for place in places if place in votes]
    dead = [vote for vote in cast if vote.health is Health.DEAD]
    bad = [vote for vote in cast if vote.health.bad]
    if len(dead) >= quorum:
        return _agreed(Health.DEAD, dead, quorum)
    if len(bad) >= quorum:
        return _agreed(Health.SICK, bad, quorum)
    if len(places) - (len(cast) - len(bad)) < quorum:
        return Verdict(Health.HEALTHY, 0.0, FINE)
    return None


def _agreed(health: Health, votes: list[Vote], quorum: int) -> Verdict:
    """Reports come in any order, so that the vote that made it full is found by when each place first saw it."""
    full = sorted(votes, key=lambda vote: vote.since)[quorum - 1]
    return Verdict(health, full.since, full.reason)
