"""Questions to what is kept of days: of one day, a month, a stretch of days; the running day included."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crisp_status.core.model import Tally
from crisp_status.view.book import month_days, seen, total
from crisp_status.view.page_view import DayView, HistoryView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crisp_status.view.book import Span
    from crisp_status.view.page_view import Look, PageView

calendar_days = month_days


def is_day(text: str) -> bool:
    """Whether that is a day of the calendar: `2026-11-22`."""
    try:
        return len(text) == 10 and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_kept(view: PageView, day: str) -> bool:
    """Whether there is something to tell of a day."""
    return day == view.days[-1] or day in view.book


def day_span(day: str, zone: str) -> tuple[float, float]:
    """Start and end of a day in the page's zone; it may have 23 or 25 hours."""
    tz = ZoneInfo(zone)
    start = datetime.fromisoformat(day).replace(tzinfo=tz)
    end = datetime.fromisoformat((date.fromisoformat(day) + timedelta(days=1)).isoformat()).replace(tzinfo=tz)
    return start.timestamp(), end.timestamp()


def born(view: PageView, key: str) -> float:
    """Since when there is a page (""), a service, or a node."""
    if "/" in key:
        return view.nodes[key].born if key in view.nodes else 0.0
    nodes = [n for n in view.nodes.values() if n.service == key] if key else []
    return min((n.born for n in nodes), default=0.0)


def tally(view: PageView, day: str, key: str, since: float | None = None) -> Tally | None:
    """What was observed of it on a day; None: nothing."""
    if day == view.days[-1]:
        found = view.today.get(key)
        return found if found is not None and seen(found) else None
    return view.book.tally(day, key, born(view, key) if since is None else since)


def span(view: PageView, key: str, days: Iterable[str]) -> Span:
    """The sum of some days."""
    since = born(view, key)
    return total(tally(view, day, key, since) for day in days)


def days_of(view: PageView, month: str) -> list[str]:
    """The days of a month that are kept, first to last."""
    return [day for day in month_days(month) if is_kept(view, day)]


def record(view: PageView, key: str, axis: Sequence[str]) -> HistoryView:
    """The history of any row of days, such as a month; days that are to come, or before the page, are blank."""
    since = born(view, key)
    days, blank = [], []
    for index, day in enumerate(axis):
        found = tally(view, day, key, since) if day <= view.days[-1] else None
        if found is None:
            blank.append(index)
            continue
        look: Look | None = "dead" if found.dead else "sick" if found.sick else "work" if found.maintenance else None
        if look:
            days.append(DayView(index, look, found.dead, found.sick, found.maintenance))
    sums = span(view, key, [day for day in axis if day <= view.days[-1]])
    return HistoryView(tuple(days), sums.uptime, sums.dead, sums.sick, sums.days, tuple(blank))


def percent(found: Tally) -> float | None:
    """Uptime of one day."""
    return total([found]).uptime
