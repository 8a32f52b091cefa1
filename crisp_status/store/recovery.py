"""What a folder holds and what should be done about it. Only reads: every refusal comes before the first change.

The newest snapshot that can be read is the base; events follow it without a gap over as many journals as there are.
The first damage or gap ends that, and whatever lies behind is kept aside. Events in it that are whole are taken over all
the same, after the others (`salvaged`), and a snapshot makes them last.
"""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from crisp_status.core.model import STATE_VERSION, State
from crisp_status.store import StoreError, StoreTrouble, generations, journal
from crisp_status.store.codec import UndecodableError, check_version, decode_event
from crisp_status.store.disk import os_text

if TYPE_CHECKING:
    import msgspec

    from crisp_status.core.events import AnyEvent
    from crisp_status.store.disk import Disk
    from crisp_status.store.journal import JournalHeader, Scan


@dataclass
class Survey:
    """The state of a folder."""

    state: State | None = None
    sequence: int = 1
    """Number of the event that comes next."""
    events: list[tuple[int, AnyEvent]] = field(default_factory=list)
    salvaged: list[AnyEvent] = field(default_factory=list)
    """Whole events behind a damage or a gap, oldest first."""
    salvaged_to: int = 0
    """Number of the last of them."""
    notes: list[str] = field(default_factory=list)
    format: int = STATE_VERSION
    """The oldest format of what was read."""
    active: Scan | None = None
    """The journal to go on with; None: begin a new one."""
    cut: list[tuple[str, int]] = field(default_factory=list)
    """Journals to be cut at so many bytes; what is beyond is kept aside."""
    copied: set[str] = field(default_factory=set)
    """Those of them of which it is already."""
    aside: list[str] = field(default_factory=list)
    """Files to be kept aside whole."""
    beside: set[str] = field(default_factory=set)
    """The snapshots of the folder."""
    stillborn: list[str] = field(default_factory=list)
    """Journals whose header was never finished."""

    @property
    def knows(self) -> bool:
        """Whether there is anything to serve."""
        return self.state is not None or self.sequence > 1


def survey(disk: Disk) -> Survey:
    """Read the folder. Raises `StoreError` for what must not be touched, `OSError` as the disk does."""
    names = disk.names()
    found = Survey()
    firsts = sorted(first for name in names if (first := journal.first_of(name)) is not None)
    known = sorted((s for name in names if (s := generations.sequence_of(name)) is not None), reverse=True)
    found.beside = {generations.name_of(sequence) for sequence in known}
    _base(disk, known, firsts, found)
    _events(disk, firsts, found)
    return found


def _base(disk: Disk, known: list[int], firsts: list[int], found: Survey) -> None:
    why = []
    refusal = StoreError
    for sequence in known:
        name = generations.name_of(sequence)
        try:
            found.state, version = generations.read(f"{disk.path}/{name}", sequence, _snapshot(disk, name))
        except UndecodableError as error:
            if error.__cause__ is not None:  # the disk did not read it, and may do so next time
                refusal = StoreTrouble
            why.append(f"; {name}: {error}")
            found.aside.append(name)
            found.notes.append(f"{name} is damaged ({error}); it is kept aside and an older generation was taken")
        else:
            found.sequence = sequence
            found.format = min(found.format, version)
            if sequence not in firsts:  # it is begun, and on the disk, before its snapshot
                found.notes.append(
                    f"{journal.name_of(sequence)} is gone; what happened after {name} was written is not known any more"
                )
            return
    if (known or firsts) and firsts[:1] != [1]:
        raise refusal(
            f"{disk.path}: no snapshot can be read and the journals do not reach back to the beginning; restore a "
            "backup of the folder, or move it away to start afresh (nothing in it was changed)" + "".join(why)
        )


def _snapshot(disk: Disk, name: str) -> bytes:
    try:
        return disk.read(name)
    except OSError as error:
        if error.errno in (errno.EIO, errno.EFBIG):
            raise UndecodableError(os_text(error)) from error
        raise


