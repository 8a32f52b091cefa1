"""Keys that are understood and have no effect yet; `check` says so. Empty when everything works."""

from __future__ import annotations

from typing import Any, Final

from crisp_status.config.problems import Fault

LATER: Final[dict[str, str]] = {}
"""By path, without indexes: what does not happen yet."""


def remarks(data: dict[str, Any], later: dict[str, str] | None = None) -> list[Fault]:
    """One for each such key that the file turns on."""
    found = []
    for name, text in (LATER if later is None else later).items():
        path = tuple(name.split("."))
        here: Any = data
        for part in path:
            here = here.get(part) if isinstance(here, dict) else None
        if here:
            found.append(Fault(path, text))
    return found
