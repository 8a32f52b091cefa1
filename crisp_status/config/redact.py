"""Which texts of a configuration are secret, in every form in which somebody may quote them."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOKEN_MIN: Final = 8
"""Characters of a part of a secret address that may be a token by itself; shorter ones are words of the service."""

_PARTS: Final = re.compile(r"[/?&=@:,#]+")


def secrets_in(*values: object) -> set[str]:
    """Every password, token and secret in these values, models and collections of them."""
    # One loop: there are a hundred thousand small models to look into.
    found: set[str] = set()
    waiting: list[object] = [values]
    while waiting:
        value = waiting.pop()
        items: Iterable[object] = ()
        if isinstance(value, (tuple, list)):
            items = value
        elif isinstance(value, dict):
            items = value.values()
        elif hasattr(value, "__pydantic_fields_set__"):  # a model; isinstance would be five times as slow
            items = value.__dict__.values()
        for item in items:
            if not item:
                continue
            if isinstance(item, str):
                if "@" in item and "://" in item:
                    found.update(_password(item))
            elif isinstance(item, SecretStr):
                found.update(_whole(item.get_secret_value()))
            elif not isinstance(item, (int, float)):
                waiting.append(item)
    return found - {""}


def basic(user: str, password: str) -> str:
    """What stands behind "Basic" in a header."""
    return b64encode(f"{user}:{password}".encode()).decode()


def _password(url: str) -> Iterator[str]:
    """Of an address, as written and as sent."""
    user, _, password = url.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")
    if password:
        yield password
        yield unquote(password)
        yield basic(unquote(user), unquote(password))


def _whole(secret: str) -> Iterator[str]:
    yield secret
    scheme, _, token = secret.partition(" ")
    if scheme.lower() in {"basic", "bearer", "token"}:
        yield token
    if "://" not in secret:
        return
    yield from _password(secret)
    # Whoever refuses an address quotes its path, or the one token in it that is wrong.
    server, slash, path = secret.partition("://")[2].partition("/")
    host = server.rpartition("@")[2]
    if slash and any(map(_like_a_token, _PARTS.split(path))):
        yield slash + path
    for part in _PARTS.split(path if "." in host or "[" in host else f"{server}/{path}"):
        if _like_a_token(part):
            yield part
            yield unquote(part)


def _like_a_token(part: str) -> bool:
    """Not a word that any line of a log may have: `notifications`, but nobody's key."""
    return len(part) >= TOKEN_MIN and any(map(str.isdigit, part))
