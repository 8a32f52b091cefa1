"""`/maintenance.ics`: announced work for people's calendars (RFC 5545)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from crisp_status.view.page_view import MaintenanceView, PageView

FOLD: Final = 75
"""Octets of a line, without its end (RFC 5545 section 3.1)."""

_PLAIN: Final = re.compile(r"[A-Z]+=[A-Z0-9,+-]+(?:;[A-Z]+=[A-Z0-9,+-]+)*")
_UNTIL: Final = re.compile(r"UNTIL=([0-9]{8})(?:T([0-9]{6})(Z?))?")

OPEN_SECONDS: Final = 3600.0
"""Length shown for a window without an end; its text says that the end is open."""


def calendar(view: PageView, open_end: str = "The end is open.") -> str:
    """All announced work that runs or comes, as one calendar. Times in UTC, recurring ones in the page's zone.

    `open_end` says so in the page's language.
    """
    zone = view.info.timezone
    host = urlsplit(view.info.url).hostname or "crisp-status"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//crisp-status//maintenance//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(view.info.name)}",
        f"NAME:{_text(view.info.name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    recurring = [m.starts_at for m in view.maintenances if _rule(m, zone)]
    if recurring and zone != "UTC":
        lines += _zone(zone, min(recurring), view.at)
    for work in view.maintenances:
        lines += _event(work, view, host, zone, open_end)
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) + "\r\n" for line in lines)


def _event(work: MaintenanceView, view: PageView, host: str, zone: str, open_end: str) -> list[str]:
    length = work.ends_at - work.starts_at if work.ends_at else OPEN_SECONDS
    words = [work.text] if work.text else []
    if work.names:
        words.append(", ".join(work.names))
    if not work.ends_at:
        words.append(open_end)
    lines = [
        "BEGIN:VEVENT",
        f"UID:{_text(work.id)}@{host}",
        f"DTSTAMP:{_utc(work.created_at or work.starts_at)}",
        *_times(work, length, zone),
        f"SUMMARY:{_text(work.title)}",
        f"DESCRIPTION:{_text(chr(10).join(words))}",
        f"URL:{view.info.url}",
        "STATUS:CONFIRMED",
        "TRANSP:TRANSPARENT",
        "CLASS:PUBLIC",
        "END:VEVENT",
    ]
    return [line for line in lines if line != "DESCRIPTION:"]


def _times(work: MaintenanceView, length: float, zone: str) -> list[str]:
    start, rule = work.starts_at, _rule(work, zone)
    if not rule:
        return [f"DTSTART:{_utc(start)}", f"DTEND:{_utc(start + length)}"]
    # A window at 3 o'clock stays at 3 o'clock when the clocks change, so it is written in local time. It begins with
    # the window that runs or comes next: the first moment of an announcement need not fit its own rule.
    begin = f"DTSTART:{_utc(start)}" if zone == "UTC" else f"DTSTART;TZID={zone}:{_local(start, zone)}"
    return [begin, f"DURATION:{_duration(length)}", f"RRULE:{rule}"]


def _rule(work: MaintenanceView, zone: str) -> str:
    """The rule as it stands from the next window on; "" when only that window can be told."""
    rule = work.rrule.strip().removeprefix("RRULE:").upper()
    if not rule or "COUNT=" in rule or not _PLAIN.fullmatch(rule):
        return ""
    until = _UNTIL.search(rule)
    if until is None or until[3]:
        return rule
    # Next to a local DTSTART the end must be in UTC (RFC 5545 section 3.3.10).
    day, time = until[1], until[2] or "235959"
    local = datetime.strptime(day + time, "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo(zone))
    return rule[: until.start()] + f"UNTIL={_utc(local.timestamp())}" + rule[until.end() :]


def _zone(name: str, first: float, now: float) -> list[str]:
    """The changes of a zone's clock from a year before `first` to two years after `now`, as plain observances."""
    zone = ZoneInfo(name)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    at = int(first) - 366 * 86400
    before = datetime.fromtimestamp(at, zone)
    lines += _observance(before.replace(tzinfo=None), before, before)
    end = int(now) + 731 * 86400
    while at < end:
        later = datetime.fromtimestamp(at + 86400, zone)
        if later.utcoffset() != before.utcoffset():
            moment = _change(zone, at, at + 86400)
            after = datetime.fromtimestamp(moment, zone)
            old = datetime.fromtimestamp(moment - 1, zone)
            shift = old.utcoffset()
            assert shift is not None
            onset = (datetime.fromtimestamp(moment, UTC) + shift).replace(tzinfo=None)
            lines += _observance(onset, old, after)
            before = after
        at += 86400
    lines.append("END:VTIMEZONE")
    return lines


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """The second at which the offset changes between two moments."""
    start = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == start:
            low = middle
        else:
            high = middle
    return high


def _observance(onset: datetime, old: datetime, new: datetime) -> list[str]:
    kind = "DAYLIGHT" if new.dst() else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{onset:%Y%m%dT%H%M%S}",
        f"TZOFFSETFROM:{old:%z}"[:18],
        f"TZOFFSETTO:{new:%z}"[:16],
        f"TZNAME:{_text(new.tzname() or 'local')}",
        f"END:{kind}",
    ]


def _utc(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y%m%dT%H%M%SZ")


def _local(at: float, zone: str) -> str:
    return datetime.fromtimestamp(int(at), ZoneInfo(zone)).strftime("%Y%m%dT%H%M%S")


def _duration(seconds: float) -> str:
    return f"PT{max(60, int(seconds))}S"


def _text(words: str) -> str:
    """TEXT of RFC 5545 section 3.3.11."""
    kept = "".join(c for c in words.replace("\r\n", "\n").replace("\r", "\n") if c == "\n" or c >= " ")
    return kept.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Broken after at most 75 octets, never inside a character."""
    parts: list[str] = []
    part, size = "", 0
    for char in line:
        width = len(char.encode("utf-8", "replace"))
        if size + width > FOLD:
            parts.append(part)
            part, size = " ", 1
        part += char
        size += width
    return "\r\n".join([*parts, part])
