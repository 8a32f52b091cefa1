"""Live through years in seconds: random plans, random events, a disk that fails, a power that goes, a clock that is set,
receivers that say no. What must hold is checked after every step, and at the end of every life (tests/simulation).

    python -m tests.simulate --seeds 10000           many short lives; a summary, and the first seed that failed
    python -m tests.simulate --seed 4711             one life, told step by step
    python -m tests.simulate --seconds 60            as many as fit
"""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

from msgspec.structs import replace

from crisp_status.core import events, outbox
from crisp_status.core.model import Health
from crisp_status.core.operator_records import Subscription
from crisp_status.core.policy import SubscribersPlan
from tests.simulation import chance, laws, seeds
from tests.simulation.eyes import OURS, Eyes
from tests.simulation.machine import Machine, listen_for_bugs
from tests.simulation.people import People
from tests.simulation.readers import Readers
from tests.simulation.voters import Voter, voters

STEPS = (5, 20, 20, 40, 80)
"""Things that happen in a life before it calms down: many short lives find more than few long ones."""

COMPARE_EVERY = 10
"""Steps between two comparisons of replay and life, which cost most."""


class Life:
    """One seed."""

    def __init__(self, seed: int, counts: Counter[str], *, story: bool = False) -> None:
        self.dice = Random(seed)
        self.counts = counts
        self.story = story
        own = Random(f"readers {seed}")  # so that the rest of a life is as it was before there were readers
        told = SubscribersPlan(own.choice([0.0, 180.0])) if own.random() < 0.8 else None
        self.plan = replace(chance.plan(self.dice), subscribers=told)
        now = 1_700_000_000.0 + self.dice.random() * 3e7
        self.machine = Machine(self.dice, self.plan, now, counts)
        self.readers = Readers(own, self.machine, counts)
        self.people = People(self.dice, self.machine, counts)
        self.truth = chance.Truth(self.dice)
        self.eyes = Eyes(self.machine, counts)
        self.voters = voters(self.dice, counts)
        self.machine.on_taken = self.taken
        self.serial = 0
        self.rough = self.dice.random() < 0.25
        """A machine on which something breaks all the time."""

    def taken(self) -> None:
        """After every batch."""
        self.people.note()
        self.eyes.judge()

    def tell(self, text: str) -> None:
        """One line of the story."""
        if self.story:
            at = self.machine.state.at
            print(f"{at:.1f} {text}")

    def live(self) -> None:
        """Birth, a random life, then two calms: one with everything as it is, one with everything well."""
        self.happen(
            events.Subscribed(
                subscription=Subscription(chance.FIRST_DEVICE, "jane", "https://push.example/1", "p", "a", 0)
            )
        )
        for number in range(self.dice.choice(STEPS)):
            self.pass_time(self.dice.choice([0.1, 1.0, 1.0, 5.0, 10.0, 60.0, 300.0]))
            self.one_thing()
            self.people.deliver()
            self.readers.come_and_go()
            self.readers.deliver()
            self.law(number)
        self.machine.mend_the_disk()
        self.machine.disk.fuse = -1
        self.people.failing, self.people.faults = 0.0, False
        self.calm_down()
        self.all_well()

    def law(self, number: int) -> None:
        """What holds after every step, and what is looked at now and then."""
        laws.check(self.machine.state)
        self.people.follow()
        if number % COMPARE_EVERY == 0:
            self.machine.compare()
        if number % 30 == 0:
            laws.check_page(self.machine.state, self.machine.clock.now())

    def happen(self, *what: events.Event) -> None:
        """Hand these in, in one batch."""
        before, starts = self.eyes.healths(), self.counts["starts"]
        for event in what:
            self.counts[type(event).__name__] += 1
            self.tell(str(event)[:300])
            self.eyes.hear(event)
        self.machine.take(*what)
        self.people.follow()
        if all(isinstance(event, OURS) for event in what) and self.counts["starts"] == starts:
            after = self.eyes.healths()
            if after != before:
                raise laws.LawBroken(f"a failure of ours changed {before} to {after}")

    def places_look(self, voter: Voter, *, surely: bool = False) -> None:
        """One place sends what it sees; `surely`: it arrives."""
        state, at = self.machine.state, self.machine.clock.now()
        for batch in [voter.looks(self.truth, state, at)] if surely else voter.sends(self.truth, state, at):
            self.happen(*batch)

    def pass_time(self, seconds: float) -> None:
        """The clock goes, and ticks as the daemon does, only less often when it is long."""
        left = seconds
        while left > 0:
            part = min(left, 1.0 if seconds <= 10.0 else self.dice.choice([5.0, 20.0, 61.0]))
            self.machine.clock.advance(part)
            left -= part
            self.machine.take(*(beat for voter in self.voters.values() for beat in voter.beats()), events.Ticked())
        self.people.follow()

    def replicas(self) -> list[tuple[str, str]]:
        """All that are watched."""
        return [(key, r) for key, node in self.machine.state.nodes.items() for r in node.replicas]

    def look_at(self, keys: list[tuple[str, str]]) -> None:
        """Looks at these come in, in one batch or some."""
        found = list(self.truth.look(self.machine.state, self.machine.clock.now(), keys))
        self.dice.shuffle(found)
        size = self.dice.choice([1, 3, 100])
        for start in range(0, len(found), size):
            self.happen(*found[start : start + size])

    def one_thing(self) -> None:
        """One thing happens."""
        dice, machine, chances = self.dice, self.machine, self.dice.random()
        if self.rough and dice.random() < 0.3:
            self.a_fault()
        elif chances < 0.30:
            self.look_at(self.replicas())
        elif chances < 0.48:
            hit = self.truth.strike(machine.state, dice.choice([Health.DEAD, Health.DEAD, Health.SICK]))
            self.look_at(hit)
        elif chances < 0.60:
            self.look_at(self.truth.strike(machine.state, Health.HEALTHY))
        elif chances < 0.66:
            self.odd_look()
        elif chances < 0.76:
            self.a_word()
        elif chances < 0.78:
            if (event := chance.meddling(dice, machine.state)) is not None:
                self.tell(str(event))
                self.people.rule(event)
        elif chances < 0.82:
            self.happen(dice.choice([events.NetworkLost(), events.NetworkBack(), events.NetworkBack()]))
        elif chances < 0.85:
            machine.plan = dice.choice([self.plan, chance.edited(dice, self.plan)])
            self.happen(events.Planned(plan=machine.plan))
        elif chances < 0.89:
            seconds = dice.choice([-90_000.0, -3600.0, -30.0, 1.5, 30.0, 3600.0, 90_000.0])
            self.counts["clock jumps"] += 1
            self.tell(f"the clock jumps by {seconds}")
            machine.clock.jump(seconds)
        elif chances < 0.90:
            dice.choice(list(self.voters.values())).changes(machine.state)
        elif chances < 0.92:
            for voter in self.voters.values():
                self.places_look(voter)
        elif chances < 0.94:
            self.people.failing = dice.choice([0.0, 0.3, 1.0])
        else:
            self.a_fault()

    def odd_look(self) -> None:
        """Errors of ours, strangers, and those that leave."""
        dice, state = self.dice, self.machine.state
        key = dice.choice([*state.nodes, "s9/n9"])
        node = state.nodes.get(key)
        replica = dice.choice(
            [*(node.replicas if node else ()), f"{chance.SECRET}-app-{dice.randrange(5)}", "heartbeat"]
        )
        match dice.randrange(4):
            case 0:
                self.happen(events.Unknown(node=key, replica=replica, text="too many open files"))
            case 1:
                self.happen(events.Flushed(node=key, replica=replica))
            case _:
                self.happen(self.truth.event(state, self.machine.clock.now(), key, replica))

    def a_word(self) -> None:
        """An operator says something; refused while the disk is in trouble, as `Engine.commit` does."""
        self.serial += 1
        event = chance.word(self.dice, self.machine.state, self.machine.clock.now(), self.serial)
        if self.machine.engine.trouble:
            self.counts["words refused while the disk was in trouble"] += 1
        elif isinstance(event, events.Unsubscribed):
            self.tell(str(event))
            self.people.rule(event)
        else:
            self.happen(event)

    def a_fault(self) -> None:
        """Something breaks."""
        dice, machine = self.dice, self.machine
        match dice.randrange(7):
            case 0:
                self.counts["kills"] += 1
                self.tell("SIGKILL")
                machine.restart(power=False)
            case 1:
                self.tell("the power will go")
                machine.cut_soon()
            case 2:
                self.tell("the disk fails")
                machine.hurt_the_disk()
            case 3 | 4:
                self.tell("the disk works")
                machine.mend_the_disk()
            case _:
                self.tell("a snapshot")
                machine.snapshot()

    def calm_down(self) -> None:
        """Nothing changes any more and every hold is lifted; then everybody knows what is dead."""
        self.tell("--- everything stays as it is")
        self.happen(events.NetworkBack(), events.Planned(plan=self.machine.plan))
        state = self.machine.state
        self.happen(*[events.Unsilenced(id=key) for key in list(state.silences)])
        self.happen(*[events.Withdrawn(id=key) for key in list(state.announcements)])
        self.look_at([(k, r) for k, r in self.replicas() if self.mode(k) in {"poll", "script"}])
        self.everybody_looks()
        self.wait_until_settled()
        self.people.settled()
        self.machine.compare()

    def everybody_looks(self) -> None:
        """Every place is up, sees what is true, and is heard."""
        for voter in self.voters.values():
            voter.up, voter.blind = True, set()
            while (
                any(self.place_without_vote(voter.place, key, replica) for key, replica in self.replicas())
                or not voter.said
            ):
                self.places_look(voter, surely=True)
                if not any(voter.place in n.places for s in self.machine.plan.services for n in s.nodes):
                    break

    def place_without_vote(self, place: str, key: str, replica: str) -> bool:
        """Whether it should see this one, and does not say how it is."""
        plan = self.machine.engine._world.plans.get(key)
        votes = self.machine.state.nodes[key].replicas[replica].votes
        truth = self.truth.ill.get((key, replica), Health.HEALTHY)
        seen = votes.get(place) if votes is not None else None
        return plan is not None and place in plan.places and (seen is None or seen.health is not truth)

    def all_well(self) -> None:
        """Everything is well and stays so; then nothing is open and nobody believes that anything is bad."""
        self.tell("--- everything is well")
        self.truth.ill.clear()
        self.look_at([(k, r) for k, r in self.replicas() if self.mode(k) in {"poll", "script"}])
        self.everybody_looks()
        for key, replica in [(k, r) for k, r in self.replicas() if self.mode(k) in {"push", "local"}]:
            self.happen(events.Reported(node=key, replica=replica, interval=1e6, health=Health.HEALTHY))
        self.wait_until_settled()
        self.people.settled()
        self.readers.settled()
        going = [i for i in self.machine.state.open.values() if not i.record.manual]  # those by hand end by hand
        if going:
            raise laws.LawBroken(f"still open: {going}")
        self.machine.compare()
        laws.check(self.machine.state)
        laws.check_page(self.machine.state, self.machine.clock.now())

    def mode(self, key: str) -> str:
        """How a node is watched."""
        plan = self.machine.engine._world.plans.get(key)
        return plan.mode if plan else ""

    def wait_until_settled(self) -> None:
        """Longer than anything waits: flapping, forgetting, grouping, verdicts of dependencies."""
        wait = self.plan.notify.flap_window + 1500.0
        for _ in range(int(wait // 15.0)):
            self.machine.clock.advance(15.0 - self.machine.clock.now() % 5.0)
            self.machine.take(*(beat for voter in self.voters.values() for beat in voter.beats()), events.Ticked())
            self.readers.deliver(30)
        while (state := self.machine.state).outbox:
            known = outbox.receivers(state)
            for vanished in [m.id for m in state.outbox.values() if m.notifier not in known]:
                self.people.rule(events.Dropped(message=vanished))
            self.people.rule(events.Retried())
            self.people.deliver()


def live(seed: int, counts: Counter[str], *, story: bool = False) -> None:
    """One life; raises `LawBroken` or whatever broke."""
    listen_for_bugs()
    Life(seed, counts, story=story).live()
    counts["lives"] += 1


def main() -> int:
    """What was asked for on the command line."""
    asked = seeds.parser("tests.simulate", "Random lives of the whole core.", "lives", 100).parse_args()
    return seeds.run(asked, live, "lives", "python -m tests.simulate --seed")


if __name__ == "__main__":
    sys.exit(main())
