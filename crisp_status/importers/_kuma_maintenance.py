"""Maintenances of Uptime Kuma as announcements with a rule."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any, Final

from crisp_status.importers._durations import DAYS, between, clock
from crisp_status.importers._files import flag, number, text
from crisp_status.importers._maintenance import announce, first, zone

if TYPE_CHECKING:
    from crisp_status.importers._draft import Draft

SAME: Final = "SAME_AS_SERVER"

HAND: Final = "write it as [[announcements]] with maintenance and rrule"


def carry(row: dict[str, Any], of: list[str], server_zone: str, draft: Draft) -> None:
    """One maintenance of these nodes; a remark when its rule has no counterpart."""
    title, strategy = text(row.get("title")), text(row.get("strategy"))
    where = f'maintenance "{title}"'
    if not flag(row.get("active", 1)) and strategy != "manual":
        draft.lost(where, "is paused")
        return
    if not of:
        draft.lost(where, "is of no monitor that was carried over")
        return
    if strategy == "manual":
        if flag(row.get("active", 1)):
            draft.lost(where, "runs now, until somebody stops it by hand", "crisp-status announce add --maintenance …")
        else:
            draft.lost(where, "is one to start by hand", "crisp-status announce add --maintenance … when it starts")
        return
    own = text(row.get("timezone"))
    zone(draft, where, server_zone if own in {"", SAME} else own)
    words = text(row.get("description"))
    starts, ends = _stamp(row.get("start_date")), _stamp(row.get("end_date"))
    if strategy == "single":
        if starts is None or ends is None or ends <= starts:
            draft.lost(where, "has no times that can be understood", HAND)
        elif ends.date() < draft.today - datetime.timedelta(days=1):
            draft.lost(where, "is over")
        else:
            announce(draft, title, start=starts, seconds=(ends - starts).total_seconds(), of=of, text=words)
        return
    found = _rule(row, strategy)
    if found is None:
        draft.lost(where, f'repeats in a way that has no rule here ({strategy}, cron "{text(row.get("cron"))}")', HAND)
        return
    rule, at, seconds = found
    day = max(starts.date(), draft.today) if starts else draft.today
    if strategy == "recurring-interval" and starts:
        day = starts.date()
    if ends:
        rule += f";UNTIL={ends:%Y%m%dT%H%M%S}"
    announce(draft, title, start=first(day, at), seconds=seconds, rrule=rule, of=of, text=words)


def _rule(row: dict[str, Any], strategy: str) -> tuple[str, datetime.time, float] | None:
    """The rule, the time of day at which it begins, and for how many seconds; None when there is no such rule."""
    if strategy == "cron":
        return _cron(text(row.get("cron")), float(number(row.get("duration")) or 0))
    start, end = clock(text(row.get("start_time"))), clock(text(row.get("end_time")))
    if start is None or end is None:
        return None
    seconds = between(start, end)
    if strategy == "recurring-interval":
        every = int(number(row.get("interval_day")) or 1)
        return f"FREQ=DAILY;INTERVAL={every}" if every > 1 else "FREQ=DAILY", start, seconds
    if strategy == "recurring-weekday":
        days = [_weekday(day) for day in _list(row.get("weekdays"))]
        return (f"FREQ=WEEKLY;BYDAY={','.join(filter(None, days))}", start, seconds) if days and all(days) else None
    if strategy == "recurring-day-of-month":
        numbers = [_month_day(day) for day in _list(row.get("days_of_month"))]
        ordered = ",".join(str(day) for day in numbers)
        return (f"FREQ=MONTHLY;BYMONTHDAY={ordered}", start, seconds) if numbers and all(numbers) else None
    return None


def _cron(expression: str, seconds: float) -> tuple[str, datetime.time, float] | None:
    """A cron line of one time a day, on all days or some of the week or month: anything else has no simple rule."""
    parts = expression.split()
    if len(parts) != 5 or not (parts[0].isdigit() and parts[1].isdigit()) or seconds <= 0:
        return None
    minute, hour, monthday, month, weekday = parts
    if int(minute) > 59 or int(hour) > 23 or month != "*":
        return None
    at = datetime.time(int(hour), int(minute))
    if monthday == "*" and weekday == "*":
        return "FREQ=DAILY", at, seconds
    if monthday == "*":
        days = [_weekday(part) if part.isdigit() else part[:2].upper() for part in weekday.split(",")]
        return (f"FREQ=WEEKLY;BYDAY={','.join(days)}", at, seconds) if all(day in DAYS for day in days) else None
    if weekday == "*" and all(part.isdigit() for part in monthday.split(",")):
        return f"FREQ=MONTHLY;BYMONTHDAY={monthday}", at, seconds
    return None


def _weekday(value: Any) -> str:
    """A day of the week as RFC 5545 has it; Sunday is 0, and 7."""
    found = number(value)
    return DAYS[(int(found) + 6) % 7] if found is not None and 0 <= found <= 7 else ""


def _month_day(value: Any) -> int:
    """A day of the month; `lastDay2` is the second from its end. 0 when it is neither."""
    name = text(value)
    last = number(name.removeprefix("lastDay"))
    if last is None or not 1 <= last <= 31:
        return 0
    return -int(last) if name.startswith("lastDay") else int(last)


def _list(value: Any) -> list[Any]:
    try:
        found = json.loads(text(value) or "[]")
    except json.JSONDecodeError:
        return []
    return found if isinstance(found, list) else []


def _stamp(value: Any) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text(value)).replace(tzinfo=None) if value else None
    except ValueError:
        return None
