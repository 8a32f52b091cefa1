"""Texts and globs of other programs as regular expressions that people can read."""

from __future__ import annotations

import re
from typing import Final

ANYTHING: Final = r"[\s\S]"

_SPECIAL: Final = re.compile(r"[\\.^$*+?{}\[\]|()]")


def literal(text: str) -> str:
    """An expression for exactly that text. `re.escape` would escape spaces, dashes and more, too."""
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", r"\n")


def glob(pattern: str) -> str:
    """An expression for a pattern with `*` and `?`, which stand for anything, line breaks included."""
    return "".join(f"{ANYTHING}*" if c == "*" else ANYTHING if c == "?" else literal(c) for c in pattern.strip())
