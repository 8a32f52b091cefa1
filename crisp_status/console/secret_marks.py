"""Marks that stand for secrets in what the browser gets, and what they stand for when they come back.

A mark is made from the secret and a key of ours, so it says the same on every page, also when other secrets come and go,
and nobody can make one up.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import tomli

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK: Final = "‹secret {}›"

MARKED: Final = re.compile("‹secret [0-9a-f]{8}›")

SHORT: Final = 6
"""Characters; a shorter secret is hidden only where it is a whole text, since parts of other words would go with it."""

_TEXTS: Final = re.compile(
    r"""\#[^\n]*
    | (?P<text> \"{3}(?:\\.|(?!\"{3}).)*\"{3,5} | '{3}(?:(?!'{3}).)*'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')""",
    re.DOTALL | re.VERBOSE,
)
"""Comments, and texts of TOML with their quotes."""


class Marks:
    """Secrets of one TOML text, and the mark of each."""

    def __init__(self, key: bytes, text: str, secrets: Iterable[str]) -> None:
        """`key` makes the marks; `secrets` are those that may stand in the text."""
        known = {secret for secret in secrets if secret}
        parts = {secret: "{}" for secret in known if len(secret) >= SHORT and secret in text}
        for match in _TEXTS.finditer(text):
            # Escapes, as in "pass\"word": the secret is there in another spelling, so the whole text goes.
            written = match["text"]
            if written and _hides(written, known):
                parts[written] = '"{}"'
        self._of = {part: shape.format(_mark(key, part)) for part, shape in parts.items()}
        self._text = text

    def masked(self) -> str:
        """The text with its marks."""
        if not self._of:
            return self._text
        # In one pass, the longest first: no secret is cut by a shorter one, none is found within a mark.
        longest = sorted(self._of, key=lambda part: (-len(part), part))
        return re.compile("|".join(map(re.escape, longest))).sub(lambda m: self._of[m.group()], self._text)

    def meanings(self) -> dict[str, str]:
        """What each mark, with its quotes where it has some, stands for."""
        return {mark: part for part, mark in self._of.items()}


def revealed(given: str, meanings: dict[str, str]) -> str:
    """The text with what its marks stand for."""
    if not meanings:
        return given
    longest = sorted(meanings, key=lambda mark: -len(mark))
    return re.compile("|".join(map(re.escape, longest))).sub(lambda m: meanings[m.group()], given)


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where marks stand in a document: keys without the numbers of entries, and the mark. Marks in keys, too."""
    if isinstance(value, str):
        yield from ((path, mark) for mark in MARKED.findall(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (((*path, key), mark) for mark in MARKED.findall(key))
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, path)


def _mark(key: bytes, part: str) -> str:
    return MARK.format(hmac.new(key, f"console secret {part}".encode("utf-8", "replace"), sha256).hexdigest()[:8])


def _hides(written: str, secrets: set[str]) -> bool:
    """Whether a text of TOML, with its quotes, has a secret that a search for it would not find."""
    inner = written[1:-1]
    if "\\" not in inner and "$${" not in inner:
        return len(inner) < SHORT and inner in secrets
    try:
        meant = str(tomli.loads(f"a = {written}")["a"]).replace("$${", "${")
    except tomli.TOMLDecodeError:
        return False
    return any((len(s) >= SHORT and s in meant and s not in written) or s == meant for s in secrets)
