"""The store in a state folder, for the event loop: what may wait for the disk runs in threads of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from crisp_status.store import StoreError
from crisp_status.store.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crisp_status.core.events import Event
    from crisp_status.core.model import State
    from crisp_status.store import Recovered, Snapshot
    from crisp_status.store.state_folder import FolderSnapshot

T = TypeVar("T")


class FileStore:
    """A `Store` in a folder."""

    def __init__(self, folder: StateFolder | Path) -> None:
        """Nothing is touched before `open`."""
        self.folder = StateFolder(folder) if isinstance(folder, Path) else folder
        # The loop's own threads may all be waiting for a nameserver. Two: a snapshot is written beside the journal.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="disk")
        self._working: set[asyncio.Future[object]] = set()
        self._closed = False

    @property
    def sequence(self) -> int:
        """The number that the next event will get."""
        return self.folder.sequence

    @property
    def journal_bytes(self) -> int:
        """Size of the journal that is written."""
        return self.folder.journal_bytes

    @property
    def leads(self) -> bool:
        """Always: the lock of the folder keeps every other daemon out."""
        return True

    async def open(self) -> Recovered:
        """Lock the folder, read it, and put right what a crash left behind."""
        return await self._in_thread(self.folder.open)

    def encode(self, state: State) -> Sequence[bytes]:
        """Chunks of JSON; what is over is not encoded again."""
        return self.folder.encode(state)

    async def remember(self, state: State) -> None:
        """Encode what is over of a state, beside everything else: 0.1 s with 100,000 replicas."""
        await self._in_thread(partial(self.folder.remember, state))

    async def append(self, events: Sequence[Event]) -> None:
        """Write events into the cache of the system, which takes microseconds; in a thread where it may take longer."""
        if self.folder.quick:
            self.folder.append(events)
        else:
            await self._in_thread(partial(self.folder.append, events))

    async def sync(self) -> None:
        """One fsync for everything appended."""
        await self._in_thread(self.folder.sync)

    async def has_room(self) -> bool:
        """Asked in a thread: a disk that is far away may take its time."""
        return await self._in_thread(self.folder.has_room)

    async def begin_snapshot(self) -> Snapshot:
        """Close the journal and begin the next one."""
        return _Snapshot(await self._in_thread(self.folder.begin_snapshot), self)

    async def read_blob(self, name: str) -> bytes | None:
        """The bytes of a blob; None when there is none."""
        return await self._in_thread(partial(self.folder.blobs.read, name))

    async def write_blob(self, name: str, data: bytes) -> None:
        """Put a blob in the place of the one of that name, in one step."""
        await self._in_thread(partial(self.folder.blobs.write, name, data))

    async def remove_blob(self, name: str) -> None:
        """Delete a blob; it need not be there."""
        await self._in_thread(partial(self.folder.blobs.remove, name))

    async def blob_names(self, prefix: str = "") -> list[str]:
        """The blobs whose names begin so."""
        return await self._in_thread(partial(self.folder.blobs.names, prefix))

    async def close(self) -> None:
        """Finish what threads do, make everything durable if that is possible, and give the lock back."""
        if self._closed:
            return
        while self._working:
            await asyncio.wait(self._working)
        await self._in_thread(self.folder.close)
        self._closed = True
        self._threads.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed; make another one to open it again")
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._working.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._working.discard)
        return await future


class _Snapshot:
    """A snapshot of a folder whose bytes are written in a thread."""

    def __init__(self, snapshot: FolderSnapshot, store: FileStore) -> None:
        self._snapshot = snapshot
        self._store = store

    @property
    def sequence(self) -> int:
        return self._snapshot.sequence

    async def write(self, state: Sequence[bytes]) -> None:
        await self._store._in_thread(partial(self._snapshot.write, state))
