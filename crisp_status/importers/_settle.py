"""Our own check over a draft, until nothing is wrong with it: what would be refused is taken out, and said.

So whatever another program allowed (a regular expression of its own dialect, an address with a space in it, an interval of
half a second), what is written is valid, and each thing that is missing from it has a line.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.load import load
from crisp_status.config.problems import ConfigError
from crisp_status.importers._write import document, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.config.problems import Problem
    from crisp_status.config.strict import Rooms
    from crisp_status.importers._draft import Draft

Path_ = tuple[str | int, ...]

ROUNDS_MAX: Final = 20
"""Taking one thing out may leave another without its object, a few steps deep."""

UNSET: Final = "the environment variable "
"""How the check begins to say that a variable is not set: it may be set where the daemon runs."""

NEEDED: Final[dict[Path_, str]] = {("page", "url"): "http://localhost:8080/", ("page", "name"): "Status"}
"""What a file cannot be without: it is replaced instead of taken out."""

_PART: Final = re.compile(r'\[(\d+)\]|"([^"]*)"|([^.\["]+)')


def settle(draft: Draft, rooms: Rooms, environ: Mapping[str, str]) -> list[Problem]:
    """Take out what our check refuses. What is left in the end is what it still says, but for variables not set here."""
    left: list[Problem] = []
    for _ in range(ROUNDS_MAX):
        left = [p for p in _problems(draft, rooms, environ) if not p.text.startswith(UNSET)]
        paths = {p.path: p for p in left}
        # From behind, so that the places of those in front stay true.
        taken = [_take_out(draft, _parsed(path), paths[path]) for path in sorted(paths, key=_parsed_key, reverse=True)]
        if not any(taken):
            break
    return left


def _problems(draft: Draft, rooms: Rooms, environ: Mapping[str, str]) -> list[Problem]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "config.toml"
        write(path, document(draft, "secrets", ""), draft, Path(name) / "secrets")
        try:
            load(path, rooms, environ)
        except ConfigError as error:
            return error.problems
    return []


def _parsed(path: str) -> Path_:
    """`services[1].nodes[0]` as its parts."""
    return tuple(int(index) if index else quoted or bare for index, quoted, bare in _PART.findall(path))


def _parsed_key(path: str) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in _parsed(path))


def _take_out(draft: Draft, path: Path_, problem: Problem) -> bool:
    """Remove what the path names, or the table that lacks it; whether there was something to remove."""
    parents: list[Any] = [draft.data]
    for part in path:
        here = parents[-1]
        known = part in here if isinstance(here, dict) else isinstance(part, int) and part < len(here)
        if not known or not isinstance(here[part], dict | list):
            break
        parents.append(here[part])
    depth = len(parents) - 1
    there = depth < len(path) and isinstance(parents[-1], dict | list) and _has(parents[-1], path[depth])
    end = depth + 1 if there else depth
    if end == 0 or path[:end] == ("page",):
        return False
    draft.lost(_where(draft.data, path[:end]), problem.text)
    if path[:end] in NEEDED:
        parents[end - 1][path[end - 1]] = NEEDED[path[:end]]
    else:
        del parents[end - 1][path[end - 1]]
    return True


def _has(here: Any, part: str | int) -> bool:
    return part in here if isinstance(here, dict) else isinstance(part, int) and part < len(here)


def _where(data: Any, path: Path_) -> str:
    """The path in words: names in place of numbers, where the tables have any."""
    words, here = [], data
    for part in path:
        here = here[part]
        if isinstance(part, int):
            named = (here.get("name") or here.get("title") or here.get("id")) if isinstance(here, dict) else None
            words.append(f'"{named}"' if named else f"[{part}]")
        else:
            words.append(part)
    return " ".join(words)
