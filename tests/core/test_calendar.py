"""Announcements in time: future, expiring, recurring across daylight saving. RFC 5545; DESIGN section 2."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crisp_status.core import calendar, events
from crisp_status.core.calendar import PAST_MOST, is_running, past_starts, window
from crisp_status.core.operator_records import Announcement
from tests.core.story import HEALTHY, moment, node, page


def work(starts, ends="", rrule="", **more):
    return Announcement(
        "w", "Work", starts_at=moment(starts), expires_at=moment(ends) if ends else 0.0, rrule=rrule, **more
    )


def local(at, zone):
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def test_a_window_comes_runs_and_is_over():
    """Half-open; without an end it lasts for ever."""
    once = work("2026-11-22 12:00:00", "2026-11-22 13:00:00")
    times = ["11:59:59", "12:00:00", "12:59:59", "13:00:00"]

    assert [is_running(once, moment(f"2026-11-22 {t}"), "UTC") for t in times] == [False, True, True, False]
    assert window(once, moment("2026-11-22 13:00:00"), "UTC") is None
    assert window(work("2026-11-22 12:00:00"), moment("2099-01-01 00:00:00"), "UTC")[1] == calendar.FOREVER


DAYLIGHT = [
    ("Europe/Berlin", "2026-03-01 21:00:00", "2026-03-27", ["22:00", "22:00", "22:00", "22:00"]),
    ("Europe/Berlin", "2026-10-01 20:00:00", "2026-10-23", ["22:00", "22:00", "22:00", "22:00"]),
    ("America/New_York", "2026-03-01 03:00:00", "2026-03-06", ["22:00", "22:00", "22:00", "22:00"]),
    ("America/New_York", "2026-10-01 02:00:00", "2026-10-30", ["22:00", "22:00", "22:00", "22:00"]),
    ("Europe/Berlin", "2026-03-01 01:30:00", "2026-03-27", ["02:30", "03:30", "02:30", "02:30"]),
    ("Europe/Berlin", "2026-10-01 00:30:00", "2026-10-23", ["02:30", "02:30", "02:30", "02:30"]),
]


@pytest.mark.parametrize(("zone", "first", "from_day", "expected"), DAYLIGHT)
def test_ten_in_the_evening_stays_ten_in_the_evening(zone, first, from_day, expected):
    """Across the day of 23 and the day of 25 hours; an hour that is skipped comes an hour later."""
    daily = work(first, "", "FREQ=DAILY")
    daily.expires_at = daily.starts_at + 3600
    at, found = moment(f"{from_day} 12:00:00"), []
    for _ in expected:
        start, end = window(daily, at, zone)
        found.append(local(start, zone)[11:])
        assert end - start == 3600
        at = end

    assert expected == found


def test_every_hour_of_a_year_agrees_with_a_search_from_anew():
    """What is remembered between two looks changes nothing, whichever way time goes."""
    zone = "Europe/Berlin"
    weekly = work("2026-01-04 01:00:00", "2026-01-04 04:00:00", "FREQ=WEEKLY;BYDAY=SU,WE")
    hours = [weekly.starts_at + 3600.0 * n for n in range(24 * 365)]
    forwards = [window(weekly, at, zone) for at in hours]
    backwards = [window(weekly, at, zone) for at in reversed(hours)][::-1]
    calendar._found.clear()

    assert forwards == backwards
    assert all(start <= at < end or start > at for (start, end), at in zip(forwards, hours, strict=True))
    assert len(set(forwards)) in {105, 106}


def test_a_window_in_the_hour_that_comes_twice():
    """02:10 the second time: the one of 02:30 has begun the first time and runs; the next comes tomorrow."""
    daily = work("2026-10-01 00:30:00", "2026-10-01 01:00:00", "FREQ=DAILY")
    second_time = datetime(2026, 10, 25, 1, 10, tzinfo=UTC).timestamp()  # 02:10 CET, after 02:30 CEST
    start, _ = window(daily, second_time, "Europe/Berlin")

    assert local(start, "Europe/Berlin") == "2026-10-26 02:30"


@pytest.mark.parametrize(
    ("until", "last"),
    [("20260120T225959Z", "2026-01-20"), ("20260120T230000Z", "2026-01-21"), ("20260121T000000", "2026-01-21")],
)
def test_until_in_utc_is_understood_on_the_wall_clock(until, last):
    """As RFC 5545 writes it; midnight in Berlin is 23:00 in UTC."""
    daily = work("2026-01-09 23:00:00", "2026-01-10 00:00:00", f"RRULE:FREQ=DAILY;UNTIL={until}")
    at, starts = daily.starts_at, []
    while found := window(daily, at, "Europe/Berlin"):
        starts.append(local(found[0], "Europe/Berlin"))
        at = found[1]

    assert (starts[0], starts[-1]) == ("2026-01-10 00:00", f"{last} 00:00")
    assert window(daily, at + 1e7, "Europe/Berlin") is None


def test_what_is_years_ahead_is_not_sought():
    """More than 400 days: it is as good as over."""
    leap = work("2024-02-29 00:00:00", "2024-02-29 01:00:00", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")

    assert window(leap, moment("2024-03-01 00:00:00"), "UTC") is None
    assert local(window(leap, moment("2027-03-01 00:00:00"), "UTC")[0], "UTC") == "2028-02-29 00:00"


def test_many_rules_are_remembered_and_forgotten():
    """The memory of rules is bounded."""
    for number in range(300):
        one = work("2026-01-01 00:00:00", "2026-01-01 01:00:00", "FREQ=DAILY")
        one.starts_at += number
        one.expires_at += number
        assert window(one, moment("2026-06-01 12:00:00"), "UTC") is not None

    assert len(calendar._found) <= 256


def test_a_long_life_of_a_rule_costs_one_walk():
    """Asked every second for a day, a rule of ten years is searched twice, not 86,400 times."""
    import sys

    daily = work("2016-01-01 00:00:00", "2016-01-01 01:00:00", "FREQ=DAILY")
    begins, calls = moment("2026-06-01 12:00:00"), 0

    def count(frame, event, _):
        nonlocal calls
        calls += event == "call" and frame.f_code.co_name == "_search"

    sys.setprofile(count)
    for second in range(0, 86_400, 10):
        window(daily, begins + second, "UTC")
    sys.setprofile(None)

    assert calls == 2


def test_a_maintenance_begins_and_ends_by_itself(tell):
    """Announced ahead; a service, a node; its windows are known by id."""
    story = tell(node("web/api"), node("pay/card")).seen("web/api", HEALTHY)
    story.announced("w", begins="10 min", lasts="30 min", maintenance=["web"])
    assert not story.passes("599 s").node("web/api").maintenance
    assert story.passes("1 s").node("web/api").maintenance
    assert (story.state.windows, story.node("pay/card").maintenance) == (["w"], False)

    assert not story.passes("30 min").node("web/api").maintenance
    assert story.state.windows == []


def test_two_overlapping_ones_end_with_the_last(tell):
    """Each counts."""
    story = tell(node("web/api")).announced("a", lasts="10 min", maintenance=["web/api"])
    story.announced("b", begins="5 min", lasts="10 min", maintenance=["web"]).passes("12 min")

    assert story.node("web/api").maintenance
    assert not story.passes("3 min").node("web/api").maintenance


def test_taking_it_down_ends_it(tell):
    """And so does replacing it by words."""
    story = tell(node("web/api")).announced("a", maintenance=["web"]).happens(events.Withdrawn(id="a"))
    assert not story.node("web/api").maintenance

    story.announced("a", maintenance=["web"]).announced("a")
    assert not story.node("web/api").maintenance


def test_a_recurring_one_comes_again(tell):
    """Every night at ten, in the page's zone, also after the clocks have changed."""
    story = tell(plan=page(node("web/api"), timezone="Europe/Berlin"), start="2026-10-24 12:00:00")
    story.announced("w", begins="8 h", lasts="1 h", maintenance=["web"], rrule="FREQ=DAILY")
    times = []
    for _ in range(3 * 24 * 4):
        was = story.node("web/api").maintenance
        if story.passes("15 min", tick=900).node("web/api").maintenance != was:
            times.append(local(story.now, "Europe/Berlin")[8:])

    assert times == ["24 22:00", "24 23:00", "25 22:00", "25 23:00", "26 22:00", "26 23:00"]


