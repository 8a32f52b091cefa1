"""A wall clock that is set, a machine that sleeps: nothing that was due comes earlier or later, nothing lies in the future."""

import msgspec
import pytest

from crisp_status.core import events
from crisp_status.core.operator_records import Silence
from tests.core.story import DEAD, HEALTHY, moment, node

JUMPS = ["8 h", "90 d", "30 s", "-30 s", "-8 h", "-90 d"]


def steady(tell, *nodes, **more):
    """All well for an hour."""
    story = tell(*nodes, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    return story.passes("1 h", tick=60)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_grouping_wait_goes_on(tell, jump):
    """Five of its ten seconds are left."""
    story = steady(tell, node("web/api")).seen("web/api", DEAD).passes("5 s").jumps(jump)

    story.passes("4 s").then().passes("2 s").then("mail: opened web/api=dead")


@pytest.mark.parametrize("jump", JUMPS)
def test_a_reminder_goes_on(tell, jump):
    """Half of its hour is left."""
    story = (
        steady(tell, node("web/api"))
        .seen("web/api", DEAD)
        .passes("30 min")
        .then("mail: opened web/api=dead")
        .jumps(jump)
    )

    story.passes("29 min").then().passes("2 min").then("mail: reminder web/api=dead")


@pytest.mark.parametrize("jump", JUMPS)
def test_a_silence_goes_on(tell, jump):
    """Half of it is left."""
    story = steady(tell, node("web/api")).silenced("1 h", "web").passes("30 min", tick=60).jumps(jump)

    assert story.passes("29 min", tick=60).state.silences
    assert not story.passes("2 min", tick=60).state.silences


@pytest.mark.parametrize("jump", JUMPS)
def test_a_retry_and_a_web_hook_go_on(tell, jump):
    """With what was left of their waits."""
    story = steady(tell, node("web/api"), webhooks=("hook",)).seen("web/api", DEAD).passes("10 s")
    for message in story.owed():
        story.happens(events.NotDelivered(message=message.id, error="503", retry_after=600.0))
    story.seen("web/api", HEALTHY).jumps(jump)

    assert all(m.due_at == story.now + 600 for m in story.state.outbox.values())
    assert "hook: hook healthy" in [f"{m.notifier}: {m.kind} {m.health.word}" for m in story.passes("11 s").owed()]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_verdict_on_what_it_depends_on_goes_on(tell, jump):
    """A death is not held back for a day because the clock was."""
    story = steady(tell, node("net/router"), node("web/api", depends_on=("net",))).seen("web/api", DEAD).jumps(jump)

    story.passes("80 s").then("mail: opened web/api=dead")


@pytest.mark.parametrize("jump", ["-8 h", "-90 d"])
def test_after_a_step_back_it_calms_down_in_time(tell, jump):
    """Changes of the last hour stay changes of the last hour."""
    story = steady(tell, node("web/api"))
    for _ in range(5):
        story.seen("web/api", DEAD).passes("1 min").seen("web/api", HEALTHY).passes("1 min")
    story.jumps(jump)
    assert story.passes("40 min", tick=60).node("web/api").unstable

    assert not story.passes("21 min", tick=60).node("web/api").unstable


def test_after_a_step_back_nothing_that_goes_on_lies_in_the_future(tell):
    """It lasted as long as it lasted."""
    story = steady(tell, node("web/api"), node("web/db")).seen("web/api", DEAD).passes("10 min")
    (message,) = story.owed()
    story.happens(events.Delivered(message=message.id)).happens(events.Acknowledged(incident=1, by="jane"))
    story.happens(events.NetworkLost(), events.Tested(notifier="mail")).jumps("-3 h")
    incident, died = story.incident, moment("2026-11-22 10:00:00")

    assert (incident.opened_at, incident.grew_at, incident.seen_at, incident.nodes["web/api"].since) == (died,) * 4
    assert incident.nodes["web/api"].dead_at == died
    assert incident.alerted_at == incident.acknowledged_at == story.now
    assert [e.at for e in incident.timeline] == [died, story.now, story.now]
    assert {story.state.since, story.state.dead_since, story.state.services["web"].since} == {died}
    assert (story.node("web/api").since, story.replica("web/api/1").since) == (died, died)
    assert story.node("web/db").since == moment("2026-11-22 09:00:00")
    assert story.state.offline_since == story.now
    assert [m.created_at for m in story.state.outbox.values()] == [story.now]


def test_a_step_back_does_not_join_what_is_old(tell):
    """A failure long after another one is another incident, whatever the clock said meanwhile."""
    story = (
        steady(tell, node("a/n"), node("b/n")).seen("a/n", DEAD).passes("1 min").jumps("-3 h").passes("6 min", tick=60)
    )

    assert story.seen("b/n", DEAD).state.open.keys() == {1, 2}


def test_an_end_that_was_not_told_yet_moves_too(tell):
    """Its recovery is told with the length that it had."""
    story = steady(tell, node("web/api")).seen("web/api", DEAD).passes("10 min").then("mail: opened web/api=dead")
    story.seen("web/api", HEALTHY).passes("5 s").jumps("-3 h").passes("10 s")
    (recovered,) = story.owed()

    assert recovered.until - recovered.since == 600


def test_time_never_goes_back_without_being_told(tell):
    """An older event counts as now."""
    from crisp_status.core.step import step

    story = steady(tell, node("web/api"))
    at = story.state.at
    step(story.world, events.Ticked(at=at - 50))

    assert story.state.at == story.state.alive_at == at


@pytest.mark.parametrize("jump", JUMPS)
def test_a_word_that_waits_for_the_disk_stays_as_it_was_said(tell, jump):
    """The state moves its own copy: the event may be written after the jump, and a replay would move it once more."""
    story = steady(tell, node("web/api"))
    word = events.Silenced(silence=Silence("quiet", story.now + 3600.0, 0.0, scope="web"))
    story.happens(word)
    said = msgspec.json.encode(word)

    story.jumps(jump)

    assert msgspec.json.encode(word) == said
