"""Announced work: what breaks within it is nobody's incident, what outlasts it is one from its end. DESIGN section 6."""

import msgspec

from crisp_status.core import events
from tests.core.story import DEAD, HEALTHY, SICK, moment, node, page


def working(tell, *nodes, lasts="30 min", **more):
    """All well for ten minutes, then work on `web`, which begins at 12:10."""
    story = tell(*nodes, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    return story.passes("10 min").then().announced(lasts=lasts, maintenance=["web"])


def test_what_breaks_and_heals_within_its_own_window_is_no_incident(tell):
    """Neither for visitors nor for operators: nothing is remembered of it but uptime, as maintenance."""
    story = (
        working(tell, node("web/api")).seen("web/api", DEAD).passes("20 min").seen("web/api", HEALTHY).passes("20 min")
    )

    story.then()
    assert (story.state.open, story.state.closed) == ({}, [])
    assert story.node("web/api").ledger.day.dead == 0.0


def test_what_was_over_before_the_work_is_told(tell):
    """The wait ends while the machine sleeps, and when it wakes the work has begun."""
    story = tell(node("web/api")).seen("web/api", HEALTHY).passes("10 min").then()
    story.announced(begins="1 min", lasts="30 min", maintenance=["web"])
    story.seen("web/api", DEAD).passes("2 s").seen("web/api", HEALTHY).passes("5 min", tick=300.0)

    story.then("mail: recovered web/api=healthy")
    assert story.node("web/api").maintenance


def test_what_breaks_beside_the_window_is_an_incident(tell):
    """Only that, and only it is told."""
    story = (
        working(tell, node("web/api"), node("pay/card")).seen("web/api", DEAD).seen("pay/card", DEAD).passes("1 min")
    )

    story.then("mail: opened pay/card=dead")
    assert list(story.incident.nodes) == ["pay/card"]


def test_the_end_of_work_waits_for_one_look(tell):
    """Servers are restarted until the last minute: what is well at the next look is told to nobody."""
    story = working(tell, node("web/api"), webhooks=("hook",)).seen("web/api", DEAD).passes("30 min")
    assert story.node("web/api").maintenance
    story.passes("40 s").seen("web/api", HEALTHY).passes("10 min").then()

    assert not story.node("web/api").maintenance
    assert (story.state.open, story.state.closed) == ({}, [])


def test_what_outlasts_the_window_is_an_incident_from_its_end(tell):
    """It is seen again forty seconds later; nothing of the time within the window is told."""
    story = working(tell, node("web/api", 2)).seen("web/api/1", DEAD).passes("30 min").passes("40 s")
    story.seen("web/api/1", DEAD)

    assert (story.incident.opened_at, story.incident.seen_at) == (
        moment("2026-11-22 12:40:00"), moment("2026-11-22 12:40:40"),
    )  # fmt: skip
    assert story.node("web/api").since == story.replica("web/api/1").since == moment("2026-11-22 12:40:00")
    (message,) = story.passes("10 s").owed()
    assert (message.since, message.nodes[0].numbers) == (moment("2026-11-22 12:40:00"), [1])
    assert story.seen("web/api/1", HEALTHY).node("web/api").ledger.day.dead == 50.0


def test_all_that_was_bad_is_looked_at_first(tell):
    """One of two is well again; the other one is, too, a minute later."""
    story = working(tell, node("web/api", 2)).seen("web/api", DEAD).passes("30 min").passes("10 s")
    story.seen("web/api/1", HEALTHY).passes("60 s").then().seen("web/api/2", HEALTHY).passes("5 min").then()

    assert story.state.closed == []


def test_what_turns_bad_while_the_other_is_awaited_is_told_with_it(tell):
    """It joins when the work is known to be over."""
    story = working(tell, node("web/api", 2)).seen("web/api/1", DEAD).passes("30 min").passes("10 s")
    story.seen("web/api/2", SICK).passes("10 s").seen("web/api/1", HEALTHY)

    assert (story.node("web/api").health, story.incident.worst) == (SICK, SICK)


def test_nothing_is_awaited_for_ever(tell):
    """No look comes within the time of one: what was known is told. A report is awaited for its own interval."""
    story = working(tell, node("web/api"), node("web/app", mode="push", delay_dead=20.0))
    story.reported("web/app/a", 300.0, health=DEAD).seen("web/api", DEAD).at("12:39:00")
    story.reported("web/app/a", 300.0, health=DEAD).at("12:42:35").then()
    story.passes("20 s").passes("10 s").then("mail: opened web/api=dead")

    story.passes("3 min").then("mail: grew web/app=dead")


def test_an_agent_is_awaited_at_most_a_quarter_of_an_hour(tell):
    """However rarely it reports."""
    story = (
        working(tell, node("web/db", mode="local")).reported("web/db/1", 86_400.0, health=DEAD).at("12:54:59").then()
    )

    story.passes("20 s").then("mail: opened web/db=dead")


def test_without_our_network_the_end_of_work_is_not_judged(tell):
    """Looks find nothing then; it goes on when it is back."""
    story = working(tell, node("web/api")).seen("web/api", DEAD).passes("29 min").happens(events.NetworkLost())
    story.passes("1 h").then().happens(events.NetworkBack()).seen("web/api", HEALTHY).passes("1 min")

    assert [m.kind for m in story.owed()] == ["network"]


def test_new_work_before_the_look_goes_on_with_the_old(tell):
    """The operators need ten minutes more."""
    story = working(tell, node("web/api")).seen("web/api", DEAD).passes("30 min").passes("5 s")
    story.announced("more", lasts="10 min", maintenance=["web"]).passes("5 s").seen("web/api", DEAD).passes(
        "9 min"
    ).then()

    assert story.state.open == {}


def test_a_node_that_is_removed_before_the_look_is_gone(tell):
    """Nothing of it is awaited."""
    story = working(tell, node("web/api"), node("web/db")).seen("web/api", DEAD).passes("30 min")
    story.reloads(page(node("web/db"))).passes("10 min").then()

    assert story.state.unconfirmed == []


def test_the_last_living_replica_is_taken_away_within_the_window(tell):
    """What is left is wholly dead, and in no incident: nothing is told, and the end of the work is awaited as ever."""
    story = working(tell, node("web/api", 2)).seen("web/api/2", DEAD).passes("1 min")
    gone = node("web/api", 2)
    story.reloads(page(msgspec.structs.replace(gone, replicas=gone.replicas[1:]))).passes("1 min").then()

    assert story.node("web/api").wholly_dead
    assert story.state.open == {}


def test_a_death_before_the_window_is_told_to_be_over_within_it(tell):
    """Its incident goes on in the window, and a replica that breaks in the window does not join it."""
    story = tell(node("web/api", 2)).seen("web/api", HEALTHY).passes("1 min").seen("web/api/1", DEAD).passes("1 min")
    story.then("mail: opened web/api=dead").announced(lasts="30 min", maintenance=["web"]).seen("web/api/2", DEAD)
    assert story.incident.bad == 1

    story.seen("web/api/1", HEALTHY).passes("1 min").then("mail: recovered web/api=healthy")
