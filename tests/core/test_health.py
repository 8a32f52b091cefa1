"""Worst-of at every level, pending, back-dating, unknown: DESIGN section 6 and the words of section 2."""

import sys

import pytest

from crisp_status.core import events
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.core.step import prepare, step
from crisp_status.core.step_outcome import Durability
from tests.core.story import DEAD, HEALTHY, PENDING, SICK, Story, moment, node, page

WORST = [
    ([PENDING, PENDING], PENDING),
    ([PENDING, HEALTHY], HEALTHY),
    ([HEALTHY, HEALTHY], HEALTHY),
    ([HEALTHY, SICK], SICK),
    ([PENDING, SICK], SICK),
    ([SICK, DEAD], DEAD),
    ([PENDING, DEAD], DEAD),
    ([HEALTHY, DEAD], DEAD),
]


@pytest.mark.parametrize(("replicas", "worst"), WORST)
def test_each_level_takes_the_worst_and_pending_counts_for_nothing(tell, replicas, worst):
    """Replicas to node, nodes to service, services to page."""
    of_node = tell(node("a/n", 2))
    of_service = tell(node("a/1"), node("a/2"))
    of_page = tell(node("a/n"), node("b/n"))
    for place, seen in enumerate(replicas, 1):
        if seen is not PENDING:
            of_node.seen(f"a/n/{place}", seen)
            of_service.seen(f"a/{place}", seen)
            of_page.seen(f"{'ab'[place - 1]}/n", seen)

    assert of_node.node("a/n").health is worst
    assert of_service.state.services["a"].health is worst
    assert of_page.state.health is worst


def test_a_page_of_nothing_is_pending(tell):
    """No services, or a service without nodes: nobody can say that it is fine."""
    assert tell().state.health is PENDING


def test_before_the_first_look_everything_is_grey(tell):
    """Never checked is grey, not green."""
    story = tell(node("web/api", 2))

    assert story.state.health is PENDING
    assert story.node("web/api").counts == [2, 0, 0, 0]


def test_a_death_is_back_dated_to_the_first_failed_attempt(tell):
    """At every level: replica, node, service, page."""
    story = tell(node("web/api")).seen("web/api/1", HEALTHY).at("12:10:31").seen("web/api/1", DEAD, ago="31 s")
    since = moment("2026-11-22 12:10:00")

    assert story.replica("web/api/1").since == since
    assert story.node("web/api").since == since
    assert story.state.services["web"].since == since
    assert (story.state.since, story.state.dead_since) == (since, since)
    assert (story.incident.opened_at, story.incident.seen_at) == (since, since + 31)


def test_a_worse_health_is_not_older_than_the_bad_one_before(tell):
    """Sick at 12:00:10, dead in a look whose first attempt was before that: dead since then, not earlier."""
    story = (
        tell(node("web/api")).at("12:00:10").seen("web/api/1", SICK).at("12:00:20").seen("web/api/1", DEAD, ago="15 s")
    )

    assert story.replica("web/api/1").since == moment("2026-11-22 12:00:10")


def test_recovery_is_now(tell):
    """Nothing is well before it was seen well; the page forgets how long it was dead."""
    story = tell(node("web/api")).seen("web/api/1", DEAD).passes("1 min").seen("web/api/1", HEALTHY)

    assert story.replica("web/api/1").since == story.now
    assert story.state.dead_since == 0.0


def test_the_page_is_dead_in_a_row(tell):
    """The embed counts from the first death, through a second one, until nothing is dead."""
    story = tell(node("a/n"), node("b/n")).seen("a/n", DEAD).passes("1 min").seen("b/n", DEAD).seen("a/n", HEALTHY)

    assert story.state.dead_since == moment("2026-11-22 12:00:00")
    assert story.seen("b/n", SICK).state.dead_since == 0.0


def test_an_error_of_ours_never_makes_anything_dead(tell):
    """It leaves the health as it was, is counted, and its story is kept; the next look ends it."""
    story = tell(node("web/api")).seen("web/api/1", HEALTHY)
    unknown = events.Unknown(node="web/api", replica="1", text="too many open files")
    story.happens(unknown)

    assert story.outcome is Durability.DURABLE
    assert story.node("web/api").health is HEALTHY
    assert story.node("web/api").unknowns == 1
    assert story.replica("web/api/1").failures[-1].text == "too many open files"
    assert story.happens(unknown).outcome is Durability.VOLATILE
    assert story.seen("web/api/1", HEALTHY).outcome is Durability.DURABLE
    assert story.node("web/api").unknowns == 0


