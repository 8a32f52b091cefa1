"""Uptime arithmetic against tables made by hand. DESIGN section 6: only what was really observed counts."""

import msgspec
import pytest

from crisp_status.core import events, uptime
from crisp_status.core.model import State, Tally
from crisp_status.store.codec import StateEncoder
from tests.core.story import DEAD, HEALTHY, SICK, moment, node, page


def tally(story, key="web/api"):
    """The running day of one key, up to now, in minutes: healthy, sick, dead, maintenance."""
    state = msgspec.json.decode(msgspec.json.encode(story.state), type=State)
    uptime.accrue_all(state, story.now)
    day = dict(state.all_ledgers())[key].day
    return [round(seconds / 60.0, 3) for seconds in (day.healthy, day.sick, day.dead, day.maintenance)]


TABLE = [
    # what happened, each for an hour:                     healthy sick dead maintenance
    (["healthy"], [60, 0, 0, 0]),
    (["sick"], [0, 60, 0, 0]),
    (["dead"], [0, 0, 60, 0]),
    (["healthy", "sick", "dead"], [60, 60, 60, 0]),
    (["pending", "healthy"], [60, 0, 0, 0]),
    (["healthy", "unknown"], [60, 0, 0, 0]),
    (["healthy", "unknown", "healthy"], [120, 0, 0, 0]),
    (["dead", "unknown"], [0, 0, 120, 0]),
    (["dead", "work", "over", "healthy"], [60, 0, 120, 60]),
    (["work", "dead"], [0, 0, 0, 120]),
    (["healthy", "offline", "online"], [120, 0, 0, 0]),
    (["dead", "offline"], [0, 0, 60, 0]),
    (["healthy", "away"], [60, 0, 0, 0]),
    (["healthy", "away", "healthy"], [120, 0, 0, 0]),
    (["dead", "away", "dead"], [0, 0, 120, 0]),
    (["healthy", "forwards"], [120, 0, 0, 0]),
    (["healthy", "back"], [120, 0, 0, 0]),
]


@pytest.mark.parametrize(("happened", "expected"), TABLE)
def test_each_hour_counts_as_what_it_was(tell, happened, expected):
    """Pending, unknown, offline and our own absence are nowhere; a jump of the clock adds and takes nothing."""
    story = tell(node("web/api"))
    for what in happened:
        match what:
            case "healthy" | "sick" | "dead":
                story.seen("web/api", {"healthy": HEALTHY, "sick": SICK, "dead": DEAD}[what])
            case "unknown":
                story.happens(events.Unknown(node="web/api", replica="1", text="?"))
            case "work":
                story.announced("w", maintenance=["web"])
            case "over":
                story.happens(events.Withdrawn(id="w"))
            case "offline":
                story.happens(events.NetworkLost())
            case "online":
                story.happens(events.NetworkBack())
            case "away":
                story.happens(events.Ticked()).restarts("1 h")
                continue
            case "forwards":
                story.jumps("5 h")
            case "back":
                story.jumps("-2 h")
        story.passes("1 h", tick=60)

    assert tally(story) == expected


def test_an_absence_counts_for_nobody(tell):
    """Service and page neither."""
    story = tell(node("web/api")).seen("web/api", HEALTHY).passes("1 h", tick=60).restarts("2 h").passes("1 h", tick=60)

    assert [tally(story, key)[0] for key in ("", "web", "web/api")] == [120, 120, 120]


def test_a_death_is_counted_from_its_first_failed_attempt(tell):
    """At every level."""
    story = tell(node("web/api")).seen("web/api", HEALTHY).passes("10 min", tick=60).seen("web/api", DEAD, ago="2 min")
    story.passes("1 min", tick=60)

    assert [tally(story, key) for key in ("", "web", "web/api")] == [[8, 0, 3, 0]] * 3


def test_levels_above_count_their_worst(tell):
    """And maintenance only where there is nothing else."""
    story = tell(node("a/1"), node("a/2"), node("b/n")).seen("a/1", HEALTHY).seen("a/2", DEAD).seen("b/n", HEALTHY)
    story.passes("1 h", tick=60).announced("w", maintenance=["a/2"]).passes("1 h", tick=60)
    story.announced("w", maintenance=["a"]).passes("1 h", tick=60)
    story.announced("w", maintenance=["a", "b"]).passes("1 h", tick=60)

    assert tally(story, "a") == [60, 0, 60, 120]
    assert tally(story, "b") == [180, 0, 0, 60]
    assert tally(story, "") == [120, 0, 60, 60]


