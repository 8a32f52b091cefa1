"""What is remembered: the contract of a store. `files` is one; a database that several daemons share would be another.

The state of the daemon is the last snapshot and every event since. Events are numbered from 1 without gaps; the
snapshot of sequence S holds what the events before S made. All calls may block and belong to one thread at a time,
except `Snapshot.write`, which may run beside `append` and `sync`, and `encode`, which needs the state to stand still.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

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


class UnstorableError(StoreError):
    """A value that could not be read back, such as a number that is not finite. Nothing was written of the call."""


@dataclass(frozen=True)
class Recovered:
    """What the store knew when it was opened."""

    state: State | None
    """Of the snapshot; None when there is none yet."""
    events: list[tuple[int, AnyEvent]] = field(default_factory=list)
    """To be replayed on it, oldest first, with their sequence numbers."""
    notes: list[str] = field(default_factory=list)
    """What the operator should know: damage that was found, what was cut off and where it is kept."""


class Snapshot(Protocol):
    """A snapshot that was begun: its place in the sequence is fixed, its state is still to be written."""

    @property
    def sequence(self) -> int:
        """The first event that is not in it."""

    def write(self, state: Sequence[bytes]) -> None:
        """Make it durable, then forget generations older than the previous one. `state` is what `encode` gave.

        Raises `StoreTrouble`, or `UnstorableError`; either way everything from before is still there and nothing is lost:
        begin another one later.
        """


class Store(Protocol):
    """A place that remembers a state and the events since."""

    @property
    def sequence(self) -> int:
        """The number that the next event will get."""

    @property
    def journal_bytes(self) -> int:
        """Size of the journal since the last begun snapshot, to decide when the next one is worth it."""

    def open(self) -> Recovered:
        """Take the lock, find what is known, put right what a crash left behind.

        When that can be read and nothing can be written (disk full, I/O error), it is open all the same: `append` and
        `sync` raise `StoreTrouble` until the rest of this is done. Raises `StoreError`, `StoreBusy`, and `StoreTrouble`
        where nothing is known yet, or cannot be read for now.
        """

    def encode(self, state: State) -> Sequence[bytes]:
        """The state as bytes for `Snapshot.write`. Only computes; call it while nobody changes the state."""

    def remember(self, state: State) -> None:
        """Get ready to encode that state; only computes, of what is over, so it may run beside everything else."""

    def append(self, events: Sequence[Event]) -> None:
        """Write events after those that are there: safe from a crash of the process, durable after `sync`.

        Raises `StoreTrouble` when they could not be written, or `UnstorableError`; then none of them was taken.
        """

    def sync(self) -> None:
        """Make everything appended durable.

        Raises `StoreTrouble` when that is not sure; the events stay taken, and the next `sync` writes them again.
        """

    def begin_snapshot(self) -> Snapshot:
        """Fix the place of a snapshot after everything appended so far. Raises `StoreTrouble`: nothing has changed.

        One at a time: a begun snapshot that is never written costs nothing but a longer replay.
        """

    def close(self) -> None:
        """Make everything appended durable if that is possible, and give the lock back. Never raises; may be repeated."""
