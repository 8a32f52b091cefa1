"""What another program remembered becomes ours, once, and without telling anybody."""

from __future__ import annotations

import pytest

from crisp_status.core import events, incidents
from crisp_status.core.history_import import TAKEN_MAX
from crisp_status.core.model import Health, Tally
from crisp_status.core.past import PastDay, PastIncident, PastSpan, PastUpdate, history_name
from crisp_status.core.uptime import share, tallies
from tests.core.story import DEAD, HEALTHY, moment, node, page

DAY = 86400.0


def day(key, **nodes):
    """One day; `web__api` stands for `web/api`."""
    return PastDay(key, {name.replace("__", "/"): tally for name, tally in nodes.items()})


def imported(source="kuma/1", **more):
    return events.HistoryImported(source=source, **more)


@pytest.fixture
def story(tell):
    return tell(node("web/api"), node("web/shop"), start="2026-11-20 12:00:00")


def past(story, key):
    """Down and observed seconds of the days before today, oldest first, by day."""
    born = story.state.ledger.born
    return {
        name: None if tally is None else (round(tally.dead), round(tally.healthy + tally.sick + tally.dead))
        for name, tally in tallies(story.state, key, born, 90)[:-1]
    }


def test_days_are_those_of_the_node_and_of_what_stands_above_it(story):
    """A service and the page were down at least as long as the node that was down longest."""
    story.happens(
        imported(
            days=[
                day("2026-11-19", web__api=Tally(86300.0, 0.0, 100.0), web__shop=Tally(86000.0, 0.0, 400.0)),
                day("2026-11-18", web__api=Tally(43200.0)),
            ]
        )
    )

    assert past(story, "web/api") == {"2026-11-18": (0, 43200), "2026-11-19": (100, 86400)}
    assert past(story, "web/shop") == {"2026-11-18": None, "2026-11-19": (400, 86400)}
    assert past(story, "web") == past(story, "") == {"2026-11-18": (0, 43200), "2026-11-19": (400, 86400)}
    story.then().replays()


def test_it_goes_on_with_our_own_days(story):
    """The next day that ends stands behind what was taken over, and uptime counts both."""
    story.happens(imported(days=[day("2026-11-19", web__api=Tally(dead=86400.0))]))
    story.seen("web/api", HEALTHY).passes("1 d", tick=3600)

    seen = tallies(story.state, "web/api", story.state.ledger.born, 90)
    assert [name for name, _ in seen] == ["2026-11-19", "2026-11-20", "2026-11-21"]
    assert 0 < share(tally for _, tally in seen) < 1
    story.replays()


def test_a_part_is_taken_once(story):
    """The same id again changes nothing; another one adds what is missing."""
    story.happens(imported(days=[day("2026-11-19", web__api=Tally(86400.0))]))

    story.refused(imported(days=[day("2026-11-18", web__api=Tally(86400.0))]))
    story.happens(imported("kuma/2", days=[day("2026-11-19", web__api=Tally(dead=86400.0))]))

    assert past(story, "web/api") == {"2026-11-19": (0, 86400)}


def test_the_list_of_what_was_taken_stays_short(story):
    """Only the newest ids are remembered."""
    for number in range(TAKEN_MAX + 2):
        story.happens(imported(f"part {number}"))

    assert len(story.state.imported) == TAKEN_MAX


def test_our_own_days_stay(story):
    """What this daemon has seen itself, today included, is not replaced."""
    story.seen("web/api", HEALTHY).passes("1 d", tick=3600)
    story.happens(imported(days=[day(key, web__api=Tally(dead=86400.0)) for key in ("2026-11-20", "2026-11-21")]))

    assert past(story, "web/api") == {"2026-11-20": (0, 43200)}


@pytest.mark.parametrize(
    "odd",
    [
        day("2026-11-19", web__gone=Tally(86400.0)),
        day("2026-11-31", web__api=Tally(86400.0)),
        day("2026-12-24", web__api=Tally(86400.0)),
        day("0001-01-01", web__api=Tally(0.0)),
        day("2026-11-19", web__api=Tally(-1.0, dead=5.0)),
        day("2026-11-19", web__api=Tally(86400.0, dead=86400.0)),
    ],
)
def test_days_that_cannot_be_are_left_out(story, odd):
    """Unknown nodes, days that are none or are still to come, more seconds than a day has."""
    story.happens(imported(days=[odd]))

    assert story.state.days == []


def test_no_more_days_than_are_kept(tell):
    """The oldest are left out."""
    story = tell(node("web/api"), start="2026-11-20 12:00:00")
    story.reloads(page(node("web/api"), history_days=2))
    story.happens(imported(days=[day(f"2026-11-{n}", web__api=Tally(86400.0)) for n in range(10, 20)]))

    assert [period.key for period in story.state.days] == ["2026-11-18", "2026-11-19"]