DAYS = [
    ("UTC", "2026-11-22 12:00:00", "2026-11-22", 24),
    ("Europe/Berlin", "2026-03-29 12:00:00", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25 12:00:00", "2026-10-25", 25),
    ("America/New_York", "2026-03-08 12:00:00", "2026-03-08", 23),
    ("America/New_York", "2026-11-01 12:00:00", "2026-11-01", 25),
    ("UTC", "2028-02-29 12:00:00", "2028-02-29", 24),
    ("Asia/Kathmandu", "2026-11-22 20:00:00", "2026-11-23", 24),
    ("Africa/Cairo", "2026-04-24 12:00:00", "2026-04-24", 23),
    ("Asia/Beirut", "2026-03-29 12:00:00", "2026-03-29", 23),
    ("America/Havana", "2026-11-01 12:00:00", "2026-11-01", 25),
]


@pytest.mark.parametrize(("zone", "at", "day", "hours"), DAYS)
def test_a_day_is_a_day_of_the_pages_zone(zone, at, day, hours):
    """It may have 23 or 25 hours, begin at one o'clock, or be the 29th of February."""
    end = uptime.day_end(moment(at), zone)
    begin = next(t for t in (end - h * 3600 for h in range(20, 30)) if uptime.day_end(t - 1, zone) != end)

    assert uptime.day_of(moment(at), zone) == day
    assert (uptime.day_of(end - 1, zone), uptime.day_of(end, zone) > day) == (day, True)
    assert end - begin == hours * 3600


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Pacific/Apia", "Asia/Beirut"]
)
def test_a_days_end_is_always_ahead(zone):
    """Every half hour of a year."""
    at = moment("2011-06-01 00:00:00") if zone == "Pacific/Apia" else moment("2017-06-01 00:00:00")
    for _ in range(2 * 24 * 365):
        end = uptime.day_end(at, zone)
        assert 0 < end - at <= 25 * 3600
        assert uptime.day_of(end, zone) > uptime.day_of(at, zone)
        at += 1800


def test_a_midnight_that_comes_twice():
    """Newfoundland set its clocks back at one minute past midnight: the day before goes on for an hour, then ends again."""
    again = moment("2010-11-07 02:45:00")

    assert uptime.day_of(again, "America/St_Johns") == "2010-11-06"
    assert 0 < uptime.day_end(again, "America/St_Johns") - again <= 3600


@pytest.mark.parametrize(
    ("zone", "day", "minutes"), [("Europe/Berlin", "2026-03-29", 1380), ("Europe/Berlin", "2026-10-25", 1500)]
)
def test_a_healthy_day_of_23_or_25_hours(tell, zone, day, minutes):
    """All of it was observed."""
    start = f"{day} 12:00:00"
    begin = uptime.day_end(moment(start) - 86400, zone)
    story = tell(plan=page(node("web/api"), timezone=zone), start=str(_utc(begin)))
    story.seen("web/api", HEALTHY).passes("26 h", tick=600)

    assert story.state.days[0].key == day
    assert story.state.days[0].usual.healthy == minutes * 60


def _utc(at):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def test_days_are_stored_by_what_was_usual(tell):
    """Most nodes share one tally; only the others are listed. Days before a node was born have no data."""
    nodes = [node(f"web/n{n}") for n in range(5)]
    story = tell(*nodes, start="2026-11-22 22:00:00")
    for one in nodes:
        story.seen(one.key, HEALTHY)
    story.seen("web/n0", DEAD).passes("2 h", tick=60)
    (first,) = story.state.days
    story.reloads(page(*nodes, node("web/late"))).seen("web/late", HEALTHY)
    story.passes("24 h", tick=600)
    born = story.node("web/late").ledger.born

    assert (first.key, first.usual) == ("2026-11-22", Tally(7200.0))
    assert first.others == {"": Tally(0, 0, 7200.0), "web": Tally(0, 0, 7200.0), "web/n0": Tally(0, 0, 7200.0)}
    assert uptime.tallies(story.state, "web/n1", 0.0, 3)[:1] == [("2026-11-22", Tally(7200.0))]
    assert uptime.tallies(story.state, "web/n0", 0.0, 3)[:1] == [("2026-11-22", Tally(0, 0, 7200.0))]
    assert uptime.tallies(story.state, "web/late", born, 3)[0] == ("2026-11-22", None)
    assert uptime.tallies(story.state, "web/late", born, 3)[1] == ("2026-11-23", Tally(86400.0))


def test_the_days_of_one_key(tell):
    """The last so many, oldest first, today last; a day in which nothing was observed is None."""
    story = tell(node("web/api"), start="2026-11-22 12:00:00").seen("web/api", HEALTHY).passes("12 h", tick=600)
    story.seen("web/api", DEAD).passes("12 h", tick=600).seen("web/api", HEALTHY)

    assert uptime.tallies(story.state, "web/api", 0.0, 90) == [
        ("2026-11-22", Tally(43200.0)),
        ("2026-11-23", Tally(0, 0, 43200.0)),
    ]
    assert uptime.tallies(story.state, "web", 0.0, 1) == [("2026-11-23", Tally(0, 0, 43200.0))]
    assert uptime.tallies(story.state, "", 0.0, 1) == [("2026-11-23", Tally(0, 0, 43200.0))]
    assert uptime.tallies(story.state, "web/gone", 0.0, 1) == []
    assert uptime.tallies(story.state, "gone", 0.0, 1) == []


