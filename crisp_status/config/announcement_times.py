"""Times of announcements: in order, and rules that repeat them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from crisp_status.config.ids import tables
from crisp_status.config.problems import Fault
from crisp_status.config.recurrence import rule_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

Moment = datetime.datetime | datetime.date

EARLIEST: Final = 0.0
LATEST: Final = 7_258_118_400.0
"""1970 to 2199, in epoch seconds: near the end of all calendars no zone can be reckoned with, and no page made."""


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
        for key, moment in (("starts_at", starts), ("expires_at", expires)):
            if isinstance(moment, datetime.date) and not 1970 < moment.year < 2199:
                yield Fault((*path, key), f"is in the year {moment.year}; expected 1971 to 2198")
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
