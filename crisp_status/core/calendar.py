"""Announcements in time: when one is shown, when its maintenance runs, when it comes again (RFC 5545)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from crisp_status.core.model import State
    from crisp_status.core.operator_records import Announcement

FOREVER: Final = float("inf")
PAST_MOST: Final = 400
"""Past windows of one recurring announcement."""

COMING_DAYS: Final = 400
"""How far ahead the next window of a recurring announcement is sought."""


def window(announcement: Announcement, at: float, zone: str) -> tuple[float, float] | None:
    """The window (start, end) that runs at `at`, else the next one; None when all are over."""
    start, end = announcement.starts_at, announcement.expires_at or FOREVER
    if announcement.rrule:
        length = end - start
        found = next(o for o in _occurrences(announcement.rrule, start, zone, at) if o + length > at)
        return (found, found + length) if found - at <= COMING_DAYS * 86400.0 else None
    return (start, end) if at < end else None


def is_running(announcement: Announcement, at: float, zone: str) -> bool:
    """Whether its window is open now."""
    found = window(announcement, at, zone)
    return found is not None and found[0] <= at


def keep_windows(state: State, at: float) -> tuple[bool, bool]:
    """Note which windows run; drop what ended `history_days` ago. Whether anything changed, and whether windows did."""
    zone = state.plan.timezone
    running = [a.id for a in state.announcements.values() if a.maintenance and is_running(a, at, zone)]
    changed = _prune(state, at)
    windows_changed = running != state.windows
    state.windows = running
    return changed or windows_changed, windows_changed


def _prune(state: State, at: float) -> bool:
    horizon = at - state.plan.history_days * 86400.0
    old = [a.id for a in state.announcements.values() if a.expires_at and not a.rrule and a.expires_at < horizon]
    for key in old:
        if not state.announcements[key].from_file:
            del state.announcements[key]
    return any(key not in state.announcements for key in old)


_found: Final[dict[tuple[str, float, str], tuple[float, float, float]]] = {}
"""The occurrences that were found last, by rule, first start and zone: they hold until the next one begins."""

_FOUND_MAX: Final = 256
"""Rules; more than a page has, and what is forgotten is only found again."""


def _occurrences(rrule: str, starts_at: float, zone: str, at: float) -> tuple[float, float, float]:
    """Starts of the occurrences around `at`: the last one begun, and the next two; infinite where there is none."""
    rule = rrule, starts_at, zone
    known = _found.get(rule)
    if known is None or not known[0] <= at < known[1]:
        if len(_found) >= _FOUND_MAX:
            _found.clear()
        known = _found[rule] = _search(rrule, starts_at, zone, at)
    return known


def _search(rrule: str, starts_at: float, zone: str, at: float) -> tuple[float, float, float]:
    """One walk from the first occurrence on.

    The rule is reckoned on the zone's wall clock, so that 22:00 stays 22:00 across daylight saving.
    """
    from dateutil.rrule import rrulestr

    tz = ZoneInfo(zone)
    first = datetime.fromtimestamp(starts_at, tz).replace(tzinfo=None)
    now = datetime.fromtimestamp(at, tz).replace(tzinfo=None)
    begun: datetime | None = None
    coming: list[float] = []
    for occurrence in rrulestr(_local_until(rrule, tz), dtstart=first):
        if occurrence <= now:
            begun = occurrence
        else:
            coming.append(occurrence.replace(tzinfo=tz).timestamp())
            if len(coming) == 2:
                break
    after, later, *_ = *coming, FOREVER, FOREVER
    return begun.replace(tzinfo=tz).timestamp() if begun else -FOREVER, after, later


def past_starts(rrule: str, starts_at: float, zone: str, oldest: float, now: float) -> list[float]:
    """Starts of a recurring window from `oldest` to `now`, oldest first; at most `PAST_MOST`, the newest of them."""
    from dateutil.rrule import rrulestr

    tz = ZoneInfo(zone)
    first = datetime.fromtimestamp(starts_at, tz).replace(tzinfo=None)
    after, before = (datetime.fromtimestamp(at, tz).replace(tzinfo=None) for at in (oldest, now))
    found = rrulestr(_local_until(rrule, tz), dtstart=first).between(after, before, inc=True)
    return [occurrence.replace(tzinfo=tz).timestamp() for occurrence in found[-PAST_MOST:]]


def _local_until(rrule: str, tz: ZoneInfo) -> str:
    """UNTIL in UTC, as RFC 5545 writes it, on the zone's wall clock, as the naive rule needs it."""
    parts = []
    for part in rrule.removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name.upper() == "UNTIL" and value.upper().endswith("Z"):
            until = datetime.strptime(value.upper(), "%Y%m%dT%H%M%SZ").replace(tzinfo=ZoneInfo("UTC"))
            parts.append(f"UNTIL={until.astimezone(tz):%Y%m%dT%H%M%S}")
        else:
            parts.append(part)
    return ";".join(parts)
