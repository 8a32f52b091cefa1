"""From the bytes of a file to plain data; what is not TOML is told in words for people who do not read grammars."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final

import tomli

from crisp_status.config.problems import ConfigError, Problem, written
from crisp_status.config.secrets import reason

if TYPE_CHECKING:
    from pathlib import Path as File

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Some 150,000 replicas, more than one machine watches; what is larger is another file, and takes minutes to check."""

_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"Cannot declare (?P<key>\(.*\)) twice", "the table [{key}] is there twice; write its keys together"),
    (r"Cannot (?:overwrite a value|mutate immutable namespace .*|redefine namespace .*)", "this key is there twice"),
    (r"Duplicate inline table key (?P<key>.*)", "the key {key} is there twice"),
    (r"Invalid value", "no value that TOML knows; text needs quotes"),
    (r"Expected newline or end of document after a statement", "something follows where the line should end"),
    (r"Expected '=' after a key in a key/value pair", "expected = after the key"),
    (r"Expected ['\"]\]+['\"] .*", "a ] is missing"),
    (r"Unterminated string|Expected .*", "a text does not end; a quote is missing"),
    (r"Illegal character .*", "a line break or control character in a text; a quote is missing"),
    (r"Unescaped '\\' in a string", "a lone \\ in a text; write \\\\, or 'single quotes' around it"),
    (r"Invalid initial character for a key part", "expected a key; other letters than a-z need quotes around it"),
    (r"Invalid statement", "expected a key or a [table]; other letters than a-z need quotes"),
    (r"Unclosed array", "an array does not end; a ] or a comma is missing"),
    (r"Unclosed inline table", "an inline table does not end; a }} or a comma is missing"),
    (r"Invalid date or datetime", "no such date or time"),
)

_CURLY: Final = re.compile("[\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2032\u2033]")
"""Quotes of word processors and chat programs."""

_ABOUT_QUOTES: Final = re.compile(
    "Invalid value|Invalid initial|Invalid statement|Illegal character|Unterminated|Expected"
)
"""What tomli says where a quote that it does not know begins or ends a text."""

_AT_LINE_START: Final = re.compile("Cannot ")
"""tomli sees these at the end of the line, people at its beginning."""


def read(file: File, name: str) -> str:
    """The text of a configuration file; ConfigError in one sentence when there is none."""
    try:
        with file.open("rb") as handle:
            raw = handle.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        text = "there is no such file; `crisp-status init` writes one, -c names another"
        raise ConfigError([Problem(name, text)]) from None
    except IsADirectoryError:
        raise ConfigError([Problem(name, "is a folder; expected a TOML file")]) from None
    except PermissionError:
        text = "cannot be read: permission denied; who runs this must be allowed to read it"
        raise ConfigError([Problem(name, text)]) from None
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise ConfigError([Problem(name, f"cannot be read: {why}")]) from None
    if len(raw) > FILE_BYTES_MAX:
        text = f"is larger than {FILE_BYTES_MAX // 1024**2} MB, some 150,000 replicas; is it the right file?"
        raise ConfigError([Problem(name, text)])
    try:
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].decode()) + 1
        text = "is not text in UTF-8; save it in that encoding"
        raise ConfigError([Problem(name, text, line=line, column=column)]) from None


def parse(text: str, name: str) -> dict[str, Any]:
    """The document; ConfigError with the place where it stops being TOML 1.1."""
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        column = error.colno
        if (place := _curly_quote(text, error)) is not None:
            words = 'typographic quotes, as word processors write them; a text stands between straight ones: "…"'
            raise ConfigError([Problem(name, f"this is not TOML: {words}", line=error.lineno, column=place)]) from None
        if _AT_LINE_START.match(error.msg):
            line = text.split("\n")[error.lineno - 1]
            column = len(line) - len(line.lstrip()) + 1
        words = f"this is not TOML: {_explained(error.msg)}"
        raise ConfigError([Problem(name, words, line=error.lineno, column=column)]) from None
    except RecursionError:
        raise ConfigError([Problem(name, "arrays or tables are nested too deep to be read")]) from None


def _curly_quote(text: str, error: tomli.TOMLDecodeError) -> int | None:
    """The column of a typographic quote that may be the reason of this error."""
    lines = text.split("\n")
    if not _ABOUT_QUOTES.match(error.msg) or not 0 < error.lineno <= len(lines):
        return None
    found = _CURLY.search(lines[error.lineno - 1])
    return found.start() + 1 if found else None


def _explained(message: str) -> str:
    for pattern, words in _WORDS:
        match = re.fullmatch(pattern, message)
        if match:
            key = match.groupdict().get("key", "")
            return words.format(key=written(ast.literal_eval(key)) if key.startswith("(") else key.strip("'"))
    return message[:1].lower() + message[1:]
