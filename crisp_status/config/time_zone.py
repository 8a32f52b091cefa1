"""Names of time zones, as the operator writes them."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from crisp_status.config.problems import nearest


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        near = nearest(name, available_timezones())
        hint = f" {near}" if near.startswith("did") else ' expected a name such as "Europe/Paris" or "UTC"'
        raise ValueError(f'"{name}" is not a known time zone;{hint}') from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]
"""Name of a time zone."""
