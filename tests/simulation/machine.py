"""A machine that lives and dies: the real engine on the real store on a disk that fails, and a wall clock that is set."""

from __future__ import annotations

import errno
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from crisp_status.core.events import Planned
from crisp_status.core.model import State
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.engine import Engine
from crisp_status.store import StoreError, StoreTrouble
from crisp_status.store.codec import decode_event, encode_event
from crisp_status.store.files import FileStore
from tests.disk import FakeDisk, PowerCut
from tests.fakes import FakeClock
from tests.simulation.laws import LawBroken, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from crisp_status.core.events import Event
    from crisp_status.core.policy import Plan
    from crisp_status.store import Recovered, Snapshot

SPACE = 90
"""Bytes of the space probe: few, so that the power can go within it."""

bugs: list[str] = []
"""What the engine told the log as a bug of ours; nothing may."""


def listen_for_bugs() -> None:
    """The engine catches whatever breaks the core and logs it: here that is the end of a seed."""

    def hear(_logger: object, method: str, line: dict[str, object]) -> dict[str, object]:
        if method == "exception" or "bug" in str(line["event"]):
            bugs.append(structlog.processors.format_exc_info(None, "", line).get("exception") or str(line))  # type: ignore[arg-type]
        raise structlog.DropEvent

    structlog.configure(processors=[hear], cache_logger_on_first_use=False)


class WatchedStore(FileStore):
    """The real store; what it took and what it acknowledged is remembered on the outside."""

    def __init__(self, disk: FakeDisk, journal: list[bytes]) -> None:
        super().__init__(disk, SPACE)
        self.taken = journal
        """Every event ever taken, as bytes; the first has number 1."""
        self.appended = 0
        """So many were taken by calls that returned."""
        self.synced = 0

    def open(self) -> Recovered:
        found = super().open()
        self.appended = self.synced = self.sequence - 1
        return found

    def append(self, events: Sequence[Event]) -> None:
        before = len(self.taken)
        self.taken += [encode_event(event) for event in events]
        try:
            super().append(events)
        except StoreError:
            del self.taken[before:]
            raise
        self.appended = self.sequence - 1

    def sync(self) -> None:
        super().sync()
        self.synced = self.sequence - 1

    def begin_snapshot(self) -> Snapshot:
        begun = super().begin_snapshot()
        self.synced = self.sequence - 1
        return begun


class InlineEngine(Engine):
    """The real engine; what it does in threads is done at once, so that one seed is always one story."""

    async def _in_thread(self, work: Callable[[], object]) -> object:  # type: ignore[override]
        return work()

    def take(self, events: Sequence[Event]) -> None:
        """Submit, and let `run` do one round."""
        self._queue.extend((event, None) for event in events)
        with suppress(StopIteration):
            self._batch().send(None)

    @property
    def saved_all(self) -> bool:
        """Whether nothing is in memory only."""
        return not self._unsaved and not self.trouble


