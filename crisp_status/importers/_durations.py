"""Times as other programs write them, in seconds and as ours."""

from __future__ import annotations

import datetime
import re
from typing import Final

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")

DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""Days of a week as RFC 5545 has them, Monday first."""


def go_seconds(text: str) -> float | int | None:
    """Seconds of a duration of Go, as in `1h30m` or `250ms`; None when it is none."""
    text = text.strip()
    found = list(_PART.finditer(text))
    if not found or "".join(match.group() for match in found) != text:
        return 0 if text == "0" else None
    return tidy(sum(float(match[1]) * _UNITS[match[2]] for match in found))


def tidy(value: float) -> float | int:
    """A number as people write it: without a fraction that is nothing."""
    value = round(value, 6)
    return int(value) if float(value).is_integer() else value


def clock(text: str) -> datetime.time | None:
    """A time of day, as in `23:00` or `23:00:30`; None when it is none."""
    try:
        found = datetime.time.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo is None else None


def between(start: datetime.time, end: datetime.time) -> int:
    """Seconds from one time of day to the next one that reads so."""
    seconds = (end.hour - start.hour) * 3600 + (end.minute - start.minute) * 60 + end.second - start.second
    return seconds if seconds > 0 else seconds + 86400
