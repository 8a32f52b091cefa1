"""A configuration that stands in until somebody writes one: it carries its own checksum, so that a change is seen.

The Debian package writes one, so that it ends with a running page; `crisp-status init` may replace it as long as nobody
has edited it.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PLACE: Final = "/etc/crisp-status/config.toml"
"""Where the package puts it."""

_LINE: Final = "# Written by the package. `crisp-status init` may replace it as long as nobody has changed it: {sum}\n"
_PATTERN: Final = re.compile(re.escape(_LINE.strip()).replace(re.escape("{sum}"), "([0-9a-f]{64})") + "\n")
_SIZE_MAX: Final = 100_000
"""Bytes; a larger one is not what `init` wrote."""


def marked(text: str) -> str:
    """The text with a first line that says what it is."""
    return _LINE.format(sum=_sum(text)) + text


def untouched(path: Path) -> bool:
    """Whether this is such a file as it was written. One that cannot be read is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read(_SIZE_MAX)
    except (OSError, UnicodeDecodeError):
        return False
    found = _PATTERN.match(text)
    return found is not None and found[1] == _sum(text[found.end() :])


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
