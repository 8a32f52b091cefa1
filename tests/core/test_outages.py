"""One incident, several outages of its nodes: each is told with its own times, and what is said is true at that moment."""

import msgspec
import pytest

from crisp_status.core import events
from crisp_status.core.incident_records import TimelineKind
from crisp_status.core.model import AffectedNode, Impact, Incident, NotifierProgress, ReasonCode, State
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, MAIL, SICK, Story, moment, node, page, said


def clock(text):
    return moment(f"2026-11-22 {text}")


def well(tell, *nodes, **more):
    """Everything was well for ten minutes."""
    story = tell(*nodes, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    return story.passes("10 min").then()


def fell_again(tell, **more):
    """Alpha keeps the incident open; Shop was down 18:42 to 18:59, and falls again at 19:01."""
    story = well(tell, node("a/alpha"), node("a/shop", 2), start="2026-11-22 18:00:00", **more)
    story.at("18:40:00").seen("a/alpha", DEAD).at("18:42:00").seen("a/shop/1", DEAD).at("18:59:00")
    story.seen("a/shop/1", HEALTHY).at("19:01:00")
    story.owed()
    return story.seen("a/shop/2", DEAD)


def test_a_node_that_falls_again_is_told_with_the_time_of_this_outage(tell):
    """Its first outage is over, also when something else keeps the incident open."""
    story = fell_again(tell).passes("2 min")
    (grew,) = story.owed()
    story.seen("a/shop/2", HEALTHY).passes("5 min")
    (partly,) = story.owed()

    assert (said(grew), grew.since, grew.nodes[0].since) == (
        "mail: grew a/shop=dead",
        clock("19:01:00"),
        clock("19:01:00"),
    )
    assert said(partly) == "mail: partly a/shop=healthy"
    assert (partly.since, partly.until) == (clock("19:01:00"), clock("19:03:00"))
    assert story.node("a/shop").since == clock("19:03:00")


def test_the_incident_remembers_all_of_it(tell):
    """The whole span of the node, the latest outage beside it."""
    affected = fell_again(tell).incident.nodes["a/shop"]

    assert (affected.since, affected.began_at, affected.dead_at) == (
        clock("18:42:00"), clock("19:01:00"), clock("19:01:00"),
    )  # fmt: skip


def test_a_gap_that_nobody_heard_of_does_not_divide_an_outage(tell):
    """Well for five seconds after an hour: whoever was told of the beginning hears of the whole length."""
    story = well(tell, node("a/alpha"), node("a/shop")).seen("a/alpha", DEAD).seen("a/shop", DEAD).passes("1 h")
    story.seen("a/shop", HEALTHY).passes("5 s").seen("a/shop", DEAD).passes("1 min").seen("a/shop", HEALTHY).passes(
        "5 min"
    )
    messages = [m for m in story.owed() if m.kind == "partly"]

    assert [(m.since, m.until) for m in messages] == [(clock("12:10:00"), clock("13:11:05"))]


def test_the_second_outage_of_a_node_that_was_over_in_the_wait_is_told(tell):
    """What was told of the first says nothing of the second."""
    story = fell_again(tell).passes("3 s").seen("a/shop/2", HEALTHY).passes("5 min")
    (partly,) = story.owed()

    assert (said(partly), partly.since, partly.until) == (
        "mail: partly a/shop=healthy", clock("19:01:00"), clock("19:01:03"),
    )  # fmt: skip


def test_a_second_outage_that_is_only_sick_is_not_told_as_dead(tell):
    """How bad the first was does not count."""
    story = fell_again(tell, notifiers=(MAIL,)).passes("2 min").seen("a/shop/2", HEALTHY).passes("10 min")
    story.owed()
    story.seen("a/shop/1", SICK).passes("3 s").seen("a/shop/1", HEALTHY).passes("10 min").then()


def test_a_death_of_which_a_start_delayed_the_alert_is_told(tell):
    """Well and sick again before the prolonged wait is over: that is one outage, and whoever hears of deaths hears of it."""
    story = well(tell, node("a/alpha"), node("a/shop"), notifiers=(MAIL,), notify={"group_wait": 5.0})
    story.seen("a/alpha", DEAD).seen("a/shop", DEAD).restarts("2 min").seen("a/shop", HEALTHY).passes("6 s").then()
    story.seen("a/shop", SICK).passes("5 min").then("mail: opened a/alpha=dead")

    story.seen("a/shop", HEALTHY).passes("5 min").then("mail: partly a/shop=healthy")


def test_an_incident_says_how_it_is_and_its_worst_moment(tell):
    """A stays dead, B and then C die for four seconds: never everything at the same time, so it is major, not critical."""
    story = well(tell, node("s/a"), node("s/b"), node("s/c")).seen("s/a", DEAD).passes("1 min")
    for key in ("s/b", "s/c"):
        story.seen(key, DEAD).passes("4 s").seen(key, HEALTHY).passes("1 min")
    assert (story.incident.worst, story.incident.impact) == (DEAD, Impact.MAJOR)

    story.seen("s/b", DEAD).seen("s/c", DEAD).seen("s/c", HEALTHY).seen("s/b", HEALTHY)
    assert story.incident.impact is Impact.CRITICAL


@pytest.mark.parametrize(
    ("nodes", "health", "impact"),
    [
        ([node("s/a"), node("s/b")], SICK, Impact.MINOR),
        ([node("s/a")], DEAD, Impact.MAJOR),
        ([node("s/a"), node("t/b")], DEAD, Impact.CRITICAL),
    ],
)
def test_impact(tell, nodes, health, impact):
    """Sick is minor; one node alone is never critical."""
    story = well(tell, *nodes)
    for one in nodes:
        story.seen(one.key, health)

    assert story.incident.impact is impact


def test_partly_dead_nodes_are_not_critical(tell):
    """One of two replicas answers."""
    story = well(tell, node("s/a", 2), node("s/b")).seen("s/a/1", DEAD).seen("s/b", DEAD)
    assert story.incident.impact is Impact.MAJOR

    assert story.seen("s/a/2", DEAD).incident.impact is Impact.CRITICAL


def test_names_of_the_past_stay(tell):
    """Renamed after it ended, removed while it lasted: the incident says what they were called."""
    story = well(tell, node("s/a"), node("s/b")).seen("s/a", DEAD).seen("s/b", DEAD).passes("1 min")
    renamed = msgspec.structs.replace(node("s/a"), name="Alpha")
    story.reloads(page(renamed)).passes("1 min")
    assert (story.last.nodes["s/b"].name, story.last.nodes["s/b"].service) == ("b", "s")

    story.seen("s/a", HEALTHY).passes("1 min").reloads(page(node("s/a"))).passes("1 min")
    assert story.last.nodes["s/a"].name == "Alpha"


def test_names_of_an_older_version_are_written_down_before_they_change():
    """What ended before names were recorded gets those of the plan that is replaced."""
    story = Story(page(node("s/a")))
    story.state.closed.append(Incident(9, 0.0, 0.0, story.now, DEAD, {"s/a": AffectedNode(0.0, DEAD, 1.0)}))

    story.reloads(page(msgspec.structs.replace(node("s/a"), name="Alpha")))

    assert story.state.closed[0].nodes["s/a"].name == "a"


def test_lines_of_the_timeline_keep_the_number_of_replicas(tell):
    """The operator adds some later."""
    story = well(tell, node("s/a", 2)).seen("s/a/1", DEAD).reloads(page(node("s/a", 5)))

    assert [e.total for e in story.incident.timeline] == [2]


def test_an_acknowledgement_covers_what_was_bad_then(tell):
    """A chronically sick node is acknowledged; what dies later is told, reminded of, and shown as not acknowledged."""
    story = well(tell, node("s/chronic"), node("s/api"), notify={"reminder_interval": 600.0}).seen("s/chronic", DEAD)
    story.passes("1 min").then("mail: opened s/chronic=dead").happens(events.Acknowledged(incident=1, by="jane"))
    story.passes("2 h", tick=5).then().seen("s/api", DEAD)
    assert (story.incident.acknowledged_at, story.incident.acknowledged_by) == (0.0, "")

    story.passes("12 min").then("mail: grew s/api=dead", "mail: reminder s/api=dead")
    story.happens(events.Acknowledged(incident=1, by="joe")).passes("2 h", tick=5).then()
    assert story.incident.acknowledged_by == "joe"
    assert [e.what for e in story.incident.timeline].count("acknowledged") == 2


def test_what_gets_worse_after_an_acknowledgement_is_reminded_of(tell):
    """Partly dead when it was acknowledged, wholly dead later; the same again within that is covered."""
    story = well(tell, node("s/a", 2), notify={"reminder_interval": 600.0}).seen("s/a/1", DEAD).passes("1 min")
    story.happens(events.Acknowledged(incident=1)).passes("20 min").then("mail: opened s/a=dead")
    story.seen("s/a/1", HEALTHY).passes("3 s").seen("s/a/1", DEAD).passes("20 min").then()

    story.seen("s/a/2", DEAD).passes("11 min").then("mail: grew s/a=dead", "mail: reminder s/a=dead")


def test_a_new_outage_of_an_acknowledged_node_is_not_covered(tell):
    """It was well in between, while another kept the incident open."""
    story = (
        well(tell, node("s/a"), node("s/b"), notify={"reminder_interval": 600.0}).seen("s/a", DEAD).seen("s/b", DEAD)
    )
    story.passes("1 min").happens(events.Acknowledged(incident=1)).seen("s/b", HEALTHY).passes("10 min")
    story.owed()

    story.seen("s/b", DEAD).passes("11 min").then("mail: grew s/b=dead", "mail: reminder s/b=dead")
    story.seen("s/b", HEALTHY).happens(events.Acknowledged(incident=1)).passes("5 min").seen("s/b", DEAD)
    assert story.incident.acknowledged_at == 0.0


def test_an_acknowledgement_of_an_older_version_still_covers():
    """It was written without its nodes."""
    story = Story(page(node("s/a"), node("s/b"), notify={"reminder_interval": 600.0})).seen("s/b", HEALTHY)
    story.seen("s/a", DEAD).passes("1 min").then("mail: opened s/a=dead")
    story.happens(events.Acknowledged(incident=1))
    story.incident.nodes["s/a"].acknowledged = 0

    story.passes("20 min", tick=5).then().seen("s/b", DEAD).passes("12 min").then(
        "mail: grew s/b=dead", "mail: reminder s/b=dead"
    )


def test_a_notifier_of_reminders_hears_of_the_end(tell):
    """The reminder was its beginning; what ends before the first reminder it never hears of."""
    pager = NotifierPlan("pager", "pushover", reminders_only=True)
    story = well(tell, node("s/a"), node("s/b"), notifiers=(pager,), notify={"reminder_interval": 600.0})
    story.seen("s/a", DEAD).seen("s/b", DEAD).passes("5 min").seen("s/b", HEALTHY).passes("6 min")
    story.then("pager: reminder s/a=dead")

    story.seen("s/a", HEALTHY).passes("1 min").then("pager: recovered s/a=healthy")


def flapping(tell, *more, notifiers=(MAIL,)):
    """`s/a` flaps for a quarter of an hour, a minute each way, and everybody was told so."""
    story = well(tell, node("s/a"), *more, notifiers=notifiers)
    for _ in range(8):
        story.seen("s/a", DEAD).passes("1 min").seen("s/a", HEALTHY).passes("1 min")
    assert [m.kind for m in story.owed()][-1] == "unstable"
    return story


def test_what_flapped_and_stays_dead_is_told_within_five_minutes(tell):
    """As DOWN, with the time of its death; never as calm. Its recovery is told, too."""
    story = flapping(tell)
    died = story.now
    story.seen("s/a", DEAD).passes("299 s").then().passes("1 min")
    (down,) = story.owed()

    assert (said(down), down.nodes[0].since) == ("mail: grew s/a=dead", died)
    assert not story.node("s/a").unstable
    story.passes("10 min").seen("s/a", HEALTHY).passes("1 min").then("mail: recovered s/a=healthy")


def test_a_slow_flapper_is_given_as_long_as_it_was_ever_well(tell):
    """Eight minutes well, dead for six: it may come back again."""
    story = well(tell, node("s/a"), notify={"flap_window": 4 * 3600.0})
    for _ in range(4):
        story.seen("s/a", DEAD).passes("8 min", tick=5).seen("s/a", HEALTHY).passes("8 min", tick=5)
    story.owed()
    assert story.node("s/a").unstable

    story.seen("s/a", DEAD).passes("7 min").then().passes("90 s").then("mail: grew s/a=dead")


def test_what_is_only_sick_when_it_is_quiet_calms_down(tell):
    """Calm is for what is not dead."""
    story = flapping(tell).seen("s/a", SICK).passes("1 h", tick=5)

    assert [said(m) for m in story.owed()] == ["mail: calm s/a=sick"]


def test_nothing_is_not_everything_when_nothing_is_bad(tell):
    """A flapping node keeps the incident open: when all are well it is over for whoever is told, and the next is new."""
    story = flapping(tell, node("s/b")).seen("s/b", DEAD).passes("10 min", tick=5)
    assert "mail: grew s/b=dead" in [said(m) for m in story.owed()]
    story.seen("s/b", HEALTHY).passes("10 min", tick=5).then("mail: recovered s/b=healthy")

    story.seen("s/b", DEAD).passes("10 min", tick=5).then("mail: opened s/b=dead")


def test_others_are_those_of_which_the_receiver_knows(tell):
    """Others die in the same minute, and are told in the next message: this one does not say "also"."""
    story = well(tell, *[node(f"s/n{n}") for n in range(4)]).seen("s/n0", DEAD).passes("10 s")
    (first,) = story.owed()
    story.seen("s/n1", DEAD).seen("s/n2", SICK).passes("5 min")
    (second,) = story.owed()

    assert (first.others, second.others) == (0, 1)
    assert said(second) == "mail: grew s/n1=dead"


def test_progress_of_notifiers_that_are_off_divides_nothing(tell):
    """One that is switched off never learns of an end: it does not glue outages together."""
    story = well(tell, node("a/alpha"), node("a/shop")).seen("a/alpha", DEAD).seen("a/shop", DEAD).passes("1 min")
    story.state.open[1].told["off"] = NotifierProgress(nodes={"a/shop": DEAD})
    story.seen("a/shop", HEALTHY).passes("5 min").seen("a/shop", DEAD)

    assert story.incident.nodes["a/shop"].began_at == story.now
    del story.state.open[1].told["off"]


def test_words_of_a_later_version_do_not_refuse_the_state(tell):
    """A reason and a line of the timeline that are not known here are read as the general ones; the rest is kept."""
    story = tell(node("web/api")).seen("web/api", DEAD, reason="refused")
    text = msgspec.json.encode(story.state)
    assert b'"refused"' in text
    assert b'"what":"dead"' in text
    later = text.replace(b'"refused"', b'"eclipsed"').replace(b'"what":"dead"', b'"what":"eclipse"')
    state = msgspec.json.decode(later, type=State)

    assert state.nodes["web/api"].replicas["1"].reason.code is ReasonCode.ERROR
    assert [line.what for line in state.open[1].timeline] == [TimelineKind.OTHER]
    assert state.nodes["web/api"].health is DEAD
