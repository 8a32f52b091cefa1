"""Snapshot files: a header line, then the state as JSON."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status import __version__
from crisp_status.core.model import STATE_VERSION, State
from crisp_status.store.codec import STATE_STEPS, UndecodableError, check_version, decode_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.store.codec import Steps

FORMAT: Final = "crisp-status snapshot"


class SnapshotHeader(msgspec.Struct):
    """First line of the file. All versions keep these five, so that an older program can refuse a newer file."""

    format: str
    version: int
    next: int
    """Number of the first event that is not in it."""
    by: str
    """Version of the program."""
    c: str
    """CRC-32 of the other four and of everything after this line."""


_header: Final = msgspec.json.Decoder(SnapshotHeader)


def name_of(sequence: int) -> str:
    """File name of a snapshot; sorts as the numbers do."""
    return f"snapshot-{sequence:016d}.json"


def sequence_of(name: str) -> int | None:
    """The number in the file name; None for any other file."""
    digits = name.removeprefix("snapshot-").removesuffix(".json")
    return int(digits) if digits.isdecimal() and name == name_of(int(digits)) else None


def header(sequence: int, state: Sequence[bytes]) -> bytes:
    """The line that goes before these chunks."""
    crc = _start(STATE_VERSION, sequence, __version__)
    for chunk in state:
        crc = zlib.crc32(chunk, crc)
    return msgspec.json.encode(SnapshotHeader(FORMAT, STATE_VERSION, sequence, __version__, f"{crc:08x}")) + b"\n"


def read(where: str, sequence: int, data: bytes, steps: Steps = STATE_STEPS) -> tuple[State, int]:
    """The state in a snapshot file, and the format that it was written in. Raises `UndecodableError` when it is damaged, `StoreError` when it is too new."""
    end = data.find(b"\n") + 1
    try:
        head = _header.decode(data[:end])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise UndecodableError("its first line cannot be read") from None
    body = memoryview(data)[end:]
    if head.format != FORMAT or head.next != sequence:
        raise UndecodableError("its first line belongs to another file")
    # The checksum comes before the version: a flipped bit must not look like a file from the future.
    if head.c != f"{zlib.crc32(body, _start(head.version, head.next, head.by)):08x}":
        raise UndecodableError("its checksum does not fit")
    check_version(head.version, where, head.by)
    return decode_state(body, head.version, steps), head.version


def _start(version: int, sequence: int, by: str) -> int:
    return zlib.crc32(f"{FORMAT} {version} {sequence} {by}".encode())
