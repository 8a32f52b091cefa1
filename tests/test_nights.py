"""The whole daemon on simulated machines: some random nights in each run, and what they once found, as stories."""

from __future__ import annotations

import errno
from collections import Counter

import pytest

from crisp_status.core.model import Health
from tests import nights
from tests.simulation.night import Night
from tests.simulation.seeds import told_twice
from tests.simulation.town import DAEMON, Town, Watched

SEEDS = 4
STORY_SEED = "12"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_must_hold_holds_in_random_nights(seed: int) -> None:
    """The page tells the truth in time, who is owed a message gets it once, what was acknowledged stays."""
    counts: Counter[str] = Counter()
    try:
        nights.live(seed, counts, hours=0.2)
    except Exception as error:
        error.add_note(f"its story: python -m tests.nights --hours 0.2 --seed {seed}")
        raise

    assert counts["nights"] == 1
    assert counts["truths that leave no choice"] > 700
    assert counts["messages received"] > 0
    assert counts["answers to visitors"] > 0


def test_a_seed_is_the_same_night_in_every_process() -> None:
    """Whatever order Python gives to sets, and whatever addresses to objects."""
    told = told_twice("tests.nights", "--hours", "0.1", "--seed", STORY_SEED)

    assert told[0].count(b"\n") > 5
    assert told[0] == told[1]


class Small(Town):
    """One service with one node that is looked at: `retry` more attempts of two seconds every ten."""

    retry = 1
    named = False

    def _service(self, service: str) -> str:
        node = Watched(f"{service}/n0", "poll", 10.0, self.retry, 0.5, 2.0, 1.0)
        target = self._target("tcp", 1.0)
        if self.named:
            target.name = "shop.example"
            self.net.names[target.name] = (target.address[0],)
        node.targets[target.url] = target
        node.text = (
            f'[[services]]\nid = "{service}"\nname = "{service}"\n[[services.nodes]]\nid = "n0"\nname = "n0"\nmode = "poll"\n'
            f'replicas = ["{target.url}"]\ninterval = 10\nretry = {self.retry}\nretry_wait = 0.5\ndelay_dead = 2\ndelay_sick = 1\n'
        )
        self.nodes[node.key] = node
        return node.text


class OneAttempt(Small):
    retry = 0


class Named(Small):
    named = True


class NamedOneAttempt(Named):
    retry = 0


def a_night(town: type[Town]) -> Night:
    night = Night(1, Counter(), town=town)
    night.begin()
    night.pass_time(60.0)
    return night


def healths(night: Night) -> set[Health]:
    """Of what is looked at by the daemon."""
    assert night.state is not None, "it runs"
    return {r.health for key, n in night.state.nodes.items() if key.startswith("s") for r in n.replicas.values()}


@pytest.mark.parametrize("town", [Small, OneAttempt])
@pytest.mark.parametrize("seconds", [2.1, 3.3, 5.0, 7.9, 12.0, 25.0])
def test_our_own_network_is_gone_for_a_moment(town: type[Town], seconds: float) -> None:
    """However long it was gone, and whatever was asked when it came back: everybody is well, and nobody was ever dead."""
    night = a_night(town)
    pair = frozenset({DAEMON})
    seen: set[Health] = set()
    try:
        for pause in (10.3, 11.7, 13.9, 17.1, 19.2):
            night.troubles.begin("network", "cut", night.net.now)
            night.net.cuts.add(pair)
            night.pass_time(seconds)
            night.net.cuts.discard(pair)
            night.troubles.end("network", "cut", night.net.now)
            for _ in range(int(pause * 2)):
                night.pass_time(0.5)
                seen |= healths(night)
    finally:
        night.end()

    assert Health.DEAD not in seen


@pytest.mark.parametrize("town", [Named, NamedOneAttempt])
@pytest.mark.parametrize("seconds", [0.5, 3.0, 6.0, 11.0])
def test_our_nameservers_are_gone_for_a_moment(town: type[Town], seconds: float) -> None:
    """A lookup that hangs since then is not waited for again, and the target is not blamed for it."""
    night = a_night(town)
    seen: set[Health] = set()
    try:
        for _ in range(8):
            night.troubles.begin("names", "names", night.net.now)
            night.net.resolver_works = False
            night.pass_time(seconds)
            night.net.resolver_works = True
            night.troubles.end("names", "names", night.net.now)
            for _ in range(33):
                night.pass_time(0.5)
                seen |= healths(night)
    finally:
        night.end()

    assert Health.DEAD not in seen


def test_who_is_really_silent_is_dead_as_soon_as_ever() -> None:
    """The alibi of our own network costs nothing: two attempts of two seconds, and the pause between them."""
    night = a_night(Small)
    target = next(iter(night.town.nodes["s0/n0"].targets.values()))
    try:
        target.become("gone")
        began = night.net.now
        while healths(night) != {Health.DEAD}:
            night.pass_time(0.25)
            assert night.net.now - began < 20.0
        assert night.state is not None
        replica = next(iter(night.state.nodes["s0/n0"].replicas.values()))
        took = night.daemon.clock.now() - replica.since
    finally:
        night.end()

    assert 4.5 <= took < 5.0


def test_a_clock_that_was_set_back_while_we_were_away_holds_up_no_alert() -> None:
    """A machine without a clock of its own may start in the past; nobody waits until that is over."""
    night = a_night(Small)
    try:
        night.die(power=True)
        night.daemon.clock.jump(-3600.0)
        while night.app is None:
            night.pass_time(1.0)
        next(iter(night.town.nodes["s0/n0"].targets.values())).become("gone")
        night.pass_time(60.0)
        taken = night.town.receivers["mail"].taken
    finally:
        night.end()

    assert taken


def test_a_reload_that_meets_a_failing_disk_is_followed_by_all_or_by_nobody() -> None:
    """A node that is in the plan and that nobody looks at would be grey for ever."""
    night = Night(1, Counter(), town=Small)
    night.config = night.configs[1]
    night.begin()
    try:
        night.pass_time(30.0)
        night.troubles.begin("disk", "disk", night.net.now)
        night.disk.errors = {"fsync": errno.EIO}
        night.reload(night.configs[0])
        night.pass_time(5.0)
        night.disk.errors = {}
        night.troubles.end("disk", "disk", night.net.now)
        night.pass_time(120.0)
        seen = healths(night)
    finally:
        night.end()

    assert seen == {Health.HEALTHY}
