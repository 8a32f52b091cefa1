"""Where each key of a TOML document stands: no library tells, and an error without its place is half an error.

`locate(text)` takes a document that `tomli` has accepted and gives the place of every key path. TOML 1.1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

import tomli

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Keys and array indexes from the root of the document."""


class Place(NamedTuple):
    """A position for people: both count from 1; a column is a character."""

    line: int
    column: int


_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""(?:"{0,2})'
    r"|'''(?:[^']|'(?!''))*'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")


class _Scan:
    """One walk over the text; `found` fills up as it goes. Arrays of tables are counted in `sizes`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.sizes: dict[Path, int] = {}

    def skip(self, what: re.Pattern[str]) -> str:
        """Move past `what`, which may be empty; what was passed."""
        match = what.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return match.group() if match else ""

    def document(self) -> None:
        """Statements up to the end."""
        table: Path = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)

    def header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the table that the next pairs belong to."""
        start = self.at
        several = self.text.startswith("[[", start)
        self.at += 2 if several else 1
        path: Path = ()
        for part, place in self.key():
            path = (*self.last(path), part)
            self.found.setdefault(path, place)
        self.at += 2 if several else 1
        if several:
            index = self.sizes.get(path, 0)
            self.sizes[path] = index + 1
            path = (*path, index)
            self.found[path] = start
        return path

    def last(self, path: Path) -> Path:
        """The path itself; of an array of tables its last table."""
        return (*path, self.sizes[path] - 1) if path in self.sizes else path

    def pair(self, table: Path) -> None:
        """`a.b = value`."""
        path = table
        for part, place in self.key():
            path = (*path, part)
            self.found.setdefault(path, place)
        self.at += 1
        self.skip(_SPACE)
        self.value(path)

    def key(self) -> list[tuple[str, int]]:
        """A dotted key: its parts, each with its offset. Ends before `=` or `]`."""
        parts = []
        while True:
            self.skip(_SPACE)
            start = self.at
            raw = self.skip(_BARE) or self.skip(_STRING)
            parts.append((_key_text(raw), start))
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def value(self, path: Path) -> None:
        """Any value; those inside get their own places."""
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self.inside("]", path, array=True)
        elif opening == "{":
            self.inside("}", path, array=False)
        elif not self.skip(_STRING):
            self.skip(_SCALAR)

    def inside(self, closing: str, path: Path, *, array: bool) -> None:
        """The items of an array or the pairs of an inline table."""
        index = 0
        self.at += 1
        self.skip(_BLANK)
        while not self.text.startswith(closing, self.at):
            if array:
                self.found[*path, index] = self.at
                self.value((*path, index))
                index += 1
            else:
                self.pair(path)
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(_BLANK)
        self.at += 1


def _key_text(raw: str) -> str:
    """What a key says: quotes and escapes resolved."""
    if not raw.startswith(('"', "'")):
        return raw
    return next(iter(tomli.loads(f"{raw} = 0"))) if "\\" in raw else raw[1:-1]


class Places:
    """The places of one document."""

    def __init__(self, text: str) -> None:
        scan = _Scan(text)
        scan.document()
        self._found = scan.found
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]

    def place(self, path: Iterable[str | int]) -> Place:
        """Where a key stands (its last part), an array item (its value), or else the nearest table around it."""
        key = tuple(path)
        while key and key not in self._found:
            key = key[:-1]
        return self._place(self._found.get(key, 0))

    def paths(self) -> Iterable[Path]:
        """Every path that has a place."""
        return self._found.keys()

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)
