"""What gets worse while it is bad is told like what is new, and once: DESIGN section 6."""

from crisp_status.core import events
from crisp_status.core.holds import why_held
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, MAIL, SICK, node, page, said


def partly(tell, *nodes, **more):
    """One of two replicas is dead, the first notice is out, and an hour has no reminder in it."""
    story = tell(*(nodes or (node("web/api", 2),)), notify={"reminder_interval": 0.0}, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    story.passes("10 min").then().seen("web/api/1", DEAD).passes("1 min")
    (opened, *_) = story.owed()
    assert (opened.nodes[0].numbers, opened.nodes[0].before) == ([1], 0)
    return story


def test_the_last_replica_that_dies_is_told(tell):
    """The node was partly dead, and is wholly: after the wait that growth has."""
    story = partly(tell).seen("web/api/2", DEAD).passes("19 s").then().passes("1 s")
    (grew,) = story.owed()

    assert said(grew) == "mail: grew web/api=dead"
    assert (grew.nodes[0].numbers, grew.nodes[0].before) == ([1, 2], DEAD)
    story.passes("1 h").then().replays()


def test_the_second_of_three_is_no_news(tell):
    """Partly dead it was before."""
    story = partly(tell, node("web/api", 3)).seen("web/api/2", DEAD).passes("5 min").then()

    story.seen("web/api/3", DEAD).passes("1 min").then("mail: grew web/api=dead")


def test_dead_at_once_is_told_at_once(tell):
    """Both die within the grouping wait, or the node has only one: there is nothing to add later."""
    story = tell(node("web/api", 2), node("web/db"), notify={"reminder_interval": 0.0}).seen("web/api", HEALTHY)
    story.seen("web/db", HEALTHY).passes("10 min").seen("web/api/1", DEAD).seen("web/db", DEAD).passes("5 s")
    story.seen("web/api/2", DEAD).passes("1 min").then("mail: opened web/api=dead web/db=dead")

    story.passes("1 h").then()


def test_a_moment_within_the_wait_is_no_news(tell):
    """It is partly dead again before anybody was told."""
    story = partly(tell).seen("web/api/2", DEAD).passes("5 s").seen("web/api/2", HEALTHY)

    story.passes("10 min").then().seen("web/api/1", HEALTHY).passes("1 min").then("mail: recovered web/api=healthy")


def test_from_partly_to_wholly_and_back_is_told_once(tell):
    """Again and again, too slowly to count as flapping: nothing more until it is well."""
    story = partly(tell, notifiers=(MAIL,)).seen("web/api/2", DEAD).passes("1 min").then("mail: grew web/api=dead")
    for _ in range(5):
        story.seen("web/api/2", HEALTHY).passes("40 min").seen("web/api/2", DEAD).passes("40 min")
    story.then()

    story.seen("web/api", HEALTHY).passes("1 min").then("mail: recovered web/api=healthy")


def test_once_well_it_counts_anew(tell):
    """In the same incident, which another node keeps open."""
    story = partly(tell, node("web/api", 2), node("web/db")).seen("web/db", DEAD).passes("1 min")
    story.seen("web/api/2", DEAD).passes("2 min").then("mail: grew web/db=dead", "mail: grew web/api=dead")
    story.seen("web/api", HEALTHY).passes("5 min").then("mail: partly web/api=healthy")

    story.seen("web/api/1", DEAD).passes("5 min").then("mail: grew web/api=dead")
    story.seen("web/api/2", DEAD).passes("5 min").then("mail: grew web/api=dead")


def test_sick_then_partly_then_wholly_dead(tell):
    """Two steps down, two notices, each with what was known before."""
    everything = NotifierPlan("calls", "slack", on=("sick", "dead", "recovered"))
    story = tell(node("web/api", 2), notifiers=(everything,), notify={"reminder_interval": 0.0})
    story.seen("web/api", HEALTHY).passes("10 min").seen("web/api", SICK).passes("1 min")
    story.seen("web/api/1", DEAD).passes("5 min").seen("web/api/2", DEAD).passes("5 min")
    messages = story.owed()

    assert [(m.kind, m.nodes[0].before) for m in messages] == [("opened", 0), ("grew", SICK), ("grew", DEAD)]
    assert [len(m.nodes[0].numbers) for m in messages] == [2, 1, 2]


def test_what_holds_a_notice_back_holds_this_too(tell):
    """With the reason for operators to read; when the hold ends it is told."""
    story = partly(tell).silenced("30 min", "web").seen("web/api/2", DEAD).passes("25 min").is_held("silenced")

    story.passes("6 min").then("mail: grew web/api=dead")
    assert why_held(story.world, story.incident, story.now) == []


def test_a_reminder_that_says_so_comes_first(tell):
    """It names all replicas, so nothing is added to it."""
    story = tell(node("web/api", 2), notify={"group_wait": 60.0, "reminder_interval": 600.0}).seen("web/api", HEALTHY)
    story.passes("10 min").seen("web/api/1", DEAD).passes("1 min").then("mail: opened web/api=dead")
    story.passes("10 min").then("mail: reminder web/api=dead").passes("19.5 min").seen("web/api/2", DEAD)

    story.passes("10 min").then("mail: reminder web/api=dead").passes("10 min").then()


def test_a_partial_reminder_leaves_the_news_for_later(tell):
    """It said of how many, and more than that is news."""
    story = tell(node("web/api", 2), notify={"reminder_interval": 600.0}).seen("web/api", HEALTHY)
    story.passes("10 min").seen("web/api/1", DEAD).passes("11 min")
    story.then("mail: opened web/api=dead", "mail: reminder web/api=dead")

    story.seen("web/api/2", DEAD).passes("1 min").then("mail: grew web/api=dead")


def test_one_that_flapped_and_stays_partly_dead_is_told(tell):
    """Partly dead for good; wholly dead later is news again."""
    story = tell(node("web/api", 2), notify={"reminder_interval": 0.0}).seen("web/api", HEALTHY).passes("10 min")
    for _ in range(4):
        story.seen("web/api/1", DEAD).passes("150 s").seen("web/api/1", HEALTHY).passes("150 s")
    story.owed()
    story.seen("web/api/1", DEAD).passes("1 h").then("mail: grew web/api=dead")

    story.seen("web/api/2", DEAD).passes("5 min").then("mail: grew web/api=dead")


def test_the_last_healthy_replica_that_leaves_is_told(tell):
    """It was taken out of the configuration, or signed off; taking out one that is dead changes nothing."""
    story = partly(tell).reloads(page(node("web/api", 1), notify={"reminder_interval": 0.0}))
    story.passes("1 min").then("mail: grew web/api=dead")

    push = partly_by_report(tell).happens(events.Flushed(node="web/api", replica="c"))
    push.passes("1 min").then().happens(events.Flushed(node="web/api", replica="b"))
    push.passes("5 min").then("mail: grew web/api=dead").replays()


def partly_by_report(tell):
    """A push node: a is dead, c too, b is well."""
    story = tell(node("web/api", mode="push"), notify={"reminder_interval": 0.0})
    for name, health in (("a", DEAD), ("b", HEALTHY), ("c", DEAD)):
        story.reported(f"web/api/{name}", interval=86_400.0, health=health)
    story.passes("1 min").then("mail: opened web/api=dead")
    return story


def test_after_a_restart_it_is_known_what_was_told(tell):
    """What is remembered includes who knows of how much."""
    story = partly(tell).restarts("5 s")
    story.then().seen("web/api/2", DEAD).passes("2 min").then("mail: grew web/api=dead")

    story.restarts("5 s").passes("1 h").then()


def test_no_reminder_says_still_down_of_what_was_told_as_sick(tell):
    """The reminder of another death is due meanwhile, and names only that one; alone there is none."""
    everything = NotifierPlan("calls", "slack", on=("sick", "dead", "recovered"))
    notify = {"group_wait": 60.0, "reminder_interval": 600.0}
    story = tell(node("web/api"), node("web/db"), notifiers=(everything,), notify=notify)
    story.seen("web/api", HEALTHY).seen("web/db", HEALTHY).passes("10 min").seen("web/api", SICK).seen("web/db", DEAD)
    story.passes("10.5 min").then("calls: opened web/db=dead web/api=sick").seen("web/api", DEAD)
    story.passes("45 s").then("calls: reminder web/db=dead").passes("15 s").then("calls: grew web/api=dead")

    story.seen("web/db", SICK).seen("web/api", SICK).passes("19 min").seen("web/db", HEALTHY).passes("2 min")
    story.then("calls: partly web/db=healthy").seen("web/db", DEAD).passes("10 s").then()
    story.passes("2 min").then("calls: grew web/db=dead")
