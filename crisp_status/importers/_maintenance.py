"""Windows of work that other programs repeat, as announcements of ours."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

from crisp_status.importers._draft import DraftTable

if TYPE_CHECKING:
    from crisp_status.importers._draft import Draft

LONGEST: Final = 366 * 86_400
"""Seconds of one window; whatever is longer is a slip, and would be no date any more."""


def announce(
    draft: Draft,
    title: str,
    *,
    start: datetime.datetime,
    seconds: float,
    rrule: str = "",
    of: list[str],
    text: str = "",
) -> DraftTable:
    """One more [[announcements]] that is a maintenance of these services or nodes. Times are the page's."""
    entry = DraftTable(title=title or "Maintenance")
    if text:
        entry["text"] = text
    entry["starts_at"] = start
    entry["expires_at"] = start + datetime.timedelta(seconds=min(seconds, LONGEST))
    entry["maintenance"] = of
    if rrule:
        entry["rrule"] = rrule
    return draft.append("announcements", entry)


def zone(draft: Draft, where: str, name: str) -> None:
    """The zone in which times of a rule are meant: the page has one for all, the first that is named."""
    page = draft.section("page")
    known = page.setdefault("timezone", name or "UTC")
    if name and known != name:
        draft.changed(
            where, f"its times are meant in {name}, and the page's are in {known}", "move the times in the file"
        )


def first(day: datetime.date, at: datetime.time) -> datetime.datetime:
    """The time of that day, without a zone."""
    return datetime.datetime.combine(day, at)
