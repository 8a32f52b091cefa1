r"""Characters that no text of the configuration may have, wherever it stands: TOML takes them as escapes like \u0000.

A NUL ends the name of a file, an escape moves the cursor of a terminal. Tab and line breaks are fine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.problems import Fault
from crisp_status.config.strict import Filled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.config.locate import Path

_REFUSED: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""Surrogates are what bytes of the environment become that are not UTF-8."""


def faults(data: Any, path: Path = ()) -> Iterator[Fault]:
    """One for each text, and each key, that has such a character; what else stands in it is not shown."""
    if isinstance(data, str):
        if not data.isprintable():
            yield from _fault_of(data, path, "what ${…} stands for " if isinstance(data, Filled) else "")
    elif isinstance(data, dict):
        for key, value in data.items():
            if not key.isprintable():
                yield from _fault_of(key, (*path, key), "this key ")
            # Nearly everything in a file of thousands of nodes is sound text, hence no call for each.
            if not (isinstance(value, str) and value.isprintable()):
                yield from faults(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            if not (isinstance(item, str) and item.isprintable()):
                yield from faults(item, (*path, index))


def _fault_of(text: str, path: Path, what: str) -> Iterator[Fault]:
    found = _REFUSED.search(text)
    if found is None:
        return
    if found[0] >= "\ud800":
        yield Fault(path, f"{what}is not text in UTF-8; save it in that encoding")
    else:
        yield Fault(path, f"{what}has a control character in it (\\u{ord(found[0]):04X}); take it out")
