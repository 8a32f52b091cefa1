"""A body as browsers read it: unpacked, and its bytes as text."""

from __future__ import annotations

import codecs
import functools
import re
import zlib
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import TYPE_CHECKING, Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable

BODY_MAX: Final = 1 << 20
"""Bytes of decoded body that are searched, unless somebody wants more. What makes a page healthy or not stands in its first megabyte."""

GZIP_MAGIC: Final = b"\x1f\x8b"
CODINGS_MAX: Final = 5
"""Codings on top of each other; browsers give up as well."""


def decoded(body: bytes, encoding: str, most: int = BODY_MAX) -> bytes:
    """The body without its Content-Encoding, cut to `most` bytes: unpacked no further than that, so no bomb goes off.

    A coding that is not known here is left as it came. Raises `ProbeError` when the bytes are not what the header says.
    """
    codings = [coding.strip().lower() for coding in encoding.split(",")]
    for coding in reversed(codings[:CODINGS_MAX]):
        decode = _decoders().get(coding)
        if decode is None or not body:
            continue
        try:
            body = decode(body, most)
        except (zlib.error, ValueError) as error:
            raise ProbeError(
                ReasonCode.MATCH, f"the body is not the {coding} that its header names: {error}"
            ) from error
    return body[:most]


def _decoders() -> dict[str, Callable[[bytes, int], bytes]]:
    known: dict[str, Callable[[bytes, int], bytes]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
    if _can_brotli():
        known["br"] = _brotli
    return known


def accept_encoding() -> str:
    """The codings that `decoded` knows here, for a request."""
    return "gzip, deflate, br" if _can_brotli() else "gzip, deflate"


@functools.cache
def _can_brotli() -> bool:
    """Whether the extra `brotli` is installed."""
    try:
        import brotli  # noqa: F401
    except ImportError:
        return False
    return True


def _gzip(body: bytes, most: int) -> bytes:
    """One or more members (RFC 1952, section 2.2); what follows the last is ignored, and so is a missing end."""
    whole = bytearray()
    first = True
    while body and len(whole) < most and (first or body.startswith(GZIP_MAGIC)):
        first = False
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        whole += member.decompress(body, most - len(whole))
        body = member.unused_data
    return bytes(whole)


def _deflate(body: bytes, most: int) -> bytes:
    """With the wrapper of zlib, as RFC 9110 wants it, or without, as many servers send it."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS).decompress(body, most)
    except zlib.error:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, most)


def _brotli(body: bytes, most: int) -> bytes:
    import brotli

    unpacker = brotli.Decompressor()
    try:
        whole = unpacker.process(body, output_buffer_limit=most)
        while len(whole) < most and not unpacker.can_accept_more_data():
            whole += unpacker.process(b"", output_buffer_limit=most)
    except brotli.error as error:
        raise ValueError(str(error)) from None
    return bytes(whole)


MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
META: Final = re.compile(rb"""<meta[^>]{1,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
META_MAX: Final = 1024
"""Bytes in which browsers look for a `<meta>` (HTML standard, prescan)."""

_CODECS: Final = frozenset(name for name in aliases.values() if not name.endswith("_codec")) - {"mbcs", "rot_13"}
_CHARSETS: Final = _CODECS | {"cp874", "koi8_u", "utf_8_sig"}
"""What is read as text. Not found by trying: Python remembers every name that it was asked for, and some of its codecs
are not for pages: `idna` raises, `punycode` stops the process for half a minute over a megabyte."""

READ_AS: Final = {"latin_1": "cp1252", "ascii": "cp1252", "iso8859_9": "cp1254"}
"""Browsers read these as their larger siblings (Encoding standard, names and labels)."""


def text_of(body: bytes, content_type: str) -> str:
    """The body as text: by its byte order mark, else the charset of Content-Type, else that of `<meta>`, else UTF-8."""
    for mark, codec in MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    named = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", content_type, re.IGNORECASE)
    codec = _codec(named[1]) if named else ""
    if not codec and (meta := META.search(body[:META_MAX])):
        codec = _codec(meta[1].decode("ascii", "replace"))
        if codec.startswith("utf_16"):
            codec = "utf-8"  # its `<meta>` could not have been read
    return body.decode(codec or "utf-8", "replace")


def _codec(label: str) -> str:
    """Python's codec for a charset; "" when there is none for pages."""
    name = normalize_encoding(label).lower()
    name = aliases.get(name, name)
    return READ_AS.get(name, name) if name in _CHARSETS else ""