def _journal(disk: Disk, name: str) -> bytes:
    """Other than a snapshot it has no double: to go on without it would lose what was promised."""
    try:
        return disk.read(name)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise StoreTrouble(
            f"{disk.path}/{name}: what happened since the last snapshot cannot be read: {os_text(error)}; if that does not "
            "pass, move this file away, and the next start goes on from the snapshot (nothing was changed)"
        ) from None


def _events(disk: Disk, firsts: list[int], found: Survey) -> None:
    for first, following in zip_longest(firsts, firsts[1:]):
        if following is not None and following <= found.sequence:
            continue
        name = journal.name_of(first)
        scan = journal.scan(name, _journal(disk, name))
        if scan.stillborn:
            found.stillborn.append(name)
            if generations.name_of(first) in found.beside:
                found.notes.append(f"{name} is empty; what happened after its snapshot is not known any more")
        elif scan.header is None:
            found.aside.append(name)
            found.notes.append(f"{name}: its first line is damaged; {_events_lost(scan.after)}")
        else:
            check_version(scan.header.version, f"{disk.path}/{name}", scan.header.by)
            _follow(disk, scan, scan.header, found)


def _follow(disk: Disk, scan: Scan, header: JournalHeader, found: Survey) -> None:
    if scan.first < found.sequence and scan.good == scan.size and not scan.lines:
        return  # begun for a snapshot and given up; the one before went on, and its end may not be synced
    begins = scan.lines[0][0] if scan.lines else scan.first
    if begins > found.sequence:
        found.aside.append(scan.name)
        taken = _salvage(scan, header, found, [*scan.lines, *scan.behind])
        lost = len(scan.lines) + scan.after - taken
        found.notes.append(f"{scan.name}: it does not follow event {found.sequence - 1}; {_fate(taken, lost)}")
        return
    for number, data in scan.lines:
        if number >= found.sequence:
            found.events.append((number, _decode(f"{disk.path}/{scan.name}", header, number, data)))
            found.sequence = number + 1
            found.format = min(found.format, header.version)
    if scan.lines and scan.lines[-1][0] + 1 < found.sequence:
        return  # it ends before the snapshot begins: nothing may be written behind it
    if scan.good < scan.size:
        found.cut.append((scan.name, scan.good))
        found.notes.append(_damage(scan, found.sequence, _salvage(scan, header, found, scan.behind)))
    found.active = scan if header.version == STATE_VERSION else None


def _decode(where: str, header: JournalHeader, number: int, data: msgspec.Raw) -> AnyEvent:
    try:
        return decode_event(data, header.version)
    except UndecodableError as error:
        raise StoreError(
            f"{where}: event {number}, written by crisp-status {header.by}, is not known to this version ({error}); "
            "start that version again, or restore a backup from before the upgrade (nothing was changed)"
        ) from None


def _salvage(scan: Scan, header: JournalHeader, found: Survey, lines: list[tuple[int, msgspec.Raw]]) -> int:
    """Take over what can be read of these; how many. One that this version does not know is left out."""
    taken = 0
    for number, data in lines:
        if number >= found.sequence and number > found.salvaged_to:
            with contextlib.suppress(UndecodableError):
                found.salvaged.append(decode_event(data, header.version))
                found.salvaged_to = number
                taken += 1
    return taken


def _damage(scan: Scan, sequence: int, taken: int) -> str:
    if scan.after:
        return f"{scan.name}: event {sequence} is damaged; {_fate(taken, scan.after - taken)}"
    return f"{scan.name}: its last {scan.size - scan.good} bytes were half written; they were cut off and kept aside"


def _fate(taken: int, lost: int) -> str:
    """What becomes of the events behind a damage."""
    if not taken:
        return _events_lost(lost)
    said = f"{taken} event{'' if taken == 1 else 's'} behind it {'is' if taken == 1 else 'are'} taken over"
    return said + (f", and {_events_lost(lost)}" if lost > 0 else "")


def _events_lost(count: int) -> str:
    if count == 0:
        return "it is kept aside"
    return (
        f"{count} event{'' if count == 1 else 's'} in it cannot be used and {'is' if count == 1 else 'are'} kept aside"
    )
