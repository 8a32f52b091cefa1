"""A state folder: no database, nothing to install, readable with `head` and `jq` (docs/state.md).

All calls here block; `file_store` offers them to the event loop.

    lock                              held while a daemon runs
    snapshot-0000000000004711.json    the state before event 4711; the newest and the one before it
    journal-0000000000004711.jsonl    the events from 4711 on
    link.key, push-key.pem, …         blobs: small files of secrets that no event makes
    *.broken-3                        what a recovery could not use
    *.tmp                             being written

A snapshot takes four steps, and a crash between any two loses nothing: a new journal begins (file and folder synced);
the state goes to a temporary file (synced); that gets its name (folder synced); older generations are removed. Until
the third, recovery takes the older snapshot and runs through both journals.

A start reads first. When nothing can be written then, what was read is served, and the rest of the start is tried again
with each append: a status page that stays away because a disk is full is a page that is down (docs/why.md).
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.store import Recovered, StoreBusy, StoreError, StoreTrouble, generations, journal
from crisp_status.store.blobs import FolderBlobs
from crisp_status.store.codec import StateEncoder, check_state, encode_event
from crisp_status.store.disk import Disk, RealDisk, os_text, passing
from crisp_status.store.journal import Journal
from crisp_status.store.recovery import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crisp_status.core.events import Event
    from crisp_status.core.model import State

SPACE: Final = 64 * 1024
"""Bytes that should be free at the start, and must be at the first: a few hundred events; it is told before the work."""

KEPT_BROKEN: Final = 10
"""Files kept aside; more would fill a disk that tears something at every start."""

READS: Final = 5
"""Tries to read a folder that a running daemon changes at the same time."""

_BROKEN: Final = re.compile(r"(?:journal|snapshot)\.broken-([0-9]{1,9})")


class StateFolder:
    """Snapshots, journals and blobs on a `Disk`. Not for two threads at once, but for `FolderSnapshot.write`."""

    def __init__(self, disk: Disk | Path, space: int = SPACE) -> None:
        """Nothing is touched before `open`, which wants so many bytes free."""
        self._disk: Disk = RealDisk(disk) if isinstance(disk, Path) else disk
        self._space = space
        self._journal: Journal | None = None
        self._undone: Survey | None = None
        """What is still to be put right, because the disk did not let us."""
        self._locked = False
        self._encoder = StateEncoder()
        self.blobs = FolderBlobs(self._disk)
        """Keys and certificates."""

    @property
    def sequence(self) -> int:
        """The number that the next event will get."""
        return self._undone.sequence if self._undone else self._active().sequence

    @property
    def journal_bytes(self) -> int:
        """Size of the journal that is written."""
        return 0 if self._undone else self._active().size

    @property
    def quick(self) -> bool:
        """Whether `append` has nothing to put right first, so that it only fills the cache of the system."""
        return self._undone is None and self._journal is not None and self._journal.quick

    def open(self) -> Recovered:
        """Lock, read, refuse what must not be touched, then put right what a crash left behind."""
        damage: list[str] = []
        try:
            self._disk.make()
            self._lock()
            found = survey(self._disk)
            damage = found.notes
            known = Recovered(found.state, found.events, found.salvaged, format=found.format)
            self._put_right(found)
            if self._disk.exposed():
                found.notes.append(f"{self._disk.path}: other users can look into this folder; chmod 700 it")
        except OSError as error:
            self.close()
            kind = StoreTrouble if passing(error) else StoreError
            # What was set aside already is not found again by the next start: nobody else would say it.
            said = "".join(f"; {note}" for note in damage)
            raise kind(f"{self._disk.path}: the state cannot be kept here: {os_text(error)}{said}") from error
        except BaseException:
            self.close()
            raise
        known.notes.extend(found.notes)
        # The caller's; the rest may be needed longer.
        found.state, found.events, found.salvaged, found.notes = None, [], [], []
        return known

    def remember(self, state: State) -> None:
        """Encode what is over of a state, so that its first snapshot is no slower than the others. Nobody waits for it:
        may run in a thread beside the loop, and takes a start 0.1 s with 100,000 replicas.
        """
        self._encoder.remember(state)

    def encode(self, state: State) -> Sequence[bytes]:
        """Chunks of JSON; what is over is not encoded again."""
        return self._encoder.encode(state)

    def append(self, events: Sequence[Event]) -> None:
        """Encode all, then write them in one go."""
        encoded = [encode_event(event) for event in events]
        with self._trouble("the journal cannot be written"):
            self._active().append(encoded)

    def sync(self) -> None:
        """One fsync for everything appended."""
        with self._trouble("the journal cannot be made durable"):
            self._active().sync()

    def has_room(self) -> bool:
        """Whether as many bytes are free as a start wants."""
        with contextlib.suppress(OSError):
            return self._disk.free() >= self._space
        return True

    def begin_snapshot(self) -> FolderSnapshot:
        """Close the journal and begin the next one."""
        with self._trouble("a new journal cannot be begun"):
            old = self._active()
            old.sync()
            if journal.first_of(old.name) != old.sequence:
                self._journal = Journal.create(self._disk, old.sequence)
                old.close()
        return FolderSnapshot(self._disk, old.sequence)

    def close(self) -> None:
        """Sync, let go of the file, then of the lock."""
        if self._journal is not None:
            with contextlib.suppress(OSError):
                self._journal.sync()
            with contextlib.suppress(OSError):
                self._journal.close()
            self._journal = None
        self._undone = None
        if self._locked:
            self._disk.unlock()
            self._locked = False

    def _lock(self) -> None:
        try:
            self._disk.lock()
        except BlockingIOError:
            holder = self._disk.holder() or "another process"
            raise StoreBusy(
                f"{self._disk.path}: in use by a running crisp-status ({holder}); stop that one first, or give this one "
                "a folder of its own in server.state"
            ) from None
        self._locked = True

    def _put_right(self, found: Survey) -> None:
        """The part of a start that writes; what fails of it is left for later when there is something to serve."""
        try:
            self._finish(found)
            _probe(self._disk, self._space)
        except OSError as error:
            if not found.knows or not passing(error):
                raise
            found.notes.append(
                f"{self._disk.path}: {os_text(error)}; what is known is served, and what happens is kept in memory until it "
                "can be saved"
            )
            if self._journal is None:  # else there is little room, and some events may fit yet
                self._undone = found

    def _finish(self, found: Survey) -> None:
        _repair(self._disk, found)
        if not found.knows:  # before the first file
            _probe(self._disk, self._space)
        self._journal = self._begin(found)

    def _begin(self, found: Survey) -> Journal:
        if found.active is None:
            return Journal.create(self._disk, found.sequence)
        return Journal.go_on(self._disk, found.active.name, found.active.good, found.sequence)

    def _active(self) -> Journal:
        if self._undone is not None:
            self._catch_up(self._undone)
        if self._journal is None:
            raise StoreError(f"{self._disk.path}: the store is not open")
        return self._journal

    def _catch_up(self, found: Survey) -> None:
        self._finish(found)
        self._undone = None
        for note in found.notes:
            log.get().warning(note)

    @contextlib.contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreTrouble(f"{self._disk.path}: {what}: {os_text(error)}") from error


class FolderSnapshot:
    """A snapshot of a `StateFolder`."""

    def __init__(self, disk: Disk, sequence: int) -> None:
        self._disk = disk
        self._sequence = sequence

    @property
    def sequence(self) -> int:
        """The first event that is not in it."""
        return self._sequence

    def write(self, state: Sequence[bytes]) -> None:
        """Temporary file, fsync, rename, fsync of the folder; then remove what is older than the previous one."""
        check_state(state)
        name = generations.name_of(self._sequence)
        try:
            _write(self._disk, f"{name}.tmp", [generations.header(self._sequence, state), *state])
            self._disk.rename(f"{name}.tmp", name)
            self._disk.fsync()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._disk.remove(f"{name}.tmp")
            raise StoreTrouble(f"{self._disk.path}: the snapshot cannot be written: {os_text(error)}") from error
        with contextlib.suppress(OSError):  # what stays is removed next time
            _forget(self._disk, self._sequence)


def read_only(disk: Disk | Path) -> Recovered:
    """What is known, without the lock and without changing anything, also while a daemon runs. Raises `StoreError`."""
    folder: Disk = RealDisk(disk) if isinstance(disk, Path) else disk
    for tries in range(READS):
        try:
            found = survey(folder)
        except FileNotFoundError as error:  # the daemon has removed an old generation in between
            if tries == READS - 1:
                raise StoreError(f"{folder.path}: there is no state here: {os_text(error)}") from error
        except OSError as error:
            raise StoreError(f"{folder.path}: the state cannot be read: {os_text(error)}") from error
        else:
            break
    return Recovered(found.state, found.events, found.salvaged, found.notes, found.format)


def _write(disk: Disk, name: str, chunks: Sequence[bytes]) -> None:
    file = disk.create(name)
    try:
        offset = 0
        for chunk in _gathered(chunks):
            file.write(offset, chunk)
            offset += len(chunk)
        file.fsync()
    finally:
        file.close()


def _gathered(chunks: Sequence[bytes], size: int = 1024**2) -> Iterator[bytes]:
    # One system call a megabyte: many chunks are a comma.
    parts: list[bytes] = []
    length = 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(parts)
            parts, length = [], 0
    yield b"".join(parts)


def _forget(disk: Disk, sequence: int) -> None:
    names = disk.names()
    known = sorted(s for name in names if (s := generations.sequence_of(name)) is not None and s < sequence)
    if not known:
        return
    previous = known[-1]
    for name in names:
        first = journal.first_of(name)
        at = generations.sequence_of(name) if first is None else first
        if at is not None and at < previous:
            disk.remove(name)


def _repair(disk: Disk, found: Survey) -> None:
    """Do what the survey found to be done and note where things were put.

    What is done leaves the survey: it may be repeated after an error, and after a crash in between.
    """
    names = disk.names()
    numbers = sorted((int(match[1]), name) for name in names if (match := _BROKEN.fullmatch(name)))
    number = numbers[-1][0] if numbers else 0
    for name in names:
        if name.endswith(".tmp") or name in found.stillborn:
            disk.remove(name)
    for _, name in numbers[: max(0, len(numbers) + len(found.cut) + len(found.aside) - KEPT_BROKEN)]:
        disk.remove(name)
    while found.cut:
        name, good = found.cut[0]
        if name not in found.copied:
            number += 1
            broken = f"journal.broken-{number}"
            _write(disk, f"{broken}.tmp", [disk.read(name)[good:]])
            disk.rename(f"{broken}.tmp", broken)
            found.copied.add(name)
            found.notes.append(f"the end of {name} is now in {broken}")
        disk.fsync()
        _cut(disk, name, good)
        del found.cut[0]
    while found.aside:
        name, number = found.aside[0], number + 1
        broken = f"{name.partition('-')[0]}.broken-{number}"
        disk.rename(name, broken)
        found.notes.append(f"{name} is now {broken}")
        del found.aside[0]
    # Before anything new is written: a journal that came back after a crash could seem to follow.
    disk.fsync()


def _cut(disk: Disk, name: str, size: int) -> None:
    file = disk.open(name)
    try:
        file.truncate(size)
        file.fsync()
    finally:
        file.close()


def _probe(disk: Disk, space: int) -> None:
    try:
        _write(disk, "probe.tmp", [b"\0" * space])
    finally:
        with contextlib.suppress(OSError):
            disk.remove("probe.tmp")
