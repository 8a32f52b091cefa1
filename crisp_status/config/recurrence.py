"""Recurrence rules of announcements, the part of RFC 5545 whose next occurrence is found quickly; schedules of heartbeats.

The library walks from the first occurrence on, step by step, and a rule that never fits makes it walk to the year 9999:
`FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2` for minutes, `INTERVAL=0` for ever. Such a walk stops the whole daemon, so what could
lead to one is not taken.
"""

from __future__ import annotations

import datetime
import re
from typing import Final

from cronsim import CronSimError

from crisp_status.core.cron import next_run

RULE_MAX: Final = 200
"""Characters; real ones have thirty."""

INTERVAL_MAX: Final = 100
"""Every hundredth week is rare enough."""

VALUES_MAX: Final = {"BYHOUR": 4, "BYMINUTE": 1, "BYSECOND": 1}
"""Values of a list; more occurrences a day would make the walk from a first one years ago long."""

_RANGES: Final = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYEASTER": (-366, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}

COUNT_MAX: Final = 10_000
"""Occurrences: daily ones for 27 years; each walk counts through them."""

EXAMPLE: Final = 'expected RFC 5545, as in "FREQ=WEEKLY;BYDAY=SU"'

SCHEDULE_EXAMPLE: Final = '"0 3 * * *" for three in the night'

_PART: Final = re.compile(r"([A-Z]+)=([A-Z0-9,+-]+)")
_DAY: Final = re.compile(r"(?:[+-]?([1-9][0-9]?))?(?:MO|TU|WE|TH|FR|SA|SU)")
_SIGNED: Final = re.compile(r"[+-]?[0-9]{1,3}")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_FREQUENCIES: Final = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_ALWAYS: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", *VALUES_MAX})
_SELDOM: Final = frozenset({"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYEASTER"})
"""Where most days do not fit: for months and years only, which are walked in large steps."""


def rule_fault(rule: str, least: str = "HOURLY") -> str:
    """Why a recurrence rule cannot be used; "" when it can. `least`: the shortest frequency that is taken."""
    if len(rule) > RULE_MAX:
        return f"is too long for a rule: at most {RULE_MAX} characters"
    matches = [_PART.fullmatch(part) for part in rule.upper().removeprefix("RRULE:").split(";")]
    parts = {match[1]: match[2] for match in matches if match}
    if None in matches or len(parts) != len(matches):
        return f'"{rule[:60]}" is not a valid recurrence rule; {EXAMPLE}'
    frequency = parts.get("FREQ", "")
    if frequency in {"MINUTELY", "SECONDLY"}:
        return "repeats every minute or second; hourly is the most"
    if frequency not in _FREQUENCIES:
        return f'"{rule[:60]}" is not a valid recurrence rule; {EXAMPLE}'
    if _FREQUENCIES.index(frequency) < _FREQUENCIES.index(least):
        return f"may repeat {least.lower()} at most"
    return _walk_fault(frequency, parts) or _refused(rule)


def _walk_fault(frequency: str, parts: dict[str, str]) -> str:
    """What would make the walk to the next occurrence endless, or long."""
    long = frequency in {"MONTHLY", "YEARLY"}
    for name, value in parts.items():
        if name not in _ALWAYS and not (long and name in _SELDOM):
            known = f"{name} belongs to MONTHLY or YEARLY" if name in _SELDOM else f"{name} is not known"
            return f"{known}; {EXAMPLE}"
        if value.count(",") >= VALUES_MAX.get(name, 62):
            return f"has too many values of {name}; make several announcements of it"
        least, most = _RANGES.get(name, (0, 0))
        for number in value.split(",") if most else ():
            if not _SIGNED.fullmatch(number) or not least <= int(number) <= most:
                return f"has {name}={number[:12]}; expected {least} to {most}"
    weeks = 52 if frequency == "YEARLY" and "BYMONTH" not in parts else 5 if long else 0
    for day in parts["BYDAY"].split(",") if "BYDAY" in parts else ():
        match = _DAY.fullmatch(day)
        if match is None or int(match[1] or 0) > weeks:
            return f"has {day[:12]} in BYDAY; expected MO to SU" + (f", or -{weeks}MO to {weeks}SU" if weeks else "")
    if {"COUNT", "UNTIL"} <= parts.keys():
        return "has both COUNT and UNTIL; one of them ends it"
    interval, count = parts.get("INTERVAL", "1"), parts.get("COUNT", "1")
    # Every seventh day is always the same one of the week, and every 24th hour the same one of the day.
    most = INTERVAL_MAX if long or frequency == "WEEKLY" or not parts.keys() & {"BYDAY", "BYMONTH", "BYHOUR"} else 6
    if not _NUMBER.fullmatch(interval) or not 1 <= int(interval) <= most:
        return f"has INTERVAL={interval[:12]}; expected 1 to {most}"
    if not _NUMBER.fullmatch(count) or not 1 <= int(count) <= COUNT_MAX:
        return f"has COUNT={count[:12]}; expected 1 to {COUNT_MAX}"
    return ""


def _refused(rule: str) -> str:
    """What the library says to it."""
    from dateutil.rrule import rrulestr

    local = re.sub(r"(UNTIL=\d{8}T\d{6})Z", r"\1", rule, flags=re.IGNORECASE)
    try:
        rrulestr(local, dtstart=datetime.datetime(2026, 1, 1)).after(datetime.datetime(2026, 1, 1))  # noqa: DTZ001
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
        return f'"{rule[:60]}" is not a valid recurrence rule ({error}); {EXAMPLE}'
    return ""


def schedule_fault(text: str) -> str:
    """Why a cron expression cannot be used; "" when it can."""
    if len(text.split()) != 5:
        return f'"{text[:60]}" has {len(text.split())} parts; expected five, as in a crontab: {SCHEDULE_EXAMPLE}'
    try:
        next_run(text, "UTC", 0.0)
    except (CronSimError, StopIteration) as error:
        reason = str(error) or "it never fits"
        return f'"{text[:60]}" does not work as a schedule ({reason}); expected five parts, as in {SCHEDULE_EXAMPLE}'
    return ""
