"""A view is made ready in pieces, with other work between them, and shows one moment all the same."""

import random

from crisp_status.core.events import (
    Announced,
    ClockJumped,
    NetworkBack,
    NetworkLost,
    Observed,
    Ticked,
    Unknown,
    Withdrawn,
)
from crisp_status.core.model import Health
from crisp_status.core.operator_records import Announcement
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.view import build as building
from crisp_status.view.build import ViewCache, build, prepare
from tests.formats import samples
from tests.formats.samples import NO_ANSWER, NOW

ACME = samples.acme()
NODES = 3 * building.PIECE


class Day:
    """A tree of several pieces to which something happens all the time."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(samples.many(10, NODES // 10).settle())
        self.state = self.world.state
        self.now = NOW
        step(self.world, Ticked(at=NOW))

    def happens(self) -> None:
        """One thing, some time later, on the same day: after it rows follow in their own time (`ROLLED_AT_ONCE`)."""
        dice, key = self.dice, f"v{self.dice.randrange(10)}/n{self.dice.randrange(NODES // 10)}"
        self.now += dice.choice((0.0, 0.5, 7.0, 61.0))
        replica, work = dice.choice(list(self.state.nodes[key].replicas)), f"w{dice.randrange(3)}"
        ends = dice.choice((0.0, self.now + 90.0))
        words = Announcement(work, "Work", "", self.now, self.now, ends, [dice.choice((key, key.partition("/")[0]))])
        bad, since = dice.choice((Health.DEAD, Health.SICK)), self.now - dice.choice((0.0, 2.0, 90.0))
        events = (
            Observed(node=key, replica=replica, health=bad, since=since, reason=NO_ANSWER),
            Observed(node=key, replica=replica, health=bad, since=since, reason=NO_ANSWER),
            Observed(node=key, replica=replica, health=Health.HEALTHY, since=self.now, latency_ms=dice.randrange(900)),
            Unknown(node=key, replica=replica, text="no socket is free"),
            NetworkLost() if dice.random() < 0.3 else NetworkBack(),
            Announced(announcement=words),
            Withdrawn(id=work),
            ClockJumped(before=self.now - 5.0),
            Ticked(),
        )
        event = dice.choice(events)
        event.at = self.now
        step(self.world, event)


def test_what_happens_between_two_pieces_is_in_the_view():
    """After each piece something changes anywhere, before and behind it; the view is that of a build from nothing."""
    for seed in range(2):
        day, cache = Day(seed), ViewCache()
        for _ in range(8):
            pieces = 0
            for _ in prepare(day.state, day.now, cache):
                pieces += 1
                for _ in range(3):
                    day.happens()
            assert pieces == NODES // building.PIECE
            view, fresh = build(day.state, ACME, day.now, cache), build(day.state, ACME, day.now)
            assert view.nodes == fresh.nodes
            assert view == fresh


def test_a_new_plan_between_two_pieces_ends_them():
    """What was made ready for the old plan is not taken for the new one."""
    day, cache = Day(1), ViewCache()
    for _ in prepare(day.state, day.now, cache):
        other = samples.many(2, 5).settle()
        day.state.plan, day.state.nodes, day.state.services = other.plan, other.nodes, other.services
    assert build(day.state, ACME, day.now, cache).nodes == build(day.state, ACME, day.now).nodes


def test_little_is_left_to_do_in_one_go():
    """Rows that are ready are the same objects in the view, those of nodes that are not well too."""
    day, cache = Day(2), ViewCache()
    for _ in range(200):
        day.happens()
    for _ in prepare(day.state, day.now, cache):
        pass
    ready = {key: row.view for key, row in cache.rows.items()}
    view = build(day.state, ACME, day.now + 1.0, cache)
    made = [key for key in view.nodes if view.nodes[key] is not ready[key]]
    assert len([n for n in view.nodes.values() if n.look != "ok"]) > 20
    assert len(made) < 10
