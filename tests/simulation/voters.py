"""Places that vote over a network that loses, delays, doubles and cuts; and what they may make of it, counted by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import events
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.core.verdict import ReasonCode
from tests.simulation.chance import PLACES, SECRET

if TYPE_CHECKING:
    from collections import Counter
    from random import Random

    from crisp_status.core.events import Event
    from crisp_status.core.model import State
    from tests.simulation.chance import Truth


class Voter:
    """One place: its run, its batches, what it cannot reach although it is well, and what of its words is still under way."""

    def __init__(self, dice: Random, place: str, counts: Counter[str]) -> None:
        self.dice = dice
        self.place = place
        self.counts = counts
        self.up = True
        self.run = self.batch = 0
        self.blind: set[tuple[str, str]] = set()
        """What looks dead from here alone."""
        self.late: list[list[Event]] = []
        self.said: dict[tuple[str, str], Health] = {}
        """The newest of each replica that anybody may have heard."""

    def looks(self, truth: Truth, state: State, at: float) -> list[Event]:
        """A batch of what it sees now of all that it looks at."""
        self.batch += 1
        run = f"{self.place} {self.run}"
        found: list[Event] = [events.PlaceHeard(place=self.place, run=run, batch=self.batch)]
        for node in (n for s in state.plan.services for n in s.nodes if self.place in n.places):
            for replica in state.nodes[node.key].replicas:
                key = node.key, replica
                health: Health | None = Health.DEAD if key in self.blind else truth.ill.get(key, Health.HEALTHY)
                if self.dice.random() < 0.1:
                    health = None
                self.said[key] = health if health is not None else Health.PENDING
                bad = health is not None and health.bad
                found.append(
                    events.Voted(
                        node=node.key,
                        replica=replica,
                        health=health,
                        since=at - self.dice.choice([0.0, 5.0, 100.0]),
                        reason=Reason(ReasonCode.NO_ANSWER, f"no answer from {SECRET}", SECRET) if bad else FINE,
                        latency_ms=self.dice.randrange(900),
                        place=self.place,
                        run=run,
                        batch=self.batch,
                    )
                )
        return found

    def beats(self) -> list[Event]:
        """A sign of life, while it is up."""
        if not self.up:
            return []
        self.batch += 1
        return [events.PlaceHeard(place=self.place, run=f"{self.place} {self.run}", batch=self.batch)]

    def sends(self, truth: Truth, state: State, at: float) -> list[list[Event]]:
        """A batch goes out: what arrives now, in this order."""
        batch = self.looks(truth, state, at)
        match self.dice.randrange(8):
            case 0:
                self.counts["batches lost"] += 1
                return []
            case 1:
                self.counts["batches late"] += 1
                self.late.append(batch)
                return []
            case 2:
                self.counts["batches doubled"] += 1
                return [batch, batch]
            case 3 if self.late:
                self.counts["batches out of order"] += 1
                return [batch, self.late.pop()]
            case 4 if self.late:
                return [self.late.pop(0), batch]
            case _:
                return [batch]

    def changes(self, state: State) -> None:
        """It is killed, started, split from something, or sees all again."""
        everything = [(k, r) for k, n in state.nodes.items() for r in n.replicas]
        match self.dice.randrange(4):
            case 0:
                self.up = not self.up
                self.run += 1
                self.batch = 0
            case 1 if everything:
                self.counts["splits"] += 1
                self.blind |= {self.dice.choice(everything)}
            case 2:
                self.blind = set(everything)
            case _:
                self.blind.clear()


def voters(dice: Random, counts: Counter[str]) -> dict[str, Voter]:
    """All of them."""
    return {place: Voter(dice, place, counts) for place in PLACES}
