"""Header fields that an operator adds to a request: the same rules for every kind that speaks HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import SecretStr

FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""


def check_name(name: str) -> None:
    """A `ValueError` for what is not the name of a header field."""
    if not FIELD_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header field")


def check_fields(headers: dict[str, SecretStr], own: Collection[str]) -> None:
    """A `ValueError` for a field that cannot be sent, or that the probe writes itself (`own`, in lower case)."""
    for name, value in headers.items():
        check_name(name)
        if name.lower() in own:
            raise ValueError(f"{name} is written by the probe itself")
        if any(character in value.get_secret_value() for character in "\r\n\0"):
            raise ValueError(f"the value of {name} has a line break")
        wrong = next((c for c in value.get_secret_value() if c != "\t" and not c.isprintable()), None)
        if wrong is not None:
            raise ValueError(f"the value of {name} has an invisible character in it (U+{ord(wrong):04X}); take it out")
