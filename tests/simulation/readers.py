"""Subscribers in a simulated life: they join, choose, leave, and are told one by one while things break.

What must hold: without a crash in between nobody gets the same bulletin twice. Whoever heard of an end after another end
of the incident (seed 1878), and who heard that something is down and not that it is back, is counted: no laws yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import bulletins
from crisp_status.core.subscriber_events import (
    BulletinFailed,
    BulletinFinished,
    BulletinSent,
    SubscriberAdded,
    SubscriberRemoved,
)
from crisp_status.core.subscriber_records import SLOW, USUAL, Subscriber
from tests.simulation.laws import LawBroken

if TYPE_CHECKING:
    from collections import Counter
    from random import Random

    from crisp_status.core.subscriber_records import Bulletin
    from tests.simulation.machine import Machine

CROWD = 6


class Readers:
    """All of them, and the loop that tells them."""

    def __init__(self, dice: Random, machine: Machine, counts: Counter[str]) -> None:
        self.dice = dice
        self.machine = machine
        self.counts = counts
        self.got: dict[tuple[int, int, float], int] = {}
        """Reader, bulletin, when it was made; and the number of starts then."""
        self.last: dict[tuple[int, int], tuple[str, int]] = {}
        """Reader and incident: the kind that was heard last, and the number of starts then."""

    def come_and_go(self) -> None:
        """Now and then somebody joins, chooses otherwise, or leaves."""
        dice, machine = self.dice, self.machine
        if machine.engine.trouble or dice.random() > 0.2:
            return
        id = dice.randrange(CROWD)
        if id in machine.state.subscribers and dice.random() < 0.3:
            machine.take(SubscriberRemoved(id=id))
            self.last = {key: known for key, known in self.last.items() if key[0] != id}
            return
        services = [s for s in machine.state.services if dice.random() < 0.5]
        if id in machine.state.subscribers:
            return
        chosen = "" if dice.random() < 0.5 else " ".join(services)
        wants = USUAL | (SLOW if dice.random() < 0.5 else 0)
        machine.take(
            SubscriberAdded(id=id, subscriber=Subscriber("email", f"r{id}@x.example", 0.0, chosen, "en", wants))
        )

    def deliver(self, most: int = 3) -> None:
        """Send so many that are due, as the loop does; while the disk is in trouble none goes out."""
        machine = self.machine
        for _ in range(most):
            if machine.engine.trouble or not machine.durable:
                return
            one, id = self._next()
            if one is None:
                return
            if id is None:
                machine.take(BulletinFinished(bulletin=one.id, kind="email"))
            elif self.dice.random() < 0.05:
                machine.take(BulletinFailed(bulletin=one.id, kind="email", subscriber=id, error="450 later"))
            else:
                self._send(one, id)

    def _next(self) -> tuple[Bulletin | None, int | None]:
        state, now = self.machine.state, max(self.machine.clock.now(), self.machine.state.at)
        for one in state.audience.bulletins.values():
            lane = one.lanes.get("email")
            if lane is None or one.due_at > now:
                continue
            for id, late in lane.deferred.items():
                if late.due_at <= now:
                    return one, id
            if not lane.done:
                members = sorted(state.subscribers.items())
                return one, next((i for i, s in members if i > lane.cursor and bulletins.concerns(one, i, s)), None)
        return None, None

    def _send(self, one: Bulletin, id: int) -> None:
        machine, starts = self.machine, self.counts["starts"]
        key = (id, one.id, one.at)
        if self.got.get(key) == starts:
            raise LawBroken(f"reader {id} gets bulletin {one.id} ({one.kind}) twice")
        before = self.last.get((id, one.incident))
        late = id in one.lanes["email"].deferred  # an end of other services, which was refused at first
        if one.kind == "ended" and before == ("ended", starts) and not late:
            self.counts["ends that followed an end"] += 1
        self.counts[f"bulletins {one.kind}"] += 1
        seen, kind, incident = machine.state.audience.next_bulletin, one.kind, one.incident
        machine.take(BulletinSent(bulletin=one.id, kind="email", subscriber=id, seen=seen))
        if self.counts["starts"] != starts or machine.engine.trouble:
            self.last.pop((id, incident), None)  # it may not be known that this was sent
            return
        self.got[key] = starts
        if kind == "opened" or (kind == "ended" and not late):
            self.last[id, incident] = (kind, starts)

    def settled(self) -> None:
        """Everything is well and everything was sent: count who heard of a beginning and not of the end.

        One in some hundreds of lives has such a reader, after a clock that was set or a plan that changed; it is not a law yet.
        """
        self.deliver(10_000)
        starts = self.counts["starts"]
        for (id, incident), known in self.last.items():
            found = self.machine.state.incident(incident)
            if known != ("opened", starts) or id not in self.machine.state.subscribers:
                continue
            waits = any(
                one.incident == incident and one.kind == "ended" and id in one.lanes["email"].deferred
                for one in self.machine.state.audience.bulletins.values()
                if "email" in one.lanes
            )
            if found is not None and incident not in self.machine.state.open and not waits:
                self.counts["ends that a reader missed"] += 1
