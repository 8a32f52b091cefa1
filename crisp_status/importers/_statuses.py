"""Sets of HTTP statuses as the half-open window that we have: the set itself, or the nearest window and a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LOWEST: Final = 100
HIGHEST: Final = 600
"""Exclusive."""

_RANGE: Final = re.compile(r"\s*(\d{3})(?:\s*-\s*(\d{3}))?\s*")


def of_ranges(ranges: Iterable[str]) -> set[int]:
    """The statuses in texts such as `200-299` (both ends belong to it) and `301`; what is neither is left out."""
    found: set[int] = set()
    for text in ranges:
        match = _RANGE.fullmatch(text)
        if match:
            found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found & set(range(LOWEST, HIGHEST))


def window(statuses: set[int]) -> tuple[int, int, set[int]]:
    """`healthy_above`, `healthy_below`, and the statuses that were healthy there and lie outside.

    Where the set has gaps the window is its largest part, so that nothing is called healthy that was not.
    """
    parts: list[tuple[int, int]] = []
    for status in sorted(statuses):
        if parts and parts[-1][1] == status:
            parts[-1] = (parts[-1][0], status + 1)
        else:
            parts.append((status, status + 1))
    if not parts:
        return LOWEST, HIGHEST, set()
    above, below = max(parts, key=lambda part: part[1] - part[0])
    return above, below, {status for status in statuses if not above <= status < below}


def spans(statuses: set[int]) -> list[str]:
    """`["301", "400-404"]`, for people."""
    found: list[list[int]] = []
    for status in sorted(statuses):
        if found and found[-1][-1] == status - 1:
            found[-1] = [found[-1][0], status]
        else:
            found.append([status])
    return ["-".join(map(str, dict.fromkeys(part))) for part in found]
