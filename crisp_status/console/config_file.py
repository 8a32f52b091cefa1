"""The operator's configuration file, edited from the console: configuration stays code.

Laws
- What is saved was checked whole before, as the file it becomes; a file that changed meanwhile is never overwritten.
- A file is replaced in one step; the version before stays beside it as `config.toml.~N~`.
- Nothing that could run code or read other files can be set here: scripts, `${…}` texts that were not there before,
  folders, the manager token, the console itself. The shell is the place for these.
- Secrets leave as marks and come back as what they stand for, under the keys where they stood and nowhere else.
"""

from __future__ import annotations

import glob
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.load import load_text
from crisp_status.config.problems import ConfigError
from crisp_status.config.syntax import parse
from crisp_status.console.secret_marks import MARKED, Marks, places, revealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crisp_status.config.root import Config

BOM: Final = "\ufeff"

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

    def __init__(self, config: Config, key: bytes = b"") -> None:
        """`key` makes the marks of secrets."""
        self._config = config
        self._key = key
        self.path = config.path
        self._real = config.path.resolve()
        """Where it stands when its path is a symbolic link, which stays one."""
        self._bom = ""

    def read(self) -> str:
        """The text as it stands on disk, with its line ends, without a byte order mark. Raises `FileTrouble`."""
        try:
            text = self.path.read_bytes().decode()
            self._bom = BOM if text.startswith(BOM) else ""
            return text.removeprefix(BOM)
        except (OSError, UnicodeDecodeError) as error:
            raise FileTrouble(f"{self.path.name} cannot be read: {error}.") from error

    def fault(self) -> str:
        """Why nothing can be saved here; "" when it can."""
        if not self._config.console.edit:
            return "Editing is off: set edit = true under [console] in the file."
        if not os.access(self._real.parent, os.W_OK) or not os.access(self._real, os.W_OK):
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
        return self._marks(text).masked()

    def revealed(self, given: str, text: str) -> str:
        """What the browser sent back, with the secrets of `text`, or of older versions, where their marks are.

        Raises `ConfigError` for what is not TOML, `FileTrouble` for a mark that nothing stands for, or that was moved.
        """
        marks = set(MARKED.findall(given)) - set(MARKED.findall(text))
        if not marks:
            return given
        meanings: dict[str, str] = {}
        allowed: set[tuple[tuple[str, ...], str]] = set()
        for source in self._sources(text):
            known = self._marks(source)
            meanings = known.meanings() | meanings
            try:
                allowed.update(places(parse(known.masked(), "")))
            except ConfigError:
                continue
            if marks <= {mark.strip('"') for mark in meanings}:
                break
        lost = sorted(marks - {mark.strip('"') for mark in meanings})
        if lost:
            raise FileTrouble(f"{lost[0]} stands for no secret of this file. Write the secret itself there.")
        moved = sorted(
            ".".join(path) for path, mark in places(parse(given, self.path.name)) if (path, mark) not in allowed
        )
        if moved:
            raise FileTrouble(f"A mark of a secret stands only where the secret stood, not in {moved[0]}.")
        return revealed(given, meanings)

    def shown(self, text: str) -> dict[str, Any]:
        """The document with marks in place of its secrets."""
        return parse(self.masked(text), self.path.name)

    def meanings(self, text: str) -> dict[str, str]:
        """What marks in `shown` stand for."""
        return {mark.strip('"'): part for mark, part in self._marks(text).meanings().items() if mark[0] != '"'}

    def _sources(self, text: str) -> Iterator[str]:
        """Texts whose secrets may have marks: this one, then older versions."""
        yield text
        for version in self.versions():
            try:
                yield self.version(version.number)
            except FileTrouble:
                continue

    def _marks(self, text: str) -> Marks:
        """Secrets in force, and those that the text has itself: it may be older, or not in force yet."""
        secrets = self._config.secrets()
        try:
            secrets |= load_text(text, self.path, self._config.rooms, without_files=True).secrets()
        except ConfigError:
            with suppress(ConfigError):
                secrets |= set(_like_secrets(parse(text, "")))
        return Marks(self._key, text, secrets)

    def check(self, text: str) -> Config:
        """The configuration that `text` would be. Raises `ConfigError` with every problem, `FileTrouble` for what is locked."""
        before = self.read()
        if set(MARKED.findall(text)) - set(MARKED.findall(before)):
            raise FileTrouble("A mark of a secret is no value. Write the secret itself in File and versions.")
        old, new = parse(before, str(self.path)), parse(text, str(self.path))
        # Before anything is filled in: a problem would quote what a new ${file:…} stands for.
        locked = sorted(set(_locked_changes(old, new)))
        if locked:
            raise FileTrouble(f"Not changed here, only in the file itself: {', '.join(locked)}.")
        return load_text(text, self.path, self._config.rooms)

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
        if "\r\n" in before and before.count("\n") == before.count("\r\n"):
            text = re.sub("\r?\n", "\r\n", text)
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
        for file in self._real.parent.glob(f"{glob.escape(self._real.name)}.~*~"):
            number = file.name.removeprefix(f"{self._real.name}.~").removesuffix("~")
            if number.isascii() and number.isdecimal() and len(number) < 10:
                found.append(Version(int(number), file.stat().st_mtime))
        return sorted(found, key=lambda v: -v.number)

    def version(self, number: int) -> str:
        """The text of an older version. Raises `FileTrouble`."""
        try:
            return self._version(number).read_bytes().decode().removeprefix(BOM)
        except (OSError, UnicodeDecodeError) as error:
            raise FileTrouble(f"Version {number} cannot be read: {error}.") from error

    def _version(self, number: int) -> Path:
        return self._real.with_name(f"{self._real.name}.~{number}~")

    def _keep(self, text: str) -> None:
        known = self.versions()
        _write(self._version(known[0].number + 1 if known else 1), self._bom + text, self._real)
        for old in known[VERSIONS_KEPT - 1 :]:
            self._version(old.number).unlink(missing_ok=True)

    def _replace(self, text: str) -> None:
        new = self._real.with_name(f"{self._real.name}.new")
        _write(new, self._bom + text, self._real)
        new.replace(self._real)
        fd = os.open(self._real.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write(file: Path, text: str, like: Path) -> None:
    """Write with the permissions of `like`: the file may hold secrets."""
    known = like.stat()
    mode = known.st_mode & 0o777
    file.unlink(missing_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(fd, "wb") as opened:
        with suppress(PermissionError):
            os.fchown(fd, -1, known.st_gid)
        os.fchmod(fd, mode)
        opened.write(text.encode("utf-8"))
        opened.flush()
        os.fsync(fd)


def _locked_changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Names of what differs and may not."""
    for locked in LOCKED:
        if _at(old, locked) != _at(new, locked):
            yield ".".join(locked)
    known = set(_references(old))
    for path, text in _references(new):
        if (path, text) not in known:
            yield f"{'.'.join(path)} = {text!r}"
    for key, name in _branding(new).items():
        parts = PurePath(str(name)).parts
        if name != _branding(old).get(key) and (str(name).startswith("/") or ".." in parts):
            yield f"page.branding.{key} outside the folder of the file"
    for nodes in (old, new):
        other = _scripts(new if nodes is old else old)
        for script in _scripts(nodes):
            if script not in other:
                yield "scripts of nodes"


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _branding(data: dict[str, Any]) -> dict[str, Any]:
    found = _at(data, ("page", "branding"))
    return found if isinstance(found, dict) else {}


def _references(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text with `${…}` and every name of a file that is read, with its keys, without the numbers of entries."""
    if isinstance(value, str):
        if "${" in value or (path and path[-1].endswith("_file")):
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _references(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner, path)


def _like_secrets(value: Any, key: str = "") -> Iterator[str]:
    """Texts whose keys are those of secrets, in a document that cannot be read as a configuration."""
    if isinstance(value, str):
        if "${" not in value and re.search("token|password|secret|key|hmac|url", key):
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _like_secrets(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _like_secrets(inner, key)


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
