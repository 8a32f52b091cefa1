"""What is remembered: the contract of a store. `file_store` is one; a database that several daemons share is another.

The state of the daemon is the last snapshot and every event since. Events are numbered from 1 without gaps; the
snapshot of sequence S holds what the events before S made. Beside them a store has blobs: keys and certificates, which
no event makes. One task calls `append`, `sync` and `begin_snapshot`, one call at a time; `Snapshot.write` and blobs may
run beside them.

Nothing here names a place: where a store keeps its things is said when it is made. Several daemons may share one; then
one of them leads at a time (`Store.leads`), and an `append` of another one raises `StoreFenced`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from crisp_status.core.model import STATE_VERSION
from crisp_status.log import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.core.events import AnyEvent, Event
    from crisp_status.core.model import State


class StoreError(Exception):
    """The store cannot be used; the text is a sentence for people: what, where, what to do. Nothing was damaged."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))  # it may quote a damaged file


class StoreBusy(StoreError):
    """Another daemon uses this store."""


class StoreTrouble(StoreError):
    """The disk fails for now (full, I/O error). Nothing durable is lost; the same call may be tried again."""


class StoreFenced(StoreError):
    """Another daemon leads now. Nothing was written of the call, and this process must not write or send any more."""


class UnstorableError(StoreError):
    """A value that could not be read back, such as a number that is not finite. Nothing was written of the call."""


@dataclass(frozen=True)
class Recovered:
    """What the store knew when it was opened."""

    state: State | None
    """Of the snapshot; None when there is none yet."""
    events: list[tuple[int, AnyEvent]] = field(default_factory=list)
    """To be replayed on it, oldest first, with their sequence numbers."""
    salvaged: list[AnyEvent] = field(default_factory=list)
    """What lies whole behind a damage or a gap, oldest first: to be taken over after `events`, then saved by a snapshot."""
    notes: list[str] = field(default_factory=list)
    """What the operator should know: damage that was found, what was cut off and where it is kept."""
    format: int = STATE_VERSION
    """The oldest format of all that was read. When it is older than `STATE_VERSION`, a snapshot must be written before
    anything is sent: the next start might replay the same events by other rules."""


class Snapshot(Protocol):
    """A snapshot that was begun: its place in the sequence is fixed, its state is still to be written."""

    @property
    def sequence(self) -> int:
        """The first event that is not in it."""

    async def write(self, state: Sequence[bytes]) -> None:
        """Make it durable, then forget generations older than the previous one. `state` is what `encode` gave.

        Raises `StoreTrouble`, or `UnstorableError`; either way everything from before is still there and nothing is lost:
        begin another one later.
        """


class Blobs(Protocol):
    """Small secrets by name, such as the key of links and certificates. A name is lower case: `link.key`."""

    async def read_blob(self, name: str) -> bytes | None:
        """The bytes of a blob, None when there is none. Raises `StoreTrouble`, or `StoreError`."""

    async def write_blob(self, name: str, data: bytes) -> None:
        """Put a blob in the place of the one of that name; returns when it is durable.

        Raises `StoreTrouble`, or `StoreError`; then the old one is there, as after a crash in between.
        """

    async def remove_blob(self, name: str) -> None:
        """Delete a blob; it need not be there. Raises `StoreTrouble`, or `StoreError`."""

    async def blob_names(self, prefix: str = "") -> list[str]:
        """The blobs whose names begin so, in alphabetical order. Raises `StoreTrouble`, or `StoreError`."""


class Store(Blobs, Protocol):
    """A place that remembers a state, the events since, and blobs."""

    @property
    def sequence(self) -> int:
        """The number that the next event will get."""

    @property
    def journal_bytes(self) -> int:
        """Size of the journal since the last begun snapshot, to decide when the next one is worth it."""

    @property
    def leads(self) -> bool:
        """Whether this process may act as the one writer at this moment; asked before each message is sent.

        A folder is locked, so it always leads; a lease in a database ends.
        """

    async def open(self) -> Recovered:
        """Become the one writer, find what is known, put right what a crash left behind.

        When that can be read and nothing can be written (disk full, I/O error), it is open all the same: `append` and
        `sync` raise `StoreTrouble` until the rest of this is done. Raises `StoreError`, `StoreBusy`, and `StoreTrouble`
        where nothing is known yet, or cannot be read for now.
        """

    def encode(self, state: State) -> Sequence[bytes]:
        """The state as bytes for `Snapshot.write`. Only computes; call it while nobody changes the state."""

    async def remember(self, state: State) -> None:
        """Get ready to encode that state; only computes, of what is over, so it may run beside everything else."""

    async def append(self, events: Sequence[Event]) -> None:
        """Write events after those that are there: safe from a crash of the process, durable after `sync`.

        Raises `StoreTrouble` when they could not be written, `UnstorableError`, or `StoreFenced`; then none was taken.
        """

    async def sync(self) -> None:
        """Make everything appended durable.

        Raises `StoreTrouble` when that is not sure; the events stay taken, and the next `sync` writes them again.
        """

    async def has_room(self) -> bool:
        """Whether some hundred more events fit. Raises nothing: what cannot be asked is taken to have room."""

    async def begin_snapshot(self) -> Snapshot:
        """Fix the place of a snapshot after everything appended so far. Raises `StoreTrouble`: nothing has changed.

        One at a time: a begun snapshot that is never written costs nothing but a longer replay.
        """

    async def close(self) -> None:
        """Make everything appended durable if that is possible, and stop being the writer. Never raises; may be repeated."""
