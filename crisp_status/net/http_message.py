"""One HTTP question and its answer, as `http` decides on them; who carries them is in `plain_http` and `aiohttp_client`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

HEAD_MAX = 65_536
"""Bytes of status line and headers: four times what servers commonly allow themselves."""

FIELDS_MAX = 256
"""Header fields of an answer."""

BODY_MAX = 1 << 20
"""Bytes of decoded body that are searched. What makes a page healthy or not stands in its first megabyte."""


class Question(msgspec.Struct, frozen=True):
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
    written: bytes
    """All of it as it goes out."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """What was answered."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    """Names in lower case; the first of equal ones."""
    body: bytes = b""
    """Decoded, at most `BODY_MAX`; empty when it was not wanted."""
    certificate: bytes | None = None
    """DER form, for HTTPS."""


def written(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a question. Its parts hold no line breaks: `http.Options` and the URL parser refuse them."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8") + body
