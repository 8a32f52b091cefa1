"""Whose file that is, when it is not one of ours: people try the file that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status import kinds
from crisp_status.importers import ImportFailed, Source

if TYPE_CHECKING:
    from pathlib import Path


def foreign(path: Path) -> str:
    """A sentence that names the program whose file it is and what to do; "" when it looks like nobody's."""
    try:
        head = Source(path).head()
    except ImportFailed:
        return ""
    for name, kind in kinds.importers().items():
        if kind.recognises(head):
            program = name.replace("_", "-")
            return (
                f"{path}: this is a file of {kind.TITLE}, not of crisp-status; "
                f"crisp-status import {program} {path} writes a configuration from it: docs/move-from-{program}.md"
            )
    return ""
