"""`${VAR}`, `${VAR:-default}`, `${file:/path}` and `${credential:name}` in the texts of the configuration.

`$${` is a plain `${`. A missing one is a fault that names it. Line breaks at the end and a byte order mark in front are
taken off: editors and secret stores add them, and nobody means them. Texts of scripts are left alone: there `${…}` is the
shell's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.problems import Fault, nearest
from crisp_status.config.strict import Filled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path as File

    from crisp_status.config.locate import Path

SECRET_BYTES_MAX: Final = 65536
"""A file with a secret in it is small; a large one is the wrong file."""

_REFERENCE: Final = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}|(\$\{)")
_NAME: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)

_WHOLE: Final = re.compile(r"\$\{[^{}]*\}")
"""A text that is nothing but one reference."""

_LEFT_ALONE: Final = "scripts"


class Expander:
    """Replaces references in a whole document; `faults` are those that could not be."""

    def __init__(self, folder: File, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.faults: list[Fault] = []

    def expand(self, data: Any, path: Path = ()) -> Any:
        """A copy of the data with every reference replaced."""
        if isinstance(data, str):
            return self._text(data, path) if "${" in data else data
        # Nearly everything in a file of thousands of nodes is text without any reference, hence no call for each.
        if isinstance(data, dict):
            return {
                k: v if k == _LEFT_ALONE or (isinstance(v, str) and "${" not in v) else self.expand(v, (*path, k))
                for k, v in data.items()
            }
        if isinstance(data, list):
            return [
                item if isinstance(item, str) and "${" not in item else self.expand(item, (*path, i))
                for i, item in enumerate(data)
            ]
        return data

    def _text(self, text: str, path: Path) -> str:
        filled = False

        def replaced(match: re.Match[str]) -> str:
            nonlocal filled
            plain, reference, broken = match.groups()
            if plain:
                return "${"
            filled = True
            try:
                if broken:
                    raise ValueError("has a ${ without its }; for a plain ${ write $${")
                return self._value(reference)
            except ValueError as error:
                self.faults.append(Fault(path, str(error)))
                return match.group()

        result = _REFERENCE.sub(replaced, text)
        if filled and _WHOLE.fullmatch(text) and len(result) > 1 and result[0] == result[-1] and result[0] in "\"'":
            kind = "env files of docker keep them; take them out there"
            self.faults.append(Fault(path, f"what ${{…}} stands for is in quotes of its own: {kind}"))
        return Filled(result) if filled else result

    def _value(self, reference: str) -> str:
        """What a reference stands for; ValueError with a sentence when there is no such thing."""
        scheme, colon, rest = reference.partition(":")
        if colon and scheme == "file":
            return _content(self.folder / rest, f"${{file:{rest}}}")
        if colon and scheme == "credential":
            folder = self.environ.get("CREDENTIALS_DIRECTORY", "")
            if not folder:
                raise ValueError(
                    f"${{credential:{rest}}}: there are no credentials here ($CREDENTIALS_DIRECTORY is not set); "
                    f"give one to the unit, as in LoadCredential={rest}:/etc/crisp-status/{rest}; a command beside a "
                    "running unit finds them with CREDENTIALS_DIRECTORY=/run/credentials/crisp-status.service"
                )
            if "/" in rest or rest in {"", ".", ".."}:
                raise ValueError(f"${{credential:{rest}}}: a credential has a plain name, no path")
            return _content(self.folder / folder / rest, f"${{credential:{rest}}}")
        match = _NAME.fullmatch(reference)
        if match is None:
            raise ValueError(
                f"${{{reference}}} is not a reference: expected ${{NAME}}, ${{NAME:-default}}, ${{file:/path}} "
                "or ${credential:name}; for a plain ${ write $${"
            )
        name, default = match.groups()
        value = self.environ.get(name)
        if value is not None:
            value = _meant(value)
        if default is not None:
            return value or str(default)
        if value is None:
            near = nearest(name, self.environ)
            hint = f"; {near}" if near.startswith("did") else ""
            raise ValueError(f"the environment variable {name} is not set{hint}")
        return value


def _content(path: File, reference: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"{reference}: {path} cannot be read: {reason(error)}") from None
    if len(raw) > SECRET_BYTES_MAX:
        raise ValueError(f"{reference}: {path} is larger than {SECRET_BYTES_MAX // 1024} kB; is it the right file?")
    try:
        return _meant(raw.decode())
    except UnicodeDecodeError:
        raise ValueError(f"{reference}: {path} is not text in UTF-8") from None


def _meant(text: str) -> str:
    """Without what stores and editors add around a secret: a byte order mark in front, line breaks at the end."""
    return text.removeprefix("\ufeff").rstrip("\r\n")


def reason(error: OSError) -> str:
    """Why a file cannot be read, in plain words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    return (error.strerror or str(error)).lower()
