"""Files of other programs: read once, with a limit, and errors that say which file and what was expected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.secrets import reason

if TYPE_CHECKING:
    from pathlib import Path

BYTES_MAX: Final = 64 * 1024 * 1024
"""A text file of this size is not a configuration. Databases are opened, not read, and may be larger."""

RECOGNISED_BYTES: Final = 262_144
"""Bytes of a file that tell whose it is."""


class ImportFailed(Exception):
    """A file cannot be understood; the sentence says which and why."""


@dataclass(frozen=True)
class Source:
    """One file of another program."""

    path: Path

    def head(self) -> bytes:
        """Its first bytes; ImportFailed when it cannot be read."""
        return self._bytes(RECOGNISED_BYTES)

    def text(self) -> str:
        """All of it as text; ImportFailed when it is too large or not text."""
        raw = self._bytes(BYTES_MAX + 1)
        if len(raw) > BYTES_MAX:
            raise ImportFailed(f"{self.path} is larger than {BYTES_MAX // 1024 // 1024} MB; is it the right file?")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ImportFailed(f"{self.path} is not text in UTF-8; is it the right file?") from None

    def json(self) -> Any:
        """Its JSON value; ImportFailed with the line when it has none."""
        try:
            return json.loads(self.text())
        except (json.JSONDecodeError, RecursionError) as error:
            where = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            raise ImportFailed(f"{self.path}{where}: is not JSON: {error}") from None

    def _bytes(self, most: int) -> bytes:
        try:
            if self.path.exists() and not self.path.is_file():
                what = "a folder" if self.path.is_dir() else "a pipe or a device"
                raise ImportFailed(f"{self.path} is {what}; expected a file")
            with self.path.open("rb") as file:
                return file.read(most)
        except OSError as error:
            raise ImportFailed(f"{self.path} cannot be read: {reason(error)}") from None


def table(value: Any) -> dict[str, Any]:
    """The value when it is a table or object, else an empty one: files of others may hold anything."""
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> list[dict[str, Any]]:
    """The tables of an array, without whatever else is in it."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value as text: "" for nothing, `true` and `false` as JSON has them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def number(value: Any) -> float | int | None:
    """The value as a number, also from text; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        found = float(str(value))
    except ValueError:
        return None
    return int(found) if found.is_integer() else found


def flag(value: Any) -> bool:
    """The value as yes or no; SQLite has 0 and 1, some exports have text."""
    return value.strip().lower() in {"1", "true", "yes", "on"} if isinstance(value, str) else bool(value)