def test_old_words_are_forgotten(tell):
    """`history_days` after they ended; never those that recur, have no end, or stand in the file."""
    story = tell(plan=page(node("web/api"), history_days=2))
    story.announced("over", lasts="1 h").announced("again", lasts="1 h", rrule="FREQ=DAILY").announced("open")
    story.passes("3 d", tick=3600)

    assert list(story.state.announcements) == ["again", "open"]


def test_old_words_of_the_file_stay(tell):
    """It says so itself."""
    from crisp_status.core.policy import PlannedAnnouncement

    old = PlannedAnnouncement("file", "Long ago", starts_at=1.0, expires_at=2.0)
    story = tell(plan=page(node("web/api"), announcements=(old,))).passes("1 s")

    assert list(story.state.announcements) == ["file"]


def test_past_windows_of_a_recurring_maintenance():
    """Every start within the span, on the zone's wall clock, the newest when there are more than are kept."""
    first = datetime(2025, 10, 1, 22, 0, tzinfo=ZoneInfo("Europe/Paris")).timestamp()
    found = past_starts("FREQ=WEEKLY", first, "Europe/Paris", first + 86400.0, first + 35 * 86400.0)

    assert [datetime.fromtimestamp(at, ZoneInfo("Europe/Paris")).strftime("%d.%m. %H:%M") for at in found] == [
        "08.10. 22:00",
        "15.10. 22:00",
        "22.10. 22:00",
        "29.10. 22:00",
    ]
    assert len(past_starts("FREQ=DAILY", first, "UTC", first, first + 3 * 400 * 86400.0)) == PAST_MOST