def test_an_incident_that_was_found_by_looking(story):
    """It has its nodes and its story, and it is over."""
    began, ended = moment("2026-11-19 10:00:00"), moment("2026-11-19 10:30:00")
    nodes = {"web/api": PastSpan(began, ended), "web/shop": PastSpan(began + 60, ended - 60, Health.SICK)}
    story.happens(imported(incidents=[PastIncident(began, ended, nodes)]))

    (incident,) = story.state.closed
    assert (incident.opened_at, incident.closed_at, incident.worst) == (began, ended, DEAD)
    assert [(e.what, e.node) for e in incident.timeline] == [
        ("dead", "web/api"),
        ("sick", "web/shop"),
        ("healthy", "web/shop"),
        ("healthy", "web/api"),
    ]
    assert incident.nodes["web/shop"].dead_at == 0.0
    assert incident.services == {"web": 0}
    story.then().replays()


def test_an_incident_that_somebody_wrote(story):
    """Its title and its updates, also when it names nothing that is watched."""
    began, ended = moment("2026-11-19 10:00:00"), moment("2026-11-19 10:30:00")
    updates = [PastUpdate(ended, "Over.", "resolved"), PastUpdate(began, "We look.", "investigating")]
    other = PastIncident(began, ended, {"web/api": PastSpan(began, ended)}, "Mail", DEAD)
    story.happens(imported(incidents=[PastIncident(began, ended, {}, "Payments", Health.SICK, updates), other]))

    incident, with_a_node = story.state.closed
    assert list(with_a_node.nodes) == ["web/api"]
    assert with_a_node.timeline == []
    assert (incident.record.title, incident.record.manual) == ("Payments", True)
    assert [(e.text, e.phase) for e in incident.timeline] == [("We look.", "investigating"), ("Over.", "resolved")]


def test_the_file_of_a_configuration():
    """Its name comes from that of the configuration."""
    assert history_name("config") == "config.history.jsonl"


def test_incidents_stand_in_order_and_new_ones_follow(story):
    """Numbers go on; the closed ones are in the order in which they ended, so that old ones are forgotten first."""
    story.seen("web/api", HEALTHY).seen("web/api", DEAD).seen("web/api", HEALTHY).passes("1 h", tick=60)
    began = moment("2026-11-19 10:00:00")
    span = {"web/api": PastSpan(began, began + 60)}
    story.happens(imported(incidents=[PastIncident(began, began + 60, span)]))

    assert [incident.id for incident in story.state.closed] == [2, 1]
    story.seen("web/api", DEAD)
    assert story.incident.id == 3


@pytest.mark.parametrize(
    "odd",
    [
        PastIncident(0.0, 60.0, {"web/api": PastSpan(0.0, 60.0)}),
        PastIncident(moment("2026-11-19 10:00:00"), moment("2027-11-19 10:00:00"), {}, "Never over"),
        PastIncident(moment("2026-11-19 11:00:00"), moment("2026-11-19 10:00:00"), {}, "Backwards"),
        PastIncident(moment("2026-11-19 10:00:00"), moment("2026-11-19 11:00:00"), {"web/gone": PastSpan(0.0, 1.0)}),
        PastIncident(moment("2026-11-19 10:00:00"), moment("2026-11-19 11:00:00"), {"web/api": PastSpan(0.0, 1.0)}),
    ],
)
def test_incidents_that_cannot_be_are_left_out(story, odd):
    """Too old, not over, backwards, of nothing that is here, or outside of their own time."""
    story.happens(imported(incidents=[odd]))

    assert story.state.closed == []


def test_an_incident_in_two_parts_is_one(story):
    """Who imports again a day later has the newer incidents, and no old one twice."""
    began = moment("2026-11-19 10:00:00")
    first, second = (PastIncident(began + n, began + n + 60, {}, "A") for n in (0, 600))
    story.happens(imported(incidents=[first]), imported("kuma/2", incidents=[first, second]))

    assert [incident.opened_at for incident in story.state.closed] == [began, began + 600]


def test_no_more_incidents_than_are_kept(story):
    """The oldest are left out."""
    began = moment("2026-11-10 10:00:00")
    many = [PastIncident(began + n, began + n + 1, {}, "A") for n in range(incidents.CLOSED_KEPT + 5)]
    story.happens(imported(incidents=many))

    assert len(story.state.closed) == incidents.CLOSED_KEPT
    assert story.state.closed[0].opened_at == began + 5
