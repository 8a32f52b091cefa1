"""A draft as TOML with comments, and its secrets as files that only their owner can read."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TYPE_CHECKING, Any, Final

import tomli_w

from crisp_status.core.past import history_name
from crisp_status.importers._draft import DraftTable, Reference
from crisp_status.importers._history import encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crisp_status.importers._draft import Draft

MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

WIDTH: Final = 110
"""Characters of a line of comment."""

ORDER: Final = (
    "page",
    "server",
    "poll",
    "push",
    "local",
    "script",
    "witness",
    "notify",
    "notifiers",
    "operators",
    "webhooks",
    "embed",
    "metrics",
    "publish",
    "announcements",
    "services",
)
"""Sections as `config.example.toml` has them; whatever is not listed follows."""

INLINE: Final = {"replicas", "scripts"}
"""Arrays whose tables stand in one line each."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL: Final = re.compile(r"(?:[\t\n -&(-~\x80-\U0010ffff]|'(?!''))*")
"""Text that may stand between triple apostrophes as it is, which is how people read a script best."""


def document(draft: Draft, folder: str, title: str) -> str:
    """The whole file. `folder`: where its secrets will be, as the file itself names it. `title`: the other program."""
    lines = [
        f"# Configuration of crisp-status, carried over from {title}.",
        "# `crisp-status check --probe` tries it, `crisp-status run` starts it. Every key there is: docs/configuration.md",
    ]
    if draft.secrets:
        lines.append(f"# Passwords and tokens are in {folder}/, one file each, readable by their owner only.")
    if draft.variables:
        lines.append(f"# It reads these variables of its environment: {', '.join(sorted(draft.variables))}")
    known = [name for name in ORDER if name in draft.data]
    for name in [*known, *(name for name in draft.data if name not in ORDER)]:
        lines += _part((name,), draft.data[name], folder)
    return "\n".join(lines) + "\n"


def write(path: Path, text: str, draft: Draft, folder: Path) -> None:
    """Write the file, its secrets and the history, none over one that is there. FileExistsError and other OSError pass through."""
    if draft.secrets:
        folder.mkdir(mode=FOLDER_MODE)
    for name, value in draft.secrets.items():
        _create(folder / name, value + "\n")
    if draft.history:
        _create(path.with_name(history_name(path.stem)), encode(draft.history.parts()))
    _create(path, text)


def _create(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _part(path: tuple[str, ...], value: Any, folder: str) -> Iterator[str]:
    """The lines of one table or array of tables, with all below."""
    if isinstance(value, list):
        for table in value:
            yield from _table(path, table, folder, several=True)
    else:
        yield from _table(path, value, folder, several=False)


def _table(path: tuple[str, ...], table: dict[str, Any], folder: str, *, several: bool) -> Iterator[str]:
    below = {key: value for key, value in table.items() if _is_part(key, value)}
    own = {key: value for key, value in table.items() if key not in below}
    comments = table.comments if isinstance(table, DraftTable) else []
    if own or several or comments:
        name = ".".join(map(_key, path))
        yield ""
        yield f"[[{name}]]" if several else f"[{name}]"
        for comment in comments:
            yield from (f"# {line}" for line in textwrap.wrap(_printable(comment), WIDTH))
    for key, value in own.items():
        yield f"{_key(key)} = {_value(value, folder, plain=key == 'scripts')}"
    for key, value in below.items():
        yield from _part((*path, key), value, folder)


def _is_part(key: str, value: Any) -> bool:
    return isinstance(value, dict) or (
        key not in INLINE and isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)
    )


def _value(value: Any, folder: str, *, plain: bool = False) -> str:
    """A value as TOML. `plain`: its `${` belong to a shell and stay as they are."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(k)} = {_value(v, folder, plain=plain)}" for k, v in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list):
        items = [_value(v, folder, plain=plain) for v in value]
        line = f"[{', '.join(items)}]"
        return line if len(line) <= WIDTH or len(items) == 1 else "[\n" + "".join(f"  {i},\n" for i in items) + "]"
    if isinstance(value, Reference):
        value = str(value).replace("${file:", f"${{file:{folder}/")
    elif isinstance(value, str) and not plain:
        value = value.replace("${", "$${")
    if plain and isinstance(value, str) and "\n" in value and _LITERAL.fullmatch(value):
        return f"'''\n{value}\n'''"
    return tomli_w.dumps({"k": value}, multiline_strings=plain).removeprefix("k = ").removesuffix("\n")


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
