"""As much of BSON as a look needs: a document of plain values to bytes, and one from bytes (bsonspec.org, version 1.1)."""

from __future__ import annotations

import struct
from typing import Any, Final

SIZES: Final = {0x07: 12, 0x09: 8, 0x11: 8, 0x13: 16, 0x06: 0, 0x0A: 0, 0x7F: 0, 0xFF: 0}
"""Bytes of values that nobody here reads, by type."""


def encoded(document: dict[str, int | str]) -> bytes:
    """Numbers as int32, texts as strings."""
    body = b""
    for key, value in document.items():
        name = key.encode() + b"\0"
        if isinstance(value, int):
            body += b"\x10" + name + struct.pack("<i", value)
        else:
            text = value.encode() + b"\0"
            body += b"\x02" + name + struct.pack("<i", len(text)) + text
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def decoded(data: bytes) -> dict[str, Any]:
    """The numbers, texts and yes/no of a document; of other values only that they are there. A `ValueError` for nonsense."""
    found: dict[str, Any] = {}
    at = 4
    try:
        while data[at] != 0:
            kind = data[at]
            end = data.index(b"\0", at + 1)
            key = data[at + 1 : end].decode("utf-8", "replace")
            found[key], at = _value(kind, data, end + 1)
    except (IndexError, struct.error, ValueError):
        raise ValueError("not a document of BSON") from None
    return found


def _value(kind: int, data: bytes, at: int) -> tuple[Any, int]:
    if kind == 0x01:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == 0x02:
        length = _length(data, at)
        return data[at + 4 : at + 3 + length].decode("utf-8", "replace"), at + 4 + length
    if kind == 0x08:
        return bool(data[at]), at + 1
    if kind == 0x10:
        return struct.unpack_from("<i", data, at)[0], at + 4
    if kind == 0x12:
        return struct.unpack_from("<q", data, at)[0], at + 8
    if kind in {0x03, 0x04}:
        return None, at + _length(data, at)
    if kind == 0x05:
        return None, at + 5 + _length(data, at)
    return None, at + SIZES[kind] if kind in SIZES else _unknown(kind)


def _length(data: bytes, at: int) -> int:
    length = int(struct.unpack_from("<i", data, at)[0])
    if not 0 <= length <= len(data) - at:
        raise ValueError("longer than the whole")
    return length


def _unknown(kind: int) -> int:
    raise ValueError(f"a value of type {kind}")
