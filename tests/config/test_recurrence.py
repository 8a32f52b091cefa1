"""Recurrence rules: what people write is taken; what would keep the library walking for ever is not, and at once."""

import time
from random import Random

import pytest

from crisp_status.config.recurrence import rule_fault
from crisp_status.core import calendar
from crisp_status.core.operator_records import Announcement

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "RRULE:FREQ=WEEKLY;BYDAY=SU",
        "freq=weekly;interval=2;byday=mo,we",
        "FREQ=MONTHLY;BYDAY=1SU",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=DAILY;COUNT=30",
        "FREQ=DAILY;UNTIL=20300101T120000Z",
        "FREQ=DAILY;INTERVAL=10",
        "FREQ=HOURLY;INTERVAL=6",
        "FREQ=WEEKLY;WKST=SU;BYDAY=SU;BYHOUR=2;BYMINUTE=30",
    ],
)
def test_taken(rule):
    """Every way of saying it that calendars write."""
    assert rule_fault(rule) == ""


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=WEEKLY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=DAILY;INTERVAL=999999999", "INTERVAL="),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1"),
        ("FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2", "BYMONTHDAY belongs to MONTHLY or YEARLY"),
        ("FREQ=DAILY;BYYEARDAY=366;BYMONTH=1", "BYYEARDAY belongs"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "INTERVAL=7; expected 1 to 6"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=5", "INTERVAL=24"),
        ("FREQ=DAILY;BYSECOND=" + ",".join(map(str, range(60))), "too many values of BYSECOND"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "both COUNT and UNTIL"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0"),
        ("FREQ=DAILY;COUNT=99999999999", "COUNT="),
        ("FREQ=DAILY;FREQ=SECONDLY", "not a valid recurrence rule"),
        ("FREQ=MINUTELY", "hourly is the most"),
        ("FREQ=DAILY\nRRULE:FREQ=SECONDLY", "not a valid recurrence rule"),
        ("DTSTART:00010101T000000\nRRULE:FREQ=DAILY", "not a valid recurrence rule"),
        ("FREQ=MONTHLY;BYDAY=+53TU", "+53TU in BYDAY"),
        ("FREQ=DAILY;BYDAY=1MO", "expected MO to SU"),
        ("FREQ=WEEKLY;BYDAY=0MO", "0MO in BYDAY"),
        ("FREQ=DAILY;X=1", "X is not known"),
        ("FREQ=DAILY;BYHOUR=25", "BYHOUR=25; expected 0 to 23"),
        ("FREQ=HOURLY;BYMONTH=13", "BYMONTH=13"),
        ("FREQ=DAILY;UNTIL=tomorrow", "not a valid recurrence rule"),
        ("FREQ=DAILY;" + "A" * 300, "too long"),
        ("", "not a valid recurrence rule"),
        (";" * 100, "not a valid recurrence rule"),
    ],
)
def test_refused(rule, why):
    """At once, with what is wrong."""
    began = time.process_time()
    assert why in rule_fault(rule)
    assert time.process_time() - began < 2.0


def test_the_least_may_be_a_day():
    """Over the management API."""
    assert rule_fault("FREQ=HOURLY", "DAILY") == "may repeat daily at most"
    assert rule_fault("FREQ=DAILY", "DAILY") == ""


def test_whatever_is_taken_is_reckoned_quickly():
    """Hundreds of random rules from any first day: those that are taken give their next window, or none, in time."""
    dice = Random(1)
    values = {
        "FREQ": ["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"],
        "INTERVAL": ["0", "1", "6", "7", "24", "100"],
        "COUNT": ["1", "0", "9999"],
        "UNTIL": ["19700101", "20270101T000000Z", "99991231"],
        "BYDAY": ["MO", "SU,SA", "5SU", "-1MO", "+53TU"],
        "BYMONTH": ["2", "12", "13"],
        "BYMONTHDAY": ["31", "-31", "29", "0"],
        "BYYEARDAY": ["366", "-366"],
        "BYWEEKNO": ["53"],
        "BYSETPOS": ["400", "-1"],
        "BYHOUR": ["3", "1,2,3,4", "24"],
        "BYMINUTE": ["59"],
    }
    taken = 0
    for _ in range(120):
        names = ["FREQ", *dice.sample(sorted(values.keys() - {"FREQ"}), dice.choice((0, 1, 1, 2, 3)))]
        rule = ";".join(f"{name}={dice.choice(values[name])}" for name in names)
        began = time.process_time()
        if not rule_fault(rule):
            taken += 1
            starts = NOW - dice.choice((0.0, 86_400.0, 86_400.0 * 3650))
            work = Announcement("a", "", starts_at=starts, expires_at=starts + 3600.0, rrule=rule)
            calendar.window(work, NOW, "Europe/Paris")
        assert time.process_time() - began < 3.0, rule
    assert taken > 15
