"""Incidents: joining, opening, growing, closing, reopening; the timeline."""

import msgspec

from crisp_status.core import events, incidents
from crisp_status.core.model import Incident
from crisp_status.core.policy import ReplicaPlan
from tests.core.story import DEAD, HEALTHY, SICK, moment, node, page


def well(tell, *nodes, **more):
    """A page on which everything is well, some minutes old."""
    story = tell(*nodes, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    return story.passes("10 min")


def test_an_outage_is_an_incident_from_its_first_failed_attempt_to_its_end(tell):
    """It opens back-dated, closes when all is well, and stays readable."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD, ago="30 s").passes("5 min").seen("web/api/1", HEALTHY)
    ended = story.now
    (incident,) = story.passes("1 min").state.closed

    assert (incident.id, incident.opened_at, incident.closed_at) == (1, moment("2026-11-22 12:09:30"), ended)
    assert [(e.what, e.node, e.replicas) for e in incident.timeline] == [
        ("dead", "web/api", [1]),
        ("healthy", "web/api", [1]),
    ]
    assert story.state.incident(1) is incident
    assert story.state.incident(2) is None


def test_what_fails_together_is_one_incident(tell):
    """Other services within five minutes of the last growth join; each growth gives five more."""
    story = well(tell, node("a/n"), node("b/n"), node("c/n")).seen("a/n", DEAD)
    story.passes("4 min").seen("b/n", DEAD).passes("4 min").seen("c/n", SICK)

    assert list(story.incident.nodes) == ["a/n", "b/n", "c/n"]
    assert story.incident.services == {"a": 1, "b": 1, "c": 1}


def test_a_fault_of_another_time_is_another_incident(tell):
    """Ten minutes later another service fails: its own incident; the first one's service stays with the first."""
    story = well(tell, node("a/1"), node("a/2"), node("b/n")).seen("a/1", DEAD)
    story.passes("10 min").seen("b/n", DEAD).passes("10 min").seen("a/2", DEAD)

    assert [list(i.nodes) for i in story.state.open.values()] == [["a/1", "a/2"], ["b/n"]]


def test_of_two_incidents_the_one_that_grew_last_is_joined(tell):
    """A third service belongs to what is happening now."""
    story = (
        well(tell, node("a/n"), node("b/n"), node("c/n"), node("a/2"))
        .seen("a/n", DEAD)
        .passes("6 min")
        .seen("b/n", DEAD)
    )
    story.passes("1 min").seen("a/2", DEAD).passes("1 min").seen("c/n", DEAD)

    assert [list(i.nodes) for i in story.state.open.values()] == [["a/n", "a/2", "c/n"], ["b/n"]]


def test_it_ends_when_everything_in_it_is_well(tell):
    """Not before; each node has its own span."""
    story = (
        well(tell, node("a/n", 2), node("b/n"))
        .seen("a/n", DEAD)
        .seen("b/n", SICK)
        .passes("1 min")
        .seen("a/n/1", HEALTHY)
    )
    first_half = dict(story.incident.nodes)["a/n"].well_at
    story.passes("1 min").seen("a/n/2", HEALTHY).passes("1 min").seen("b/n", HEALTHY)

    assert first_half == 0.0
    assert story.last.nodes["a/n"].well_at == moment("2026-11-22 12:12:00")
    assert story.last.closed_at == moment("2026-11-22 12:13:00")


def test_sick_then_dead_is_one_story(tell):
    """It remembers the worst, and since when it was dead."""
    story = well(tell, node("web/api")).seen("web/api/1", SICK).passes("1 min").seen("web/api/1", DEAD).passes("1 min")
    hurt = story.seen("web/api/1", SICK).incident.nodes["web/api"]

    assert (hurt.worst, hurt.since, hurt.dead_at) == (
        DEAD,
        moment("2026-11-22 12:10:00"),
        moment("2026-11-22 12:11:00"),
    )
    assert [e.what for e in story.incident.timeline] == ["sick", "dead", "sick"]


def test_an_older_first_sight_moves_the_beginning(tell):
    """A slower look brings news of an earlier failure."""
    story = well(tell, node("web/api", 2)).seen("web/api/1", DEAD).passes("5 s").seen("web/api/2", DEAD, ago="31 s")

    assert story.incident.opened_at == moment("2026-11-22 12:09:34")


def test_one_that_ended_a_moment_ago_goes_on(tell):
    """Nobody was told of the end yet: it is the same outage."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD).passes("2 min").seen("web/api/1", HEALTHY)
    story.passes("5 s").seen("web/api/1", DEAD)

    assert story.incident.id == 1
    story.passes("1 min").then("mail: opened web/api=dead")


def test_one_whose_end_was_told_stays_ended(tell):
    """The next failure is another incident."""
    story = (
        well(tell, node("web/api")).seen("web/api/1", DEAD).passes("2 min").seen("web/api/1", HEALTHY).passes("2 min")
    )

    assert story.seen("web/api/1", DEAD).incident.id == 2


def test_replicas_that_fail_together_are_one_line(tell):
    """Up to twenty numbers, then they are counted; the same one is not listed twice."""
    story = well(tell, node("web/api", 25)).seen("web/api", DEAD)
    (line,) = story.incident.timeline

    assert (line.replicas, line.more) == (list(range(1, 21)), 5)
    story.seen("web/api/1", HEALTHY).seen("web/api/1", DEAD)
    assert [e.what for e in story.incident.timeline] == ["dead", "healthy", "dead"]


def test_a_replica_that_took_anothers_number_is_not_listed_twice(tell):
    """The operator changed their order in the middle of it."""
    story = well(tell, node("web/api", 2)).seen("web/api/1", DEAD)
    turned = msgspec.structs.replace(node("web/api"), replicas=(ReplicaPlan("2"), ReplicaPlan("1")))
    story.reloads(page(turned)).seen("web/api/2", DEAD)

    assert [(e.what, e.replicas) for e in story.incident.timeline] == [("dead", [1])]


def test_minutes_apart_they_are_two_lines(tell):
    """And so they are when something else happened to the node in between."""
    story = well(tell, node("web/api", 2)).seen("web/api/1", DEAD).passes("3 min").seen("web/api/2", DEAD)

    assert [(e.what, e.replicas) for e in story.incident.timeline if e.what == "dead"] == [("dead", [1]), ("dead", [2])]


def test_a_line_is_sought_only_a_little_back(tell):
    """Twenty nodes later it is a new line, so that an event costs the same in a long incident."""
    nodes = [node(f"web/n{n}", 2) for n in range(20)]
    story = well(tell, *nodes)
    for one in nodes:
        story.seen(f"{one.key}/1", DEAD)
    story.seen("web/n0/2", DEAD).seen("web/n19/2", DEAD)

    assert [(e.node, e.replicas) for e in story.incident.timeline][-2:] == [("web/n19", [1, 2]), ("web/n0", [2])]


def test_the_timeline_is_bounded_and_operators_words_always_fit(tell):
    """After 400 lines the rest is counted."""
    story = well(tell, node("web/api", 2), notify={"flap_changes": 0}).seen("web/api/2", DEAD)
    for _ in range(210):
        story.passes("200 s", tick=200).seen("web/api/1", DEAD).passes("200 s", tick=200).seen("web/api/1", HEALTHY)
    story.happens(events.Noted(incident=1, text="still here"))

    assert len(story.incident.timeline) == incidents.TIMELINE_KEPT + 1
    assert story.incident.timeline[-1].text == "still here"
    assert story.incident.dropped > 0


def test_a_removed_replica_leaves_its_incident(tell):
    """And ends it, when it was the last one."""
    story = tell(node("app/push", mode="push")).reported("app/push/a", health=DEAD)
    story.happens(events.Flushed(node="app/push", replica="a"))

    assert [e.what for e in story.last.timeline] == ["dead", "removed"]
    assert story.last.closed_at == story.now


def test_an_acknowledged_one_says_so_once(tell):
    """The second word changes nothing; one that is over, or was never there, is refused."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD)
    story.happens(events.Acknowledged(incident=1, by="jane")).passes("1 min")
    story.happens(events.Acknowledged(incident=1, by="joe"))

    assert story.incident.acknowledged_by == "jane"
    assert [e.what for e in story.incident.timeline] == ["dead", "acknowledged"]
    story.refused(events.Acknowledged(incident=7))
    story.seen("web/api/1", HEALTHY).refused(events.Acknowledged(incident=1))


def test_notes_go_to_open_and_closed_incidents(tell):
    """Up to 500; more, or to one that never was, is refused."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD).seen("web/api/1", HEALTHY).passes("1 min")
    for _ in range(500):
        story.happens(events.Noted(incident=1, text="the cable"))

    assert story.state.closed[0].timeline[-1].text == "the cable"
    story.refused(events.Noted(incident=1, text="too much")).refused(events.Noted(incident=2, text="where?"))


def test_old_incidents_are_forgotten(tell):
    """After `history_days`; and the oldest when there are too many."""
    story = well(tell, plan=page(node("web/api"), history_days=2))
    story.seen("web/api/1", DEAD).seen("web/api/1", HEALTHY).passes("1 min").passes("1 d", tick=3600)
    story.seen("web/api/1", DEAD).seen("web/api/1", HEALTHY).passes("1 min")
    both = [i.id for i in story.state.closed]
    story.passes("25 h", tick=600)

    assert (both, [i.id for i in story.state.closed]) == ([1, 2], [2])


def test_closed_incidents_are_bounded():
    """A page that breaks every minute for a day keeps the newest two thousand."""
    from crisp_status.core.model import State

    state = State()
    for number in range(incidents.CLOSED_KEPT + 3):
        state.open[number] = Incident(number, 0.0, 0.0)
        incidents.archive(state, state.open[number])

    assert [i.id for i in (state.closed[0], state.closed[-1])] == [3, incidents.CLOSED_KEPT + 2]
