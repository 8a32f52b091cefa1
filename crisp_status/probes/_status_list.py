"""Lists of HTTP statuses as people write them: `["200-299", 304]`."""

from __future__ import annotations

import functools
import re

_RANGE = re.compile(r"([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?|([1-5])xx", re.IGNORECASE)


def status_fault(entry: int | str) -> str:
    """Why an entry is not a status or a range of statuses; "" when it is."""
    found = _RANGE.fullmatch(str(entry).strip())
    if found is None:
        return f'"{str(entry)[:20]}" is not a status: expected 204, "200-299" or "2xx", from 100 to 599'
    if found[2] and found[2] < found[1]:
        return f'"{entry}" ends before it begins; write "{found[2]}-{found[1]}"'
    return ""


@functools.lru_cache(maxsize=1024)
def statuses(entries: tuple[int | str, ...]) -> frozenset[int]:
    """Every status in such a list, both ends of a range included."""
    found: set[int] = set()
    for entry in entries:
        match = _RANGE.fullmatch(str(entry).strip())
        assert match is not None, "checked by status_fault when the configuration was loaded"
        first = int(match[1] or f"{match[3]}00")
        last = int(match[2] or (f"{match[3]}99" if match[3] else first))
        found.update(range(first, last + 1))
    return frozenset(found)


def written(entries: tuple[int | str, ...]) -> str:
    """The list for a sentence: `200-299 or 304`."""
    texts = [str(entry) for entry in entries]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
