"""The address of a target, taken apart once."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from crisp_status.config.addresses import PLAIN
from crisp_status.net.errors import Unknowable

_CONTROL = re.compile(r"[\x00-\x20]")


class TargetAddress(NamedTuple):
    """A URL as a probe needs it."""

    scheme: str
    host: str
    """Without brackets; a zone (`fe80::1%eth0`) may follow."""
    port: int
    """0 where the kind has none."""
    path: str
    """With the query, as written; "" when absent."""
    user: str = ""
    password: str = ""


def apart(url: str, default_port: int = 0) -> TargetAddress:
    """Take a URL apart; a `ValueError` says in plain words what is wrong. No default port means that one is needed."""
    usual = PLAIN.fullmatch(url)
    if usual:
        scheme, host, port, path = usual.groups()
        return TargetAddress(scheme, host, int(port or default_port), path or "")
    return by_the_book(url, default_port)


parse = functools.lru_cache(maxsize=65_536)(apart)
"""The same, remembered: each look asks again."""


def by_the_book(url: str, default_port: int = 0) -> TargetAddress:
    """Any URL, as `apart` has it."""
    if _CONTROL.search(url):
        raise ValueError("an address has no spaces or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    if not parts.hostname:
        raise ValueError(f"no host after {parts.scheme}://")
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    host = unquote(parts.hostname)
    return TargetAddress(
        parts.scheme, host, port or default_port, path, unquote(parts.username or ""), unquote(parts.password or "")
    )


def plain(url: str, default_port: int = 0) -> TargetAddress:
    """A target that is a host and a port and nothing else; a `ValueError` says what is too much or missing."""
    target = apart(url, default_port)
    if not target.port:
        raise ValueError(f"a port is needed: {target.scheme}://{target.host}:PORT")
    if target.path not in {"", "/"}:
        raise ValueError(f"{target.scheme}:// takes a host and a port, no path")
    return target


_plain = functools.lru_cache(maxsize=65_536)(plain)
"""The same, remembered: each look asks again."""


def known(url: str, default_port: int = 0) -> TargetAddress:
    """As `plain`, for a probe at work: an address that cannot be understood is an error of ours."""
    try:
        return _plain(url, default_port)
    except ValueError as error:
        raise Unknowable(f"the address cannot be used: {error}", "missing") from None
