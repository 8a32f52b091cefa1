"""The calendar of announced work, read by a calendar library."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from crisp_status.core import events
from crisp_status.core.operator_records import Announcement
from crisp_status.formats import ical
from tests.formats.test_statuspage import STORIES, work
from tests.story import Story, acme


def announced(*words, zone="UTC", now=1_795_000_000.0):
    story = Story(acme(zone), now=now)
    story.all_well()
    for word in words:
        story.happen(events.Announced(announcement=word))
    story.pass_time(5)
    return story


def parse(story):
    text = ical.calendar(story.view())
    return text, Calendar.from_ical(text)


@pytest.mark.parametrize("tale", STORIES, ids=lambda s: s.__name__)
def test_valid(tale):
    """A calendar program takes it in every state, also when nothing is announced; lines are folded at 75 octets."""
    text, calendar = parse(tale())

    assert calendar["version"] == "2.0"
    assert not calendar.errors
    assert text.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    for event in calendar.walk("VEVENT"):
        assert not event.errors
        assert {"UID", "DTSTAMP", "DTSTART", "SUMMARY"} <= set(event)


def test_windows():
    """Running and coming ones, each from and to its time."""
    found = {str(e["uid"]).partition("@")[0]: e for e in parse(work())[1].walk("VEVENT")}

    assert set(found) == {"running", "coming", "open"}
    coming = found["coming"]
    assert (coming.decoded("dtend") - coming.decoded("dtstart")).total_seconds() == 1800
    assert "The end is open" in found["open"]["description"]


def test_words_survive():
    """Commas, line breaks, accents and emoji come out as they went in, wherever the line was folded."""
    title = "Größere Arbeiten; Teil 1, mit 🛠️ und \\ " + "é" * 100
    text = "Erste Zeile,\nzweite; Zeile"
    words = Announcement(
        "w", title[:190], text, starts_at=1_795_003_600.0, expires_at=1_795_007_200.0, maintenance=["web"]
    )
    (event,) = parse(announced(words))[1].walk("VEVENT")

    assert event["summary"] == title[:190]
    assert event["description"] == f"{text}\nWebsites"


def test_recurring_work_stays_at_its_hour():
    """Sundays at 3 in Paris are at 3 before and after the clocks change."""
    first = datetime(2026, 10, 11, 3, 0, tzinfo=ZoneInfo("Europe/Paris")).timestamp()
    words = Announcement(
        "w", "Weekly", "", starts_at=first, expires_at=first + 3600, maintenance=["web"], rrule="FREQ=WEEKLY;BYDAY=SU"
    )
    _, calendar = parse(announced(words, zone="Europe/Paris", now=datetime(2026, 10, 20, tzinfo=UTC).timestamp()))
    (event,) = calendar.walk("VEVENT")
    (zone,) = calendar.walk("VTIMEZONE")

    start = event.decoded("dtstart")
    assert (start.hour, start.strftime("%A")) == (3, "Sunday")
    assert start.date().isoformat() == "2026-10-25"
    assert event["rrule"].to_ical() == b"FREQ=WEEKLY;BYDAY=SU"
    paris = zone.to_tz()
    for day, offset in (("2026-07-01", 7200), ("2026-12-01", 3600), ("2027-07-01", 7200)):
        assert paris.utcoffset(datetime.fromisoformat(day)).total_seconds() == offset


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=WE", "FREQ=WEEKLY;BYDAY=WE"),
        ("RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=DAILY;COUNT=30", None),
        ("FREQ=DAILY;UNTIL=20270101", "FREQ=DAILY;UNTIL=20270101T225959Z"),
        ("FREQ=DAILY;UNTIL=20270101T120000", "FREQ=DAILY;UNTIL=20270101T110000Z"),
        ("FREQ=DAILY;UNTIL=20270101T120000Z", "FREQ=DAILY;UNTIL=20270101T120000Z"),
    ],
)
def test_rules(rule, expected):
    """Rules as calendars want them: an end in UTC; a count would count from the wrong day and is left out."""
    start = 1_795_003_600.0
    words = Announcement("w", "Work", "", starts_at=start, expires_at=start + 600, maintenance=["web"], rrule=rule)
    (event,) = parse(announced(words, zone="Europe/Paris"))[1].walk("VEVENT")

    assert (event["rrule"].to_ical().decode() if "rrule" in event else None) == expected
