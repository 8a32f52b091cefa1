"""The grammar of a plain request: a header block that leaves no room for two opinions about where the request ends.

Stricter than RFC 9112 in everything: one space, one colon, no field twice, printable ASCII, and nothing that speaks of
another framing, another protocol or of the connection but `keep-alive` and `close`. What does not fit is not refused
but read by the HTTP library.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_FIELDS: Final = 64
"""Header fields taken here, and by the library (`server.Limits`)."""

MAX_HEAD: Final = 4096
"""Bytes of a header block taken here; browsers send under a thousand."""

END: Final = b"\r\n\r\n"

_LINE: Final = re.compile(rb"(GET|HEAD|POST) (/[A-Za-z0-9._~/-]{0,300})(?:\?([A-Za-z0-9=&._-]{0,100}))? HTTP/1\.1")
_FIELD: Final = re.compile(rb"([A-Za-z0-9-]{1,64}): ?([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
_HOST: Final = re.compile(rb"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,4}")

_HIGH: Final = re.compile(rb"[\x80-\xff]")

_NEVER: Final = frozenset(
    (
        b"content-encoding",
        b"expect",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Fields that speak of the connection, or of a body that is not simply so many bytes: the library's business."""


class Head(NamedTuple):
    """A plain header block."""

    method: str
    path: str
    query: str
    fields: dict[str, str]
    """By lower-case name."""
    close: bool
    """The client wants the connection to end after the answer."""

    @property
    def length(self) -> int:
        """Bytes of the body that belongs to it; -1: there is none."""
        return int(self.fields.get("content-length", "-1"))


def read(block: bytes) -> Head | None:
    """A header block without the empty line that ends it; None: not plain."""
    if len(block) > MAX_HEAD:
        return None
    first, *lines = block.split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None or len(lines) > MAX_FIELDS:
        return None
    seen: dict[bytes, bytes] = {}
    for field in lines:
        match = _FIELD.fullmatch(field)
        if match is None:
            return None
        name = match[1].lower()
        if name in seen or name in _NEVER:
            return None
        seen[name] = match[2]
    if _HOST.fullmatch(seen.get(b"host", b"")) is None or _LENGTH.fullmatch(seen.get(b"content-length", b"0")) is None:
        return None
    wish = seen.get(b"connection", b"keep-alive").lower()
    if wish not in {b"keep-alive", b"close"}:
        return None
    fields = {name.decode(): value.decode() for name, value in seen.items()}
    return Head(line[1].decode(), line[2].decode(), (line[3] or b"").decode(), fields, wish == b"close")


def escaped(line: bytes) -> bytes:
    """Percent-encode the bytes above 127 of a request line, as the client should have done (RFC 3986 section 2.5)."""
    return _HIGH.sub(lambda found: b"%%%02X" % found[0][0], line)