class Machine:
    """What survives is on the disk; `shadow` is a second world that only ever hears durable events, as a replay does."""

    def __init__(self, dice: Random, plan: Plan, now: float, counts: Counter[str]) -> None:
        self.dice = dice
        self.plan = plan
        self.counts = counts
        self.clock = FakeClock(now)
        self.disk = FakeDisk()
        self.journal: list[bytes] = []
        self.shadow = World(State())
        self.replayed = 0
        self.begun: Snapshot | None = None
        self.data: Sequence[bytes] = ()
        self.on_restart: Callable[[], None] = lambda: None
        self.on_taken: Callable[[], None] = lambda: None
        self._boot()

    @property
    def state(self) -> State:
        return self.engine.world.state

    @property
    def durable(self) -> bool:
        """Whether everything that happened so far would survive a power cut."""
        return self.engine.saved_all and self.store.synced == len(self.journal)

    def take(self, *events: Event) -> None:
        """Let these happen; a power cut on the way is a restart."""
        self.life(lambda: self.engine.take(events))
        self.on_taken()

    def life(self, work: Callable[[], None]) -> None:
        """Do it; when the power goes meanwhile, start again."""
        try:
            work()
        except PowerCut:
            self.counts["power cuts"] += 1
            self.restart(power=self.dice.random() < 0.7)
        if bugs:
            raise LawBroken("the core broke: " + bugs.pop())

    def snapshot(self) -> None:
        """Begin one, as the engine does between two batches; it is written now or some batches later."""
        self.life(self._snapshot)

    def _snapshot(self) -> None:
        if self.begun is not None:
            with suppress(StoreTrouble):
                self.begun.write(self.data)
                self.counts["snapshots"] += 1
            self.begun = None
        elif self.engine.saved_all:
            with suppress(StoreTrouble):
                self.begun, self.data = self.store.begin_snapshot(), self.store.encode(self.state)
                if self.dice.random() < 0.5:
                    self._snapshot()

    def hurt_the_disk(self) -> None:
        """No room, or errors, until it is mended."""
        self.counts["disk troubles"] += 1
        if self.dice.random() < 0.4:
            self.disk.room = self.disk.used() + self.dice.randrange(2000)
            return
        operations = ["write", "fsync", "truncate", "create", "rename", "remove", "fsync_folder"]
        self.disk.lossy_fsync = self.dice.random() < 0.3
        self.disk.errors = dict.fromkeys(self.dice.sample(operations, 2), errno.EIO)

    def mend_the_disk(self) -> None:
        self.disk.errors = {}
        self.disk.room = 1 << 40

    def cut_soon(self) -> None:
        """The power will go within the next bytes."""
        self.disk.fuse = self.disk.steps + self.dice.randrange(4000)

    def restart(self, *, power: bool) -> None:
        """The process is gone, or the machine; time passes; it starts on what the disk has."""
        acknowledged = self.store.synced if power else self.store.appended
        while True:
            self.disk = self.disk.after_crash(self.dice, power=power)
            self.clock.advance(self.dice.choice([0.5, 3.0, 60.0, 3000.0, 100_000.0]))
            if self.dice.random() < 0.1:
                self.clock.jump(self.dice.choice([-90_000.0, -600.0, -5.0]))
                self.counts["clock set back while away"] += 1
            if self.dice.random() < 0.2:
                self.disk.fuse = self.dice.randrange(3000)
            try:
                self._boot(acknowledged)
                return
            except PowerCut:
                self.counts["power cuts during a start"] += 1
                power = self.dice.random() < 0.7
                acknowledged = max(acknowledged, self.store.synced if power else self.store.appended)

    def _boot(self, acknowledged: int = 0) -> None:
        """As `app.daemon` does: recover, replay, take the plan into force."""
        self.begun = None
        self.store = WatchedStore(self.disk, self.journal)
        try:
            found = self.store.open()
        except StoreError as error:
            raise LawBroken(f"a start was refused: {error}") from error
        world = World(found.state or State())
        for _, event in found.events:
            step(world, event)
        known = self.store.sequence - 1
        if not max(acknowledged, self.replayed) <= known <= len(self.journal):
            raise LawBroken(
                f"{acknowledged} events were acknowledged, {len(self.journal)} taken, and {known} came back"
            )
        self.catch_up(known)
        if found_differences := differences(world.state, self.shadow.state):
            raise LawBroken("what came back is not what happened:\n" + "\n".join(found_differences))
        del self.journal[known:]
        self.engine = InlineEngine(world, self.store, self.clock)
        self.on_restart()
        self.engine.take([Planned(plan=self.plan, fresh=True)])
        self.on_taken()
        self.counts["starts"] += 1

    def catch_up(self, known: int) -> None:
        """Let the shadow hear the durable events up to that number."""
        while self.replayed < known:
            step(self.shadow, decode_event(self.journal[self.replayed]))
            self.replayed += 1

    def compare(self) -> None:
        """Replay equals life."""
        if not self.durable:
            return
        self.catch_up(len(self.journal))
        if found := differences(self.state, self.shadow.state):
            raise LawBroken("replay is not life:\n" + "\n".join(found))
