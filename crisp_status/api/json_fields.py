"""Values out of JSON bodies, each with a sentence when it is not what was expected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from crisp_status.config.announcement_times import EARLIEST, LATEST
from crisp_status.config.page import TEXT_MAX, TITLE_MAX
from crisp_status.http.error_responses import Refused
from crisp_status.view.sanitize import clean, prose

MAX_TITLE: Final = TITLE_MAX
MAX_TEXT: Final = TEXT_MAX

MAX_TIME: Final = 253_402_300_799.0
"""The end of the year 9999: beyond it no calendar can print a date."""


def text(body: dict[str, Any], key: str, limit: int = MAX_TITLE, *, required: bool = False, lines: bool = False) -> str:
    """A string without surrounding space; "" when absent. Raises Refused 400.

    It becomes one clean line, or several where `lines` may be; controls and marks that turn text around are left out.
    """
    value = body.get(key)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise Refused(400, f'"{key}" must be a string.')
    value = value.strip()
    if required and not value:
        raise Refused(400, f'"{key}" is missing or empty.')
    if len(value) > limit:
        raise Refused(400, f'"{key}" has {len(value)} characters; at most {limit} are taken.')
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise Refused(400, f'"{key}" is not text: it contains half a character.')
    value = prose(value, limit) if lines else clean(value, limit)
    if required and not value:
        raise Refused(400, f'"{key}" has nothing in it that can be shown.')
    return value


def number(body: dict[str, Any], key: str, most: float) -> float | None:
    """A number from 0 to `most`; None when absent or null. Raises Refused 400."""
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Refused(400, f'"{key}" must be a number from 0 to {most:.0f}.')
    return float(value)


def moment(body: dict[str, Any], key: str) -> float:
    """A time in epoch seconds: given so, or in ISO 8601 with a zone; 0 when absent. Raises Refused 400."""
    value = body.get(key)
    if value is None or value == "":
        return 0.0
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise Refused(400, f'"{key}" must be a time like 2026-12-01T22:00:00Z, or epoch seconds.') from None
        if parsed.tzinfo is None:
            raise Refused(400, f'"{key}" needs a zone: 2026-12-01T22:00:00Z or +01:00.')
        try:
            at = parsed.timestamp()
        except (OverflowError, ValueError, OSError):
            at = -1.0
        if not EARLIEST <= at <= LATEST:
            raise Refused(400, f'"{key}" is in the year {parsed.year}; expected 1970 to 2199.')
        return at
    found = number(body, key, LATEST)
    return found or 0.0


def names(body: dict[str, Any], key: str) -> list[str]:
    """A list of ids. Raises Refused 400."""
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 1000 or not all(isinstance(v, str) for v in value):
        raise Refused(400, f'"{key}" must be a list of strings.')
    return value


def iso(at: float) -> str | None:
    """Epoch seconds in ISO 8601; None for 0."""
    return (
        datetime.fromtimestamp(min(at, MAX_TIME), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        if at
        else None
    )
