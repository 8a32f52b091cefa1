"""Fakes, written once; each mirrors a real name and keeps the same promises. Nothing is patched."""

from collections.abc import Sequence

from crisp_status.core.events import Event
from crisp_status.core.model import State
from crisp_status.store import Recovered, StoreBusy, StoreError, StoreTrouble
from crisp_status.store.codec import StateEncoder, check_state, decode_event, decode_state, encode_event


class FakeClock:
    """Mirrors `clock.SystemClock`. Stands still until it is told to move; the two clocks move apart when asked."""

    def __init__(self, now: float = 1_800_000_000.0, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> float:
        """Wall clock, in epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Time passes on both clocks."""
        assert seconds >= 0, "time does not run backwards: use jump() for a wall clock that is set"
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock, forward or back; no time passes."""
        self._now += seconds


class FakeEngine:
    """Mirrors `engine.Engine` for those who submit: remembers events; `refuse`, `full` and `trouble` say what goes wrong."""

    def __init__(self) -> None:
        self.submitted: list[Event] = []
        self.committed: list[Event] = []
        """Of these, those that somebody waited for."""
        self.state = State()
        """What `peek` gives; nothing that is submitted changes it."""
        self.refuse = False
        self.full = False
        self.trouble = ""

    @property
    def events(self) -> list[Event]:
        """All of them."""
        return list(self.submitted)

    def peek(self) -> State:
        """The state that the test made."""
        return self.state

    async def submit(self, event: Event) -> None:
        """Remember it."""
        self.submitted.append(event)

    def offer(self, events: Sequence[Event]) -> bool:
        """Remember them; False when told to be full."""
        if not self.full:
            self.submitted.extend(events)
        return not self.full

    async def commit(self, event: Event) -> bool:
        """Remember it as durable; False when told to refuse."""
        from crisp_status.engine import EngineTrouble

        if self.trouble:
            raise EngineTrouble(self.trouble)
        if not self.refuse:
            self.submitted.append(event)
            self.committed.append(event)
        return not self.refuse


class FakeStore:
    """Mirrors `store.file_store.FileStore` in memory, through the real codec; `trouble` is what the disk says to a write.

    For a disk that fails byte by byte there is `tests.disk.FakeDisk` under the real store.
    """

    def __init__(self) -> None:
        self.saved: tuple[int, bytes] | None = None
        """The newest snapshot: its sequence and its state."""
        self.lines: list[bytes] = []
        """Every event ever appended, the first has number 1."""
        self.durable = 0
        """So many of them are synced."""
        self.syncs = 0
        self.snapshots = 0
        self.trouble = ""
        self.is_open = False
        self.leads = True
        self.blobs: dict[str, bytes] = {}

    @property
    def sequence(self) -> int:
        """Number of the next event."""
        return len(self.lines) + 1

    @property
    def journal_bytes(self) -> int:
        """Bytes since the newest snapshot."""
        return sum(len(line) for line in self.lines[self.saved[0] - 1 if self.saved else 0 :])

    @property
    def journal(self) -> list[Event]:
        """What was appended, read back."""
        return [decode_event(line) for line in self.lines]

    async def open(self) -> Recovered:
        """What is known."""
        if self.is_open:
            raise StoreBusy("memory: in use")
        self.is_open = True
        first = self.saved[0] if self.saved else 1
        state = decode_state(self.saved[1]) if self.saved else None
        return Recovered(state, [(n, decode_event(line)) for n, line in enumerate(self.lines, 1) if n >= first])

    async def has_room(self) -> bool:
        """Until its trouble is that nothing can be written."""
        return not self.trouble

    def encode(self, state: State) -> list[bytes]:
        """As the real one does."""
        return StateEncoder().encode(state)

    async def remember(self, state: State) -> None:
        """Nothing to get ready."""

    async def read_blob(self, name: str) -> bytes | None:
        """None when it was never written."""
        return self.blobs.get(name)

    async def write_blob(self, name: str, data: bytes) -> None:
        """Durable at once."""
        self._write()
        self.blobs[name] = data

    async def remove_blob(self, name: str) -> None:
        """It need not be there."""
        self._write()
        self.blobs.pop(name, None)

    async def blob_names(self, prefix: str = "") -> list[str]:
        """In alphabetical order."""
        return sorted(name for name in self.blobs if name.startswith(prefix))

    async def append(self, events: Sequence[Event]) -> None:
        """All or nothing."""
        encoded = [encode_event(event) for event in events]
        self._write()
        self.lines += encoded

    async def sync(self) -> None:
        """Everything is durable."""
        self._write()
        self.durable = len(self.lines)
        self.syncs += 1

    async def begin_snapshot(self) -> "FakeSnapshot":
        """At this place."""
        await self.sync()
        return FakeSnapshot(self, self.sequence)

    async def close(self) -> None:
        """May be opened again."""
        self.is_open = False

    def after_crash(self) -> "FakeStore":
        """What the next process finds after a power cut: nothing that was not synced."""
        left = FakeStore()
        left.saved = self.saved
        left.lines = self.lines[: self.durable]
        left.durable = self.durable
        return left

    def _write(self) -> None:
        if not self.is_open:
            raise StoreError("memory: the store is not open")
        if self.trouble:
            raise StoreTrouble(f"memory: {self.trouble}")


class FakeSnapshot:
    """Mirrors a snapshot of `store.file_store.FileStore`."""

    def __init__(self, store: FakeStore, sequence: int) -> None:
        self.store = store
        self.sequence = sequence

    async def write(self, state: Sequence[bytes]) -> None:
        """Durable at once."""
        check_state(state)
        self.store._write()
        self.store.saved = (self.sequence, b"".join(state))
        self.store.snapshots += 1
