"""Addresses of the web as a request needs them, where a redirect leads, and the form for people."""

from __future__ import annotations

import functools
import re
from urllib.parse import quote, unquote

from crisp_status.config.hostname import ascii_host
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.target import TargetAddress, apart
from crisp_status.probes import ProbeError, Unknowable
from crisp_status.probes._redirect import joined

WRITTEN_AS_IS = re.compile(r"(?:/(?!\.)[A-Za-z0-9._~-]*)*/?")
"""Paths without anything to encode and without a segment that begins with a dot: nearly all."""


def web_address(url: str) -> TargetAddress:
    """The URL taken apart for a request: path encoded and without dot segments, host in ASCII, port. A `ValueError` says
    what is wrong.
    """
    target = apart(url)
    if target.scheme not in {"http", "https"}:
        raise ValueError(f"{target.scheme}:// is not HTTP")
    host = ascii_host(target.host)
    path = target.path
    if not WRITTEN_AS_IS.fullmatch(path):
        path = quote(_without_dots(path), safe="%/?:@!$&'()*+,;=~[]|-._", errors="surrogateescape")
    if not path.startswith("/"):
        path = f"/{path}"
    port = target.port or (443 if target.scheme == "https" else 80)
    return TargetAddress(target.scheme, host, port, path, target.user, target.password)


def _without_dots(target: str) -> str:
    """`/a/../b` is sent as `/b`, as browsers and curl do (RFC 3986, section 5.2.4); the query stays."""
    path, mark, query = target.partition("?")
    parts: list[str] = []
    segments = path.split("/")
    for index, segment in enumerate(segments):
        plain = unquote(segment) if len(segment) <= len("%2e%2e") else segment
        if plain in {".", ".."}:
            if plain == ".." and len(parts) > 1:
                parts.pop()
            if index == len(segments) - 1:
                parts.append("")
        else:
            parts.append(segment)
    return "/".join(parts) + mark + query


_parsed = functools.lru_cache(maxsize=65_536)(web_address)
"""The same, remembered: each look asks again."""


def known_web_address(url: str) -> TargetAddress:
    """The same for a probe at work: one that cannot be understood is an error of ours."""
    try:
        return _parsed(url)
    except ValueError as error:
        raise Unknowable(f"the address cannot be used: {error}", "missing") from None


def redirected(url: str, location: str) -> tuple[str, TargetAddress]:
    """Where a redirect leads. Raises `ProbeError` when that is nowhere."""
    try:
        there = joined(url, location)
        return there, _parsed(there)
    except ValueError as error:
        raise ProbeError(ReasonCode.STATUS, f"redirected to an address that cannot be used: {error}") from None


def plain_url(target: TargetAddress) -> str:
    """The address without user and password, for the request, the story and the log."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{target.scheme}://{host}:{target.port}{target.path}"
