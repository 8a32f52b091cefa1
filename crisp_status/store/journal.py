"""One journal file: a header line, then one line an event, each with its number and a CRC-32 of number and event."""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status import __version__
from crisp_status.core.model import STATE_VERSION

if TYPE_CHECKING:
    from crisp_status.store.disk import Disk, File

FORMAT: Final = "crisp-status journal"

SPARE: Final = 16
"""Bytes by which the first line of another version may be longer; no event is as short."""

MAX_UNSYNCED: Final = 4 * 1024**2
"""Bytes appended without `sync` that are kept in memory to be written again after a failed fsync."""


class JournalHeader(msgspec.Struct):
    """First line of the file. All versions keep these five, so that an older program can refuse a newer file."""

    format: str
    version: int
    first: int
    """Number of the first event."""
    by: str
    """Version of the program."""
    c: str
    """CRC-32 of the other four."""


class _Line(msgspec.Struct):
    n: int
    c: str
    e: msgspec.Raw


_header: Final = msgspec.json.Decoder(JournalHeader)
_line: Final = msgspec.json.Decoder(_Line)
_BAD: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def name_of(first: int) -> str:
    """File name of the journal that begins with that event; sorts as the numbers do."""
    return f"journal-{first:016d}.jsonl"


def first_of(name: str) -> int | None:
    """The number in the file name; None for any other file."""
    digits = name.removeprefix("journal-").removesuffix(".jsonl")
    return int(digits) if digits.isdecimal() and name == name_of(int(digits)) else None


def header(first: int) -> bytes:
    """The first line."""
    check = _header_crc(STATE_VERSION, first, __version__)
    return msgspec.json.encode(JournalHeader(FORMAT, STATE_VERSION, first, __version__, check)) + b"\n"


def line(number: int, event: bytes) -> bytes:
    """One event as it stands in the file."""
    return b'{"n":%d,"c":"%b","e":%b}\n' % (number, _crc(number, event), event)


def _crc(number: int, event: bytes | msgspec.Raw) -> bytes:
    return b"%08x" % zlib.crc32(event, zlib.crc32(b"%d" % number))


def _header_crc(version: int, first: int, by: str) -> str:
    return f"{zlib.crc32(f'{FORMAT} {version} {first} {by}'.encode()):08x}"


@dataclass
class Scan:
    """What a journal file holds, up to its first damage."""

    name: str
    first: int
    """From the file name."""
    size: int
    header: JournalHeader | None = None
    """None when the first line is damaged."""
    lines: list[tuple[int, msgspec.Raw]] = field(default_factory=list)
    """Number and bytes of each event."""
    good: int = 0
    """Bytes up to the end of the last good line."""
    after: int = 0
    """Whole lines beyond the first damaged one: 0 means that the end was torn, more that something was altered."""
    behind: list[tuple[int, msgspec.Raw]] = field(default_factory=list)
    """Of these, the events that are whole and in their order."""

    @property
    def stillborn(self) -> bool:
        """The crash came while the header was written: nothing was ever in this file."""
        return self.header is None and self.after == 0 and self.size <= len(header(self.first)) + SPARE


def scan(name: str, data: bytes) -> Scan:
    """Read a journal. Never raises: what is not right ends the good part."""
    found = Scan(name, first_of(name) or 0, len(data))
    end = data.find(b"\n") + 1
    found.header = _read_header(data[:end])
    if found.header is None or found.header.first != found.first:
        found.header = None
        found.after = data.count(b"\n", end)
        return found
    found.good = end
    expected = 0
    while (end := data.find(b"\n", found.good) + 1) > 0:
        try:
            read = _line.decode(data[found.good : end])
        except _BAD:
            break
        if (expected and read.n != expected) or read.c.encode() != _crc(read.n, read.e):
            break
        found.lines.append((read.n, read.e))
        found.good = end
        expected = read.n + 1
    if found.good < len(data):
        found.after = max(0, data.count(b"\n", found.good) - 1)
        found.behind = _behind(data, found.good, expected or found.first)
    return found


def _behind(data: bytes, damaged: int, expected: int) -> list[tuple[int, msgspec.Raw]]:
    """The events after the damaged line that begins at `damaged`; each proves itself by its number and checksum."""
    found: list[tuple[int, msgspec.Raw]] = []
    for text in data[damaged:].splitlines(keepends=True)[1:]:
        try:
            read = _line.decode(text)
        except _BAD:
            continue
        if read.n >= expected and read.c.encode() == _crc(read.n, read.e):
            found.append((read.n, read.e))
            expected = read.n + 1
    return found


def _read_header(data: bytes) -> JournalHeader | None:
    try:
        read = _header.decode(data)
    except _BAD:
        return None
    whole = read.format == FORMAT and read.c == _header_crc(read.version, read.first, read.by)
    return read if whole else None


class Journal:
    """The journal that is written.

    A failed write leaves a ragged end, and after a failed fsync the system may have dropped pages while it calls them
    clean. So everything since the last good fsync is kept, and before anything else is written it is written again,
    the end is cut, and an fsync proves it.
    """

    def __init__(self, file: File, name: str, sequence: int, durable: int, tail: bytes = b"") -> None:
        """The next event gets the number `sequence`; so many bytes are `durable`, and `tail` after them may not be."""
        self.name = name
        self.sequence = sequence
        self._file = file
        self._synced = durable
        self._tail = bytearray(tail)
        self._doubt = bool(tail)

    @classmethod
    def create(cls, disk: Disk, first: int) -> Journal:
        """A new file, durable with its name. Raises `OSError` and leaves at most an empty or torn file."""
        name = name_of(first)
        head = header(first)
        file = disk.create(name)
        try:
            file.write(0, head)
            file.fsync()
            disk.fsync()
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                disk.remove(name)
            raise
        return cls(file, name, first, len(head))

    @classmethod
    def go_on(cls, disk: Disk, name: str, size: int, sequence: int) -> Journal:
        """A journal that an earlier process wrote. Raises `OSError`.

        What was read of it may be in memory only, because the last fsync of that process failed or never came, and it
        will be acted upon: so its end is written again and synced.
        """
        tail = disk.read(name)[:size][-MAX_UNSYNCED:]
        file = disk.open(name)
        found = cls(file, name, sequence, size - len(tail), tail)
        try:
            found.sync()
        except OSError:
            file.close()
            raise
        return found

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self._synced + len(self._tail)

    @property
    def quick(self) -> bool:
        """Whether the next `append` need not write or sync anything older first."""
        return not self._doubt and len(self._tail) < MAX_UNSYNCED // 2

    def append(self, events: list[bytes]) -> None:
        """Write encoded events. Raises `OSError`: none was taken."""
        lines = b"".join([line(self.sequence + index, event) for index, event in enumerate(events)])
        if self._doubt or len(self._tail) + len(lines) > MAX_UNSYNCED:
            self.sync()
        try:
            self._file.write(self.size, lines)
        except OSError:
            self._doubt = True
            with contextlib.suppress(OSError):  # give the space back at once; `sync` does it again and proves it
                self._file.truncate(self.size)
            raise
        self._tail += lines
        self.sequence += len(events)

    def sync(self) -> None:
        """Make it durable. Raises `OSError`: it is not sure, and the next call writes it again."""
        if not self._tail and not self._doubt:
            return
        try:
            if self._doubt:
                self._file.write(self._synced, bytes(self._tail))
                self._file.truncate(self.size)
            self._file.fsync()
        except OSError:
            self._doubt = True
            raise
        self._synced = self.size
        self._tail.clear()
        self._doubt = False

    def close(self) -> None:
        """Let go of the file as it is."""
        self._file.close()
