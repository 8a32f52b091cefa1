"""Times of announcements: in order, and rules that repeat them."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from crisp_status.config.names import tables
from crisp_status.config.problems import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

Moment = datetime.datetime | datetime.date

_RULE: Final = re.compile(r"(?:RRULE:)?[A-Z]+=[A-Z0-9,+:-]+(?:;[A-Z]+=[A-Z0-9,+:-]+)*", re.IGNORECASE)
_OFTEN: Final = re.compile(r"FREQ=(SECONDLY|MINUTELY)", re.IGNORECASE)


def epoch(moment: Moment | None, zone: str) -> float:
    """Epoch seconds; a moment without its own zone is in that of the page, a date is its midnight; None is 0."""
    if moment is None:
        return 0.0
    if not isinstance(moment, datetime.datetime):
        moment = datetime.datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).timestamp()


def faults(data: dict[str, Any]) -> Iterator[Fault]:
    """What is wrong with the times of [[announcements]]."""
    page = data.get("page")
    zone = page.get("timezone", "UTC") if isinstance(page, dict) else "UTC"
    for path, table in tables(data, ("announcements",)):
        starts, expires = table.get("starts_at"), table.get("expires_at")
        good = all(isinstance(t, datetime.date | None) for t in (starts, expires))
        try:
            order = good and starts and expires and epoch(expires, zone) <= epoch(starts, zone)
        except (ValueError, OSError, LookupError, OverflowError):
            continue
        if order:
            yield Fault((*path, "expires_at"), "is not after starts_at")
        rule = table.get("rrule")
        if isinstance(rule, str) and rule:
            if not (starts and expires):
                yield Fault(
                    (*path, "rrule"), "repeats a window, so starts_at and expires_at are needed for the first one"
                )
            wrong = rule_fault(rule)
            if wrong:
                yield Fault((*path, "rrule"), wrong)


def rule_fault(rule: str) -> str:
    """Why a recurrence rule cannot be used; "" when it can."""
    from dateutil.rrule import rrulestr

    example = 'expected RFC 5545, as in "FREQ=WEEKLY;BYDAY=SU"'
    if not _RULE.fullmatch(rule):
        return f'"{rule[:60]}" is no recurrence rule; {example}'
    if _OFTEN.search(rule):
        return "repeats every minute or second; hourly is the most"
    local = re.sub(r"(UNTIL=\d{8}T\d{6})Z", r"\1", rule, flags=re.IGNORECASE)
    try:
        rrulestr(local, dtstart=datetime.datetime(2026, 1, 1)).after(datetime.datetime(2026, 1, 1))  # noqa: DTZ001
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        return f'"{rule[:60]}" is no recurrence rule ({error}); {example}'
    return ""
