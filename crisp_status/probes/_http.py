"""One HTTP question and its answer, as `http` decides on them; who carries them is in `_plainhttp` and `_aiohttp`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEAD_MAX = 65_536
"""Bytes of status line and headers: four times what servers commonly allow themselves."""

FIELDS_MAX = 256
"""Header fields of an answer."""

BODY_MAX = 1 << 20
"""Bytes of decoded body that are searched. What makes a page healthy or not stands in its first megabyte."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    method: str
    url: str
    secure: bool
    host: str
    port: int
    path: str
    """With the query, percent-encoded; begins with a slash."""
    headers: Mapping[str, str]
    body: bytes
    verify_tls: bool
    wants_body: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    """Names in lower case; the first of equal ones."""
    body: bytes = b""
    """Decoded, at most `BODY_MAX`; empty when it was not wanted."""
    certificate: bytes | None = None
    """DER form, for HTTPS."""