def test_a_look_that_changes_nothing_is_not_written(tell):
    """A million healthy looks make no journal; a changed reason does."""
    story = tell(node("web/api")).seen("web/api/1", DEAD)
    written = len(story.journal)

    assert story.seen("web/api/1", DEAD).outcome is Durability.VOLATILE
    assert len(story.journal) == written
    assert story.seen("web/api/1", DEAD, reason="refused").outcome is Durability.DURABLE
    assert story.replica("web/api/1").reason == Reason(ReasonCode.REFUSED, "no answer")


def test_what_is_not_there_is_refused(tell):
    """An unknown node or replica changes nothing at all."""
    story = tell(node("web/api"))
    for key, replica in (("web/api", "9"), ("web/gone", "1")):
        story.refused(events.Observed(node=key, replica=replica, health=DEAD, since=0.0))
        story.refused(events.Unknown(node=key, replica=replica, text="?"))


def test_the_stories_of_the_last_failures_stay(tell):
    """Successes never push them out; the oldest goes when there are more than five."""
    story = tell(node("web/api"))
    for _ in range(7):
        story.passes("1 s").seen("web/api/1", DEAD)
    story.seen("web/api/1", HEALTHY)

    assert [f.at - moment("2026-11-22 12:00:00") for f in story.replica("web/api/1").failures] == [3, 4, 5, 6, 7]


def test_work_that_is_all_there_is_makes_nothing_dead(tell):
    """A node in maintenance does not count above itself; a page of nothing else is healthy."""
    story = tell(node("a/n"), node("b/n")).seen("a/n", DEAD).seen("b/n", HEALTHY)
    story.announced(maintenance=["a/n"])

    assert story.node("a/n").health is DEAD
    assert (story.state.services["a"].health, story.state.health) == (HEALTHY, HEALTHY)
    assert story.seen("b/n", SICK).state.health is SICK
    assert story.announced("more", maintenance=["b"]).state.health is HEALTHY
    assert story.state.counts == [0, 0, 0, 0, 2]


def test_an_event_costs_the_same_for_few_and_for_many():
    """A look, a report or a tick touches its own path: with 100,000 replicas it takes as many steps as with 100."""
    few, many = _cost(100), _cost(100_000)

    assert {name: many[name] <= few[name] * 1.5 for name in few} == dict.fromkeys(few, True), (few, many)


def _cost(replicas: int) -> dict[str, int]:
    """Calls that each event makes on a page of so many replicas."""
    nodes = [node(f"s{n % 20}/n{n}", 10) for n in range(replicas // 10)]
    story = Story(page(node("app/web", mode="push"), *nodes))
    for number in range(5):
        story.reported(f"app/web/{number}")
    for one in nodes[:50]:
        step(story.world, events.Observed(at=story.now, node=one.key, replica="1", health=HEALTHY, since=story.now))
    what = {
        f"{number}: {type(event).__name__}": event
        for number, event in enumerate(
            [
                *(
                    events.Observed(node="s0/n0", replica="1", health=seen, since=story.now)
                    for seen in (DEAD, HEALTHY, SICK)
                ),
                events.Ticked(),
                events.Reported(node="app/web", replica="1", interval=60.0, cpu=1.0),
                events.Unknown(node="s0/n0", replica="2", text="?"),
                events.Noted(incident=1, text="?"),
            ]
        )
    }
    return {name: _calls(story, event) for name, event in what.items()}


def _calls(story: Story, event: events.Event) -> int:
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    event.at = story.now
    sys.setprofile(count)
    prepare(story.world, event)
    step(story.world, event)
    sys.setprofile(None)
    return calls


def test_words_of_health():
    """The words of the configuration, JSON and markup."""
    assert [h.word for h in Health] == ["pending", "healthy", "sick", "dead"]
    assert [h.bad for h in Health] == [False, False, True, True]
