"""Whole HTTP responses as bytes: made once, sent many times, complete but for the date.

Gain: sending a compressed page takes 8 to 14 µs of CPU, from 30 nodes to 3,000 (`python -m benchmarks --only page`);
making that of 1,000 nodes takes 76 ms, and 9 when one node in a hundred has changed (`--only views`).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from hashlib import blake2b
from http import HTTPStatus
from types import ModuleType
from typing import Final

from crisp_status.clock import Clock
from crisp_status.formats.routes import DocumentRoute, Made

try:
    import brotli
except ImportError:
    brotli: ModuleType | None = None  # type: ignore[no-redef]

COMPRESS_FROM: Final = 256
"""Below it, the header that names the compression costs more than it saves."""

LARGE: Final = 50_000
"""From here on a faster level is used: the best one takes tens of milliseconds for one per cent."""

BROTLI: Final = 5
"""Pages are no smaller at 9, and take ten times as long."""

GENERAL: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""Sent with every document."""

CAPABILITY_URL: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""Of a page whose address is the permission: it must not travel on to the next site, nor be kept."""

LOCKED: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of documents that bring none of their own: nothing in them may load or run anything."""


class Dater:
    """The `Date` header, formatted once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = float("-inf")
        self._line = b""
        self._secure_line = b""
        self.secure_header = b""
        """A header line that goes with the date over TLS, and only there."""

    def line(self, monotonic: float, *, secure: bool = False) -> bytes:
        """The header line for the present; `monotonic` is only compared with itself. The same object for a second."""
        if monotonic >= self._until or monotonic < self._until - 1.0:
            now = self._clock.now()
            self._line = b"Date: " + formatdate(int(now), usegmt=True).encode() + b"\r\n"
            self._secure_line = self._line + self.secure_header
            self._until = monotonic + 1.0 - now % 1.0
        return self._secure_line if secure else self._line


class ReadyBytes:
    """One response. The date is put in at most once a second, so that sending is one write of one object."""

    __slots__ = ("_before", "_date", "_rest", "_whole", "status")

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        self.status = status
        self._before = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        self._rest = "".join(f"{n}: {v}\r\n" for n, v in headers).encode("latin-1", "replace") + b"\r\n" + body
        self._date: bytes | None = None
        self._whole = b""

    def at(self, date: bytes) -> bytes:
        """The whole response with that date line."""
        if self._date is not date:
            self._whole = b"".join((self._before, date, self._rest))
            self._date = date
        return self._whole

    def with_header(self, date: bytes, line: bytes) -> bytes:
        """The same with one more header line, for the rare client that asks to close."""
        return b"".join((self._before, date, line, self._rest))


class Variant:
    """One compression of one document, in the three forms that it can be asked for."""

    __slots__ = ("etag", "full", "head", "unchanged")

    def __init__(self, status: int, headers: Sequence[tuple[str, str]], etag: str, body: bytes, coding: str) -> None:
        self.etag = etag
        kept = [h for h in headers if h[0] != "Content-Type"]
        kept.append(("ETag", etag))
        whole = [*headers, ("ETag", etag), ("Content-Length", str(len(body)))]
        if coding:
            whole.append(("Content-Encoding", coding))
        self.full = ReadyBytes(status, whole, body)
        self.head = ReadyBytes(status, whole)
        self.unchanged = ReadyBytes(304, kept)

    def answer(self, *, head: bool, have: frozenset[str]) -> ReadyBytes:
        """The response for a client that has these entity tags."""
        if have and self.full.status == 200 and (self.etag in have or "*" in have):
            return self.unchanged
        return self.head if head else self.full


class Document:
    """One document in all its compressions."""

    __slots__ = ("_unpacked", "br", "digest", "gzip", "plain", "size", "used", "used_at")

    def __init__(self, made: Made, body: bytes, digest: str, headers: list[tuple[str, str]]) -> None:
        """It answers everybody uncompressed until `pack`."""
        self.digest = digest
        self.used = False
        """Whether somebody asked for it since the last view."""
        self.used_at = 0.0
        headers = [("Content-Type", made.content_type), *headers]
        self.plain = self._variant(made.status, headers, "", body)
        self.gzip: Variant | None = None
        self.br: Variant | None = None
        self.size = len(body)
        small = len(body) < COMPRESS_FROM or made.content_type.startswith(("image/png", "image/jpeg"))
        self._unpacked = None if small else (made.status, headers, body)

    def pack(self) -> None:
        """Compress it, unless it is too small or that is done. May run in a thread."""
        if self._unpacked is None:
            return
        (status, headers, body), self._unpacked = self._unpacked, None
        packed = gzip.compress(body, 6 if len(body) > LARGE else 9, mtime=0)
        self.size += len(packed)
        self.gzip = self._variant(status, headers, "gzip", packed)
        if brotli is not None:
            packed = brotli.compress(body, quality=BROTLI)
            self.size += len(packed)
            self.br = self._variant(status, headers, "br", packed)

    @classmethod
    def made(
        cls, made: Made, route: DocumentRoute, language: str, *, varies: bool, before: Document | None = None
    ) -> Document:
        """From what a renderer gave; `before` is returned when it is the same. `varies`: by `Accept-Language` too.

        A new one is not packed yet.
        """
        body = made.body.encode("utf-8", "replace") if isinstance(made.body, str) else made.body
        digest = fingerprint(made, body)
        if before is not None and before.digest == digest:
            return before
        document = cls(made, body, digest, _headers(made, route, language, varies=varies))
        if before is not None:
            document.used_at = before.used_at
        return document

    def _variant(self, status: int, headers: list[tuple[str, str]], coding: str, body: bytes) -> Variant:
        # Each compression is another representation and needs its own strong tag (RFC 9110 section 8.8.3).
        suffix = f"-{coding}" if coding else ""
        return Variant(status, headers, f'"{self.digest}{suffix}"', body, coding)

    def variant(self, codings: tuple[str, ...]) -> Variant:
        """The best compression that the client takes."""
        for coding in codings:
            if coding == "br" and self.br is not None:
                return self.br
            if coding == "gzip" and self.gzip is not None:
                return self.gzip
        return self.plain


def fingerprint(made: Made, body: bytes) -> str:
    """Of everything that the client gets, so that an equal tag means equal bytes."""
    digest = blake2b(body, digest_size=12)
    digest.update(repr((made.content_type, made.headers, made.status)).encode())
    return digest.hexdigest()


def _headers(made: Made, route: DocumentRoute, language: str, *, varies: bool) -> list[tuple[str, str]]:
    headers = [
        ("Cache-Control", route.cache),
        ("Vary", "Accept-Encoding, Accept-Language" if varies else "Accept-Encoding"),
    ]
    if route.localized and language:
        headers.append(("Content-Language", language))
    own = {name.lower() for name, _ in made.headers}
    headers += [h for h in GENERAL if h[0].lower() not in own]
    if "content-security-policy" not in own:
        headers.append(("Content-Security-Policy", LOCKED))
    if route.open:
        headers += [("Access-Control-Allow-Origin", "*"), ("Cross-Origin-Resource-Policy", "cross-origin")]
    else:
        headers += [("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin")]
    return [*headers, *made.headers]
