"""What lies on the disk alters: a bit flips, a page becomes zeros, another page's bytes, or is gone. Only while nobody reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.store import generations, journal

if TYPE_CHECKING:
    from random import Random

    from tests.disk import FakeDisk

PAGE = 64


def files_of(disk: FakeDisk) -> list[str]:
    """What a start may read."""
    return sorted(
        name for name in disk.entries if journal.first_of(name) is not None or generations.sequence_of(name) is not None
    )


def decay(disk: FakeDisk, dice: Random, name: str) -> int:
    """Damage one file; the first byte that is another one, or its size when none is."""
    before = disk.files()[name]
    after = _damaged(before, dice)
    disk.put(name, after)
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(after)))


def _damaged(data: bytes, dice: Random) -> bytes:
    if not data:
        return data
    at = dice.randrange(len(data))
    page = at // PAGE * PAGE
    match dice.randrange(5):
        case 0:
            return data[:page] + b"\0" * len(data[page : page + PAGE]) + data[page + PAGE :]
        case 1:
            return data[:page] + data[page + PAGE :]
        case 2:
            other = dice.randrange(len(data)) // PAGE * PAGE
            return data[:page] + data[other : other + PAGE] + data[page + PAGE :]
        case _:
            return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]


def intact_before(name: str, data: bytes, at: int) -> int | None:
    """The last event of this journal that lies wholly before that byte; None for a snapshot, which has a double."""
    first = journal.first_of(name)
    if first is None:
        return None
    known = [number for number, _ in journal.scan(name, data[:at]).lines]
    return known[-1] if known else first - 1


def chain_begins(disk: FakeDisk) -> int:
    """The first event that a start needs of the journals, when no snapshot is damaged."""
    known = [s for name in disk.entries if (s := generations.sequence_of(name)) is not None]
    return max(known, default=1)
