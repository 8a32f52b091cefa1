"""A disk in memory that fails as disks do: the power goes at any byte, what was not synced comes back torn or not at
all, space runs out, reads and writes and fsyncs report errors."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from random import Random

PAGE = 64
"""Bytes that reach the disk together or not; small, so that short files have many."""

VERSIONS = 100
"""Of a file since its last sync; beyond that every second one is forgotten."""


ROOM = 1 << 40
"""Bytes that fit on a disk that is not full."""


class PowerCut(BaseException):
    """The machine is off; no `except Exception` runs."""


@dataclass
class Inode:
    """One file: what programs see, what is safe, which pages wait for a sync and every version of them since."""

    seen: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    dirty: set[int] = field(default_factory=set)
    versions: list[bytes] = field(default_factory=list)

    def changed(self, start: int, end: int) -> None:
        """These bytes are not what they were."""
        self.dirty.update(range(start // PAGE, -(-end // PAGE)))
        self.versions.append(bytes(self.seen))
        if len(self.versions) > VERSIONS:
            del self.versions[::2]

    def synced(self) -> None:
        """Dirty pages and the size are safe."""
        seen = bytes(self.seen)
        first = min(self.dirty, default=0)  # what is appended leaves all before it as it was
        before = min(first * PAGE, len(seen))
        self.safe = self.safe[:before].ljust(before, b"\0") + b"".join(
            _page(seen if number in self.dirty else self.safe, number, len(seen))
            for number in range(first, -(-len(seen) // PAGE))
        )
        self.forgotten()

    def forgotten(self) -> None:
        """The system calls every page clean."""
        self.dirty.clear()
        self.versions.clear()

    def after_crash(self, dice: Random) -> bytes:
        """Each dirty page is of any version since the last sync, and so is the size; what never came is zeros."""
        versions = [self.safe, *self.versions]
        size = len(dice.choice(versions))
        return b"".join(
            _page(dice.choice(versions) if number in self.dirty else self.safe, number, size)
            for number in range(-(-size // PAGE))
        )


def _page(data: bytes, number: int, size: int) -> bytes:
    start = number * PAGE
    length = min(PAGE, size - start)
    return data[start : start + length].ljust(length, b"\0")


class FakeDisk:
    """Mirrors `crisp_status.store.disk.RealDisk`."""

    path = "/fake"

    def __init__(self, files: dict[str, bytes] | None = None, *, fuse: int = -1, room: int = ROOM) -> None:
        self.entries = {name: Inode(bytearray(data), data) for name, data in (files or {}).items()}
        self.safe_entries = dict(self.entries)
        self.pending: list[dict[str, Inode | None]] = []
        """Changes of names since the last folder sync; None removes."""
        self.fuse = fuse
        """Steps until the power goes: an operation is one, a byte written is one. Negative: never."""
        self.room = room
        """Bytes that fit."""
        self.errors: dict[str, int] = {}
        """Operation → errno, until it is taken out: make, lock, names, read, create, open, write, truncate, fsync, close,
        rename, remove, fsync_folder."""
        self.spell = (0, 1 << 60)
        """From which step on, and until which, errors and lack of room are: a disk that fails for a while."""
        self.failures = 0
        """Operations that ended in an error."""
        self.lying = False
        """Every fsync says yes and does nothing."""
        self.lossy_fsync = False
        """A failed fsync drops what was not safe and calls it clean, as Linux may do."""
        self.steps = 0
        self.held = False
        self.off = False
        self.open_to_others = False

    def step(self, operation: str, count: int = 1) -> None:
        """One operation; raises what it should raise."""
        if self.off:
            raise PowerCut
        if 0 <= self.fuse <= self.steps + count - 1:
            self.off = True
            raise PowerCut
        self.steps += count
        if operation in self.errors and self._failing():
            self._fail(self.errors[operation])

    def _failing(self) -> bool:
        return self.spell[0] <= self.steps < self.spell[1]

    def _fail(self, number: int) -> None:
        self.failures += 1
        raise OSError(number, os.strerror(number))

    def make(self) -> None:
        self.step("make")

    def exposed(self) -> bool:
        return self.open_to_others

    def lock(self) -> None:
        self.step("lock")
        if self.held:
            raise BlockingIOError(errno.EWOULDBLOCK, "held")
        self.held = True

    def unlock(self) -> None:
        self.held = False

    def holder(self) -> str:
        return "process 4711"

    def names(self) -> list[str]:
        self.step("names")
        return list(self.entries)

    def read(self, name: str) -> bytes:
        self.step("read")
        return bytes(self._inode(name).seen)

    def read_private(self, name: str, most: int) -> bytes:
        return self.read(name)[:most]

    def create(self, name: str) -> FakeFile:
        self.step("create")
        if name in self.entries:
            inode = self.entries[name]
            inode.seen.clear()
            inode.changed(0, 0)
        else:
            inode = Inode()
            self._name({name: inode})
        return FakeFile(self, inode)

    def open(self, name: str) -> FakeFile:
        self.step("open")
        return FakeFile(self, self._inode(name))

    def rename(self, old: str, new: str) -> None:
        self.step("rename")
        self._name({new: self._inode(old), old: None})

    def remove(self, name: str) -> None:
        self.step("remove")
        self._inode(name)
        self._name({name: None})

    def fsync(self) -> None:
        self.step("fsync_folder")
        if self.lying:
            return
        self.safe_entries = dict(self.entries)
        self.pending.clear()

    def free(self) -> int:
        return self.room - self.used() if self._failing() else ROOM

    def used(self) -> int:
        return sum(len(inode.seen) for inode in self.entries.values())

    def mend(self) -> None:
        """It works, and has room."""
        self.errors = {}
        self.room = ROOM

    def files(self) -> dict[str, bytes]:
        """What programs see."""
        return {name: bytes(inode.seen) for name, inode in self.entries.items()}

    def put(self, name: str, data: bytes) -> None:
        """The bytes of a file become these, and nobody wrote them."""
        self._inode(name).seen[:] = self._inode(name).safe = data

    def restore(self, files: dict[str, bytes]) -> None:
        """Somebody brings a backup back."""
        self.entries = {name: Inode(bytearray(data), data) for name, data in files.items()}
        self.safe_entries = dict(self.entries)
        self.pending.clear()

    def flush(self) -> None:
        """All that was written is safe: the cache of the drive has found the time."""
        self.safe_entries = dict(self.entries)
        self.pending.clear()
        for inode in self.entries.values():
            inode.synced()

    def after_kill(self) -> FakeDisk:
        """Only the process died: what it wrote is there, what it did not sync a power cut may still take, errors stay."""
        self.fuse, self.off, self.held = -1, False, False
        return self

    def still_failing(self, old: FakeDisk) -> FakeDisk:
        """The crash mended nothing: there are the same errors, and no more room."""
        self.errors, self.room, self.lossy_fsync = dict(old.errors), old.room, old.lossy_fsync
        return self

    def after_crash(self, dice: Random, *, power: bool = True) -> FakeDisk:
        """The disk that the next start finds. Without `power` loss only the process died: nothing written is lost."""
        if not power:
            return FakeDisk(self.files())
        entries = dict(self.safe_entries)
        for change in self.pending:
            if dice.random() < 0.5:
                _apply(entries, change)
        return FakeDisk({name: inode.after_crash(dice) for name, inode in entries.items()})

    def _inode(self, name: str) -> Inode:
        if name not in self.entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.entries[name]

    def _name(self, change: dict[str, Inode | None]) -> None:
        _apply(self.entries, change)
        self.pending.append(change)


class FakeFile:
    """Mirrors `crisp_status.store.disk.RealFile`."""

    def __init__(self, disk: FakeDisk, inode: Inode) -> None:
        self.disk = disk
        self.inode = inode

    def write(self, offset: int, data: bytes) -> None:
        try:
            self.disk.step("write")
        except OSError:
            self._put(offset, data[: len(data) // 2])
            raise
        fits = max(0, self.disk.free() + max(0, len(self.inode.seen) - offset))
        part = data[:fits]
        if self.disk.fuse >= 0:
            part = part[: max(0, self.disk.fuse - self.disk.steps)]
        self._put(offset, part)
        self.disk.step("bytes", len(data[:fits]))
        if len(part) < len(data):
            self.disk._fail(errno.ENOSPC)

    def _put(self, offset: int, part: bytes) -> None:
        if part:
            self.inode.seen.extend(b"\0" * (offset - len(self.inode.seen)))
            self.inode.seen[offset : offset + len(part)] = part
            self.inode.changed(offset, offset + len(part))

    def truncate(self, size: int) -> None:
        self.disk.step("truncate")
        del self.inode.seen[size:]
        self.inode.changed(size, size)

    def fsync(self) -> None:
        try:
            self.disk.step("fsync")
        except OSError:
            if self.disk.lossy_fsync:
                self.inode.forgotten()  # clean in memory, old on the disk
            raise
        if not self.disk.lying:
            self.inode.synced()

    def close(self) -> None:
        """Closing syncs nothing; an error of it comes too late to mean anything."""
        if "close" in self.disk.errors:
            self.disk.step("close")


def _apply(entries: dict[str, Inode], change: dict[str, Inode | None]) -> None:
    for name, inode in change.items():
        if inode is None:
            entries.pop(name, None)
        else:
            entries[name] = inode
