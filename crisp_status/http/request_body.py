"""Reading what a client sends, within limits of size and time."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.client_exceptions import ClientError

from crisp_status.http.aiohttp_private import HttpProcessingError, RequestPayloadError
from crisp_status.http.error_responses import Refused

MAX_BODY: Final = 64 * 1024
"""A report has 200 bytes and an announcement a few thousand; more is a mistake or an attack."""

GZIP_OR_ZLIB: Final = 47
"""`zlib` finds out by itself which of the two it is."""

DRAIN_MAX: Final = 64 * 1024 * 1024
"""Bytes that are read and dropped behind a report whose text is cut: jobs post whole logs."""

BODY_SECONDS: Final = 15.0
"""Enough for 64 kB over a bad mobile line; a client that trickles may not hold a handler."""


async def read(request: web.BaseRequest, limit: int = MAX_BODY, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body. Raises Refused 413 (too large), 408 (too slow), 400 (broken off or badly encoded)."""
    if request.content_length is not None and request.content_length > limit:
        raise Refused(413, f"At most {limit} bytes are taken.", {"Connection": "close"})
    if not request.body_exists:
        return b""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.content.iter_any():
                size += len(part)
                if size > limit:
                    raise Refused(413, f"At most {limit} bytes are taken.", {"Connection": "close"})
                parts.append(part)
    except TimeoutError:
        raise Refused(408, f"The body did not arrive within {seconds:g} s.", {"Connection": "close"}) from None
    except (RequestPayloadError, ClientError, HttpProcessingError, ValueError) as error:
        raise Refused(400, f"The body could not be read: {error}.", {"Connection": "close"}) from None
    return unpacked(request, b"".join(parts), limit)


async def read_form(request: web.BaseRequest, limit: int, fields: int, *, blank: bool = True) -> dict[str, list[str]]:
    """The values of each field of a form, with empty ones if `blank`. Raises Refused like `read`, and 400."""
    raw = await read(request, limit)
    try:
        return parse_qs(raw.decode("utf-8"), keep_blank_values=blank, max_num_fields=fields, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise Refused(400, "The form is not UTF-8, or has too many fields.") from None


def unpacked(request: web.BaseRequest, raw: bytes, limit: int) -> bytes:
    """The body as it was before it was compressed. Raises Refused 413 (too large), 415 (how?), 400 (not so)."""
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return raw
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise Refused(415, "A body may be compressed with gzip or deflate, or better not at all.")
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(raw, limit + 1)
    except zlib.error:
        raise Refused(400, f"The body is not the {coding} that it says.") from None
    if len(body) > limit:
        raise Refused(413, f"At most {limit} bytes are taken, unpacked.", {"Connection": "close"})
    if not unpacker.eof:
        raise Refused(400, f"The {coding} of the body ends too early.")
    return body


async def read_start(
    request: web.BaseRequest, limit: int, *, drain: int = DRAIN_MAX, seconds: float = BODY_SECONDS
) -> tuple[bytes, bool]:
    """The first `limit` bytes of a body, unpacked, and whether that is all that was sent and it could be decoded.

    The rest is read and dropped, up to `drain` bytes, so that the client gets to see its answer. Nothing is raised:
    a body that is too slow, breaks off or is compressed wrongly gives what could be read of it.
    """
    parts: list[bytes] = []
    size, whole = 0, True
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.content.iter_any():
                if size < limit:
                    parts.append(part[: limit - size])
                size += len(part)
                if size > drain:
                    break
    except (TimeoutError, RequestPayloadError, ClientError, HttpProcessingError, ValueError):
        whole = False
    body, decoded = _start_unpacked(b"".join(parts), request.headers.get("Content-Encoding", ""), limit)
    return body, whole and decoded and size <= limit


def _start_unpacked(raw: bytes, coding: str, limit: int) -> tuple[bytes, bool]:
    """The start of a body before it was compressed, and whether it is what its header says.

    Proxies unpack bodies and leave the header, and scripts set it without compressing: then `raw` is the text.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return raw, True
    if coding not in {"gzip", "x-gzip", "deflate"}:
        return b"", False
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(raw, limit)
    except zlib.error:
        return (raw if _is_text(raw) else b""), _is_text(raw)
    return body, unpacker.eof


def _is_text(raw: bytes) -> bool:
    """Whether it decodes as UTF-8, but for a character that was cut at its end."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(raw) - 3
    return True


async def read_object(request: web.BaseRequest, limit: int = MAX_BODY) -> dict[str, object]:
    """The body as a JSON object; an empty body is an empty object. Raises Refused 400 with what is wrong."""
    raw = await read(request, limit)
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Refused(400, f"The body must be a JSON object, not {type(value).__name__}.")
    return value