@pytest.mark.parametrize(
    ("days", "share"),
    [
        ([], None),
        ([None, Tally()], None),
        ([Tally(maintenance=60.0)], None),
        ([Tally(healthy=60.0)], 1.0),
        ([Tally(sick=60.0)], 1.0),
        ([Tally(dead=60.0)], 0.0),
        ([Tally(healthy=50.0, sick=25.0, dead=25.0, maintenance=900.0), None], 0.75),
        ([Tally(healthy=90.0), Tally(dead=30.0)], 0.75),
    ],
)
def test_the_share_of_observed_time_that_was_up(days, share):
    """Sick is up, dead is down, maintenance is neither."""
    assert uptime.share(days) == share


def test_days_are_kept_as_long_as_wanted(tell):
    """The oldest go."""
    story = tell(plan=page(node("web/api"), history_days=3)).seen("web/api", HEALTHY).passes("5 d", tick=1800)

    assert [p.key for p in story.state.days] == ["2026-11-24", "2026-11-25", "2026-11-26"]


def test_a_long_absence_is_one_gap(tell):
    """A month later: the day before it, and today; nothing is closed a thousand times."""
    story = (
        tell(node("web/api")).seen("web/api", HEALTHY).passes("1 h", tick=60).restarts("30 d").passes("1 h", tick=60)
    )
    keys = [p.key for p in story.state.days]

    assert keys[0] == "2026-11-22"
    assert len(keys) <= 4
    assert story.state.days[0].usual == Tally(3600.0)
    assert uptime.tallies(story.state, "web/api", 0.0, 90)[-1][0] == "2026-12-22"


def test_an_hour_that_the_clock_went_through_twice(tell):
    """It is set back over midnight: what is added to the day before is added to what it had."""
    story = tell(node("web/api"), start="2026-11-22 22:00:00").seen("web/api", HEALTHY).passes("150 min", tick=60)
    story.seen("web/api", DEAD).jumps("-1 h").passes("1 h", tick=60)

    assert [p.key for p in story.state.days] == ["2026-11-22"]
    minutes = story.state.days[0].others.get("web/api", story.state.days[0].usual)
    assert [minutes.healthy / 60, minutes.dead / 60] == [150, 30]


def test_what_is_over_is_never_changed_in_place(tell):
    """A snapshot keeps the bytes of each period that is over: one that comes again is another."""
    encoder = StateEncoder()
    story = tell(node("web/api"), start="2026-11-22 22:00:00").seen("web/api", HEALTHY)
    for jump in ("2 d", "-2 d", "-1 h", "30 d", "-30 d", "-2 h"):
        story.passes("90 min", tick=60).jumps(jump)
        kept = b"".join(encoder.encode(story.state))

        assert kept == b"".join(StateEncoder().encode(story.state))


def test_a_node_born_in_an_hour_that_came_twice(tell):
    """It was not there the first time: nothing of that is its own."""
    story = tell(node("web/api"), start="2026-11-22 22:00:00").seen("web/api", HEALTHY).passes("150 min", tick=60)
    story.reloads(page(node("web/api"), node("web/late"))).seen("web/late", HEALTHY).jumps("-1 h").passes(
        "40 min", tick=60
    )
    (day,) = story.state.days

    assert day.others.get("web/late", day.usual).healthy == 30 * 60


def test_a_clock_that_was_in_the_future_leaves_no_days_there(tell):
    """They go when the real day ends, not before: a clock that is wrong for a minute costs no history."""
    story = tell(node("web/api")).seen("web/api", HEALTHY).passes("2 d", tick=600)
    kept = [p.key for p in story.state.days]
    story.jumps("10 d").passes("1 d", tick=600).jumps("-11 d").passes("1 h", tick=600)
    assert [p.key for p in story.state.days][: len(kept)] == kept

    story.passes("12 h", tick=600)
    assert [p.key for p in story.state.days] == [*kept, "2026-11-24"]


def test_a_zone_that_changes_ends_the_running_day_elsewhere(tell):
    """Nothing is lost, nothing is counted twice."""
    story = tell(node("web/api"), start="2026-11-22 00:00:00").seen("web/api", HEALTHY).passes("14 h", tick=600)
    story.reloads(page(node("web/api"), timezone="Asia/Tokyo")).passes("25 h", tick=600)

    assert [(p.key, p.usual.healthy / 3600) for p in story.state.days] == [("2026-11-22", 15.0), ("2026-11-23", 24.0)]


def test_nothing_is_tallied_backwards():
    """An event that is older than what is tallied already adds nothing."""
    from crisp_status.core.model import Ledger

    ledger = Ledger(0.0, 100.0)
    uptime.accrue(ledger, 90.0, "healthy")
    uptime.accrue(ledger, 110.0, None)
    uptime.accrue(ledger, 120.0, "sick")

    assert (ledger.since, ledger.day) == (120.0, Tally(0.0, 10.0))
