"""Who asked for it hears when announced work begins and ends. DESIGN section 6, notices."""

from crisp_status.core import events
from crisp_status.core.policy import NotifierPlan
from tests.core.story import MAIL, node, page, said

CREW = NotifierPlan("crew", "slack", on=("maintenance",))


def work(tell, *notifiers, begins="10 s", lasts="1 h", maintenance=("a",), rrule="", **more):
    story = tell(node("a/n"), node("b/n"), notifiers=notifiers or (MAIL, CREW), **more)
    return story.announced(begins=begins, lasts=lasts, maintenance=maintenance, rrule=rrule)


def test_it_is_told_when_work_begins_and_ends(tell):
    """To those who asked for it, with title, nodes and times."""
    story = work(tell).passes("5 s").then().passes("10 s")
    (begun,) = story.owed()
    assert (begun.notifier, begun.kind, begun.work_title) == ("crew", "work_begun", "Work")
    assert [w.node for w in begun.nodes] == ["a/n"]
    assert begun.until - begun.since == 3600

    (over,) = story.passes("1 h").owed()
    assert (over.kind, over.since, over.until) == ("work_over", begun.since, begun.until)
    story.passes("1 h").then()


def test_only_those_hear_it_who_hear_of_the_service(tell):
    """Not those that are off, want reminders only, or hear of other services."""
    others = [
        NotifierPlan("other", "slack", on=("maintenance",), services=("b",)),
        NotifierPlan("off", "slack", on=("maintenance",), enabled=False),
        NotifierPlan("second", "slack", on=("maintenance",), reminders_only=True),
    ]
    work(tell, CREW, *others).passes("1 min").then("crew: work_begun a/n=pending")


def test_web_hooks_hear_of_it_when_they_ask(tell):
    """And one that asks for nothing else hears no change of health."""
    story = work(tell, MAIL, webhooks=("old", "both"), hooks_on=(("health",), ("maintenance",))).passes("1 min")
    story.then("both: work_begun a/n=pending")


def test_work_that_is_taken_down_is_over_then(tell):
    """Open-ended, too."""
    story = work(tell, begins="0 s", lasts="").passes("10 min")
    (begun,) = story.owed()
    assert begun.until == 0.0
    story.happens(events.Withdrawn(id="work")).passes("1 s")
    (over,) = story.owed()
    assert (over.kind, over.until) == ("work_over", story.now)


def test_work_that_is_edited_meanwhile_is_told_once(tell):
    """Its end is the new one."""
    story = work(tell, begins="0 s").passes("1 min")
    (begun,) = story.owed()
    story.announced(begins="-60 s", lasts="2 h", maintenance=("a",)).passes("90 min").then()
    (over,) = story.passes("1 h").owed()
    assert over.until == begun.since + 7200


def test_a_restart_tells_nothing_twice(tell):
    """What ended while we were away is told to be over, with the time of its end; what came and went is not told."""
    story = work(tell, begins="0 s").passes("1 min")
    (begun,) = story.owed()
    story.announced("other", begins="1 h", lasts="10 min", maintenance=("b",))
    story.restarts("5 s").passes("1 min").then()
    story.restarts("3 h").passes("1 min")
    (over,) = story.owed()
    assert (over.kind, over.until) == ("work_over", begun.until)


def test_work_that_comes_again_is_told_again(tell):
    """Also when we were away from one window to the next."""
    story = work(tell, begins="0 s", rrule="FREQ=DAILY").passes("1 min").restarts("24 h").passes("1 min")

    assert [said(m) for m in story.owed()] == [
        "crew: work_begun a/n=pending", "crew: work_over a/n=pending", "crew: work_begun a/n=pending",
    ]  # fmt: skip


def test_work_on_many_nodes_is_counted(tell):
    """As in any message."""
    nodes = [node(f"a/n{i}") for i in range(25)]
    story = tell(*nodes, notifiers=(CREW,)).announced(lasts="1 h", maintenance=("a",)).passes("1 min")
    (begun,) = story.owed()
    assert (len(begun.nodes), begun.more) == (20, 5)


def test_the_service_may_be_gone_when_it_is_over(tell):
    """Everybody who asked hears of it."""
    story = work(tell, begins="0 s").passes("1 min")
    story.owed()
    story.reloads(page(node("b/n"), notifiers=(NotifierPlan("crew", "slack", on=("maintenance",), services=("b",)),)))
    (over,) = story.passes("1 h").owed()
    assert said(over) == "crew: work_over"
