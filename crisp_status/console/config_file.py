"""The operator's configuration file, edited from the console: configuration stays code.

Laws
- What is saved was checked whole before, as the file it becomes; a file that changed meanwhile is never overwritten.
- A file is replaced in one step; the version before stays beside it as `config.toml.~N~`.
- Nothing that could run code or read other files can be set here: scripts, `${…}` texts that were not there before,
  folders, the manager token, the console itself. The shell is the place for these.
- Secrets leave as marks and come back as what they stand for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.load import load_text
from crisp_status.config.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crisp_status.config.root import Config

MARK: Final = "‹secret {}›"
"""Stands for a secret in what the browser gets."""

VERSIONS_KEPT: Final = 50
"""Older versions beside the file; the oldest go first."""

LOCKED: Final = (
    ("script",),
    ("console",),
    ("agent",),
    ("publish",),
    ("server", "manager_token"),
    ("server", "reporter_token"),
    ("server", "state"),
    ("server", "store"),
    ("server", "listen"),
    ("server", "trusted_proxies"),
    ("page", "templates"),
    ("page", "stylesheet"),
    ("tls", "certificate"),
    ("tls", "key"),
)
"""Keys and tables that are changed in a shell only."""


class FileTrouble(Exception):
    """The file cannot be edited; the sentence says why and what to do."""


@dataclass(frozen=True)
class Version:
    """One older version of the file."""

    number: int
    changed_at: float


class ConfigFile:
    """The file behind a running daemon."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.path = config.path

    def read(self) -> str:
        """The text as it stands on disk. Raises `FileTrouble`."""
        try:
            return self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FileTrouble(f"{self.path.name} cannot be read: {error}.") from error

    def fault(self) -> str:
        """Why nothing can be saved here; "" when it can."""
        if not self._config.console.edit:
            return "Editing is off: set edit = true under [console] in the file."
        folder = self.path.parent
        if not os.access(folder, os.W_OK) or not os.access(self.path, os.W_OK):
            return (
                f"The daemon may not write {self.path.name} or its folder: a read-only mount or another owner. "
                "docs/console.md says how to allow it."
            )
        return ""

    @staticmethod
    def fingerprint(text: str) -> str:
        """Says whether two texts are the same."""
        return sha256(text.encode()).hexdigest()

    def masked(self, text: str) -> str:
        """The text with a mark in place of each secret that stands in it literally."""
        for number, secret in enumerate(self._secrets(text), 1):
            text = text.replace(secret, MARK.format(number))
        return text

    def revealed(self, given: str, text: str) -> str:
        """What the browser sent back, with the secrets of `text` where their marks are."""
        secrets = self._secrets(text)
        # From the last: mark 1 is no part of mark 12, since marks end.
        for number, secret in enumerate(secrets, 1):
            given = given.replace(MARK.format(number), secret)
        return given

    def _secrets(self, text: str) -> list[str]:
        """Secrets that stand in the text, the longest first, so that none is cut by a shorter one."""
        found = {
            secret for secret in self._config.secrets() if len(secret) >= 6 and secret in text and "${" not in secret
        }
        return sorted(found, key=lambda s: (-len(s), s))

    def check(self, text: str) -> Config:
        """The configuration that `text` would be. Raises `ConfigError` with every problem, `FileTrouble` for what is locked."""
        config = load_text(text, self.path, self._config.rooms)
        old, new = parse(self.read(), str(self.path)), parse(text, str(self.path))
        locked = sorted(set(_locked_changes(old, new)))
        if locked:
            raise FileTrouble(f"Not changed here, only in the file itself: {', '.join(locked)}.")
        return config

    def save(self, text: str, seen: str) -> Config:
        """Replace the file by `text`; `seen` is the fingerprint of what the operator started from.

        Raises `ConfigError` or `FileTrouble`; then the file is as it was.
        """
        fault = self.fault()
        if fault:
            raise FileTrouble(fault)
        before = self.read()
        if self.fingerprint(before) != seen:
            raise FileTrouble("Somebody changed the file meanwhile. Look at the difference and make your change again.")
        config = self.check(text)
        if text == before:
            return config
        try:
            self._keep(before)
            self._replace(text)
        except OSError as error:
            raise FileTrouble(f"The file could not be written: {error}. Nothing was changed.") from error
        return config

    def undo(self, text: str) -> None:
        """Put back what stood there, after a reload that failed."""
        self._replace(text)

    def versions(self) -> list[Version]:
        """Older versions, newest first."""
        found = []
        for file in self.path.parent.glob(f"{self.path.name}.~*~"):
            number = file.name.removeprefix(f"{self.path.name}.~").removesuffix("~")
            if number.isdecimal():
                found.append(Version(int(number), file.stat().st_mtime))
        return sorted(found, key=lambda v: -v.number)

    def version(self, number: int) -> str:
        """The text of an older version. Raises `FileTrouble`."""
        try:
            return self._version(number).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FileTrouble(f"Version {number} cannot be read: {error}.") from error

    def _version(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.~{number}~")

    def _keep(self, text: str) -> None:
        known = self.versions()
        _write(self._version(known[0].number + 1 if known else 1), text, self.path)
        for old in known[VERSIONS_KEPT - 1 :]:
            self._version(old.number).unlink(missing_ok=True)

    def _replace(self, text: str) -> None:
        new = self.path.with_name(f"{self.path.name}.new")
        _write(new, text, self.path)
        new.replace(self.path)
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write(file: Path, text: str, like: Path) -> None:
    """Write with the permissions of `like`: the file may hold secrets."""
    mode = like.stat().st_mode & 0o777
    file.unlink(missing_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(fd, "wb") as opened:
        os.fchmod(fd, mode)
        opened.write(text.encode("utf-8"))
        opened.flush()
        os.fsync(fd)


def _locked_changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Names of what differs and may not."""
    for path in LOCKED:
        if _at(old, path) != _at(new, path):
            yield ".".join(path)
    known = set(_references(old))
    for text in _references(new):
        if text not in known:
            yield text
    for nodes in (old, new):
        other = _scripts(new if nodes is old else old)
        for script in _scripts(nodes):
            if script not in other:
                yield "scripts of nodes"


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _references(value: Any) -> Iterator[str]:
    """Every `${…}` in the texts of a document."""
    if isinstance(value, str):
        yield from re.findall(r"\$\{[^}]*\}?", value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _scripts(data: dict[str, Any]) -> list[Any]:
    """What every node that runs programs runs, with the names of its service and of itself."""
    services = data.get("services")
    return [
        [service.get("id", service.get("name")), node.get("id", node.get("name")), node.get("scripts")]
        for service in (services if isinstance(services, list) else [])
        if isinstance(service, dict) and isinstance(service.get("nodes"), list)
        for node in service["nodes"]
        if isinstance(node, dict) and ("scripts" in node or node.get("mode") == "script")
    ]
