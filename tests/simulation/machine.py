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
from crisp_status.core.step_outcome import Durability
from crisp_status.core.world import World
from crisp_status.engine import Engine
from crisp_status.store import StoreError, StoreTrouble
from crisp_status.store.codec import decode_event, encode_event
from crisp_status.store.file_store import FileStore
from crisp_status.store.state_folder import StateFolder
from tests.disk import FakeDisk, PowerCut
from tests.fakes import FakeClock
from tests.simulation.chance import FIRST_DEVICE
from tests.simulation.decay import chain_begins, decay, files_of, intact_before
from tests.simulation.laws import LawBroken, check_messages, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from crisp_status.core.events import Event
    from crisp_status.core.policy import Plan
    from crisp_status.store import Recovered
    from crisp_status.store.state_folder import FolderSnapshot

SPACE = 90
"""Bytes of the space probe: few, so that the power can go within it."""

OPERATIONS = (
    "write",
    "fsync",
    "truncate",
    "create",
    "rename",
    "remove",
    "fsync_folder",
    "read",
    "open",
    "names",
    "close",
)

BY_NAME = ("make", "lock", "names", "read", "open", "create", "rename", "remove")
"""Operations that may be forbidden, or find no number for another file."""

READING = {"make", "lock", "names", "read"}

bugs: list[str] = []
"""What the engine told the log as a bug of ours; nothing may."""


def listen_for_bugs() -> None:
    """The engine catches whatever breaks the core and logs it: here that is the end of a seed."""

    def hear(_logger: object, method: str, line: dict[str, object]) -> dict[str, object]:
        if method == "exception" or "bug" in str(line["event"]):
            bugs.append(structlog.processors.format_exc_info(None, "", line).get("exception") or str(line))  # type: ignore[arg-type]
        raise structlog.DropEvent

    structlog.configure(processors=[hear], cache_logger_on_first_use=False)


class _NearlyNothing(Exception):
    """What came back is not worth to go on with."""


class WatchedFolder(StateFolder):
    """The real folder; what it took and what it acknowledged is remembered on the outside."""

    def __init__(self, disk: FakeDisk, journal: list[bytes]) -> None:
        super().__init__(disk, SPACE)
        self.taken = journal
        """Every event ever taken, as bytes; the first has number 1."""
        self.refused: list[bytes] = []
        """What the last call handed in that failed: its bytes may be on the disk, where even giving the space back failed."""
        self.appended = 0
        """So many were taken by calls that returned."""
        self.synced = 0
        """So many it calls durable."""
        self.honest = 0
        """So many are, whatever the disk says."""
        self.all_safe = False
        """What is there to be read is on the disk itself, because the power was gone."""

    def open(self) -> Recovered:
        found = super().open()
        self.appended = self.sequence - 1
        if self.settled or self.all_safe:
            self._is_durable()
        return found

    @property
    def settled(self) -> bool:
        """Whether a start could write what it had to."""
        return self._undone is None

    def _is_durable(self) -> None:
        self.synced = self.sequence - 1
        if self.all_safe or not self._disk.lying:  # type: ignore[attr-defined]
            self.honest = self.synced
        self.all_safe = False

    def append(self, events: Sequence[Event]) -> None:
        before = len(self.taken)
        self.taken += [encode_event(event) for event in events]
        try:
            super().append(events)
        except StoreError:
            self.refused = self.taken[before:]
            del self.taken[before:]
            raise
        self.refused = []
        self.appended = self.sequence - 1

    def sync(self) -> None:
        super().sync()
        self._is_durable()

    def begin_snapshot(self) -> FolderSnapshot:
        begun = super().begin_snapshot()
        self._is_durable()
        return begun


class InlineStore(FileStore):
    """The real store; what it does in threads is done at once, so that one seed is always one story."""

    async def _in_thread(self, work: Callable[[], object]) -> object:  # type: ignore[override]
        return work()


class InlineEngine(Engine):
    """The real engine, one batch at a time."""

    on_step: Callable[[Event], None] = staticmethod(lambda event: None)
    """Hears each event as the core was given it."""

    def _step(self, event: Event) -> Durability:
        """The same, and what it says is compared with the state at once: the next event of the batch changes that."""
        first = self._world.state.next_message
        outcome = super()._step(event)
        check_messages(self._world.state, first)
        self.on_step(event)
        return outcome

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
        self.begun: FolderSnapshot | None = None
        self.data: Sequence[bytes] = ()
        self.store = WatchedFolder(self.disk, self.journal)
        self.floor = 0
        """So many events must come back at the next start."""
        self.fragile = 0
        """Snapshots to be written until there are two generations again of which nothing is damaged."""
        self.rotten = 0
        """Files that were damaged before this start."""
        self.claimed = self.backed_up = 0
        """So many events were acknowledged before that."""
        self.lossy = False
        """Whether what was acknowledged may be lost: the disk lied, or decayed."""
        self.backup: dict[str, bytes] = {}
        self.on_restart: Callable[[int, bool], None] = lambda _known, _lost: None
        self.on_taken: Callable[[], None] = lambda: None
        self.on_step: Callable[[Event], None] = lambda _event: None
        self._boot()

    @property
    def state(self) -> State:
        return self.engine.peek()

    @property
    def durable(self) -> bool:
        """Whether everything that happened so far would survive a power cut."""
        return self.engine.saved_all and self.store.synced == len(self.journal)

    def take(self, *events: Event) -> None:
        """Let these happen; a power cut on the way is a restart."""
        self.life(lambda: self.engine.take(events))
        self.on_taken()

    def _stepped(self, event: Event) -> None:
        self.on_step(event)

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
                self.fragile = max(0, self.fragile - (not self.disk.lying))
                self._flush()  # one lost generation is what the other is for
            self.begun = None
        elif self.engine.saved_all:
            with suppress(StoreTrouble):
                self.begun, self.data = self.store.begin_snapshot(), self.store.encode(self.state)
                if self.dice.random() < 0.5:
                    self._snapshot()

    def hurt_the_disk(self) -> None:
        """No room, errors, or lies, until it is mended or for some operations only."""
        dice, disk = self.dice, self.disk
        self.counts["disk troubles"] += 1
        begin = disk.steps + dice.choice([0, 0, dice.randrange(300)])
        disk.spell = (begin, dice.choice([1 << 60, 1 << 60, begin + dice.randrange(300)]))
        kind = dice.random()
        if kind < 0.4:
            disk.room = disk.used() + dice.randrange(2000)
        elif kind < 0.5:
            self.counts["disks that lied"] += 1
            disk.lying = True
        else:
            disk.lossy_fsync = dice.random() < 0.3
            disk.errors = dict.fromkeys(dice.sample(OPERATIONS, 2), dice.choice([errno.EIO, errno.EIO, errno.EROFS]))
            if dice.random() < 0.3:
                disk.errors[dice.choice(BY_NAME)] = dice.choice([errno.EACCES, errno.EMFILE])

    def mend_the_disk(self) -> None:
        self._flush()
        self.disk.mend()
        self.disk.spell = (0, 1 << 60)

    def _flush(self) -> None:
        """A disk that lied has written what it had, before anything else befell it."""
        if self.disk.lying:
            self.disk.lying = False
            self.disk.flush()
            self.store.honest = self.store.synced

    def cut_soon(self) -> None:
        """The power will go within the next bytes."""
        self.disk.fuse = self.disk.steps + self.dice.randrange(4000)

    def restart(self, *, power: bool) -> None:
        """The process is gone, or the machine; time passes; it starts on what the disk has, as often as it takes."""
        dice = self.dice
        self._crash(power=power)
        refusals = 0
        while True:
            self.clock.advance(dice.choice([0.5, 3.0, 60.0, 3000.0, 100_000.0]))
            if dice.random() < 0.1:
                self.clock.jump(dice.choice([-90_000.0, -600.0, -5.0]))
                self.counts["clock set back while away"] += 1
            if dice.random() < 0.2:
                self.disk.fuse = self.disk.steps + dice.randrange(3000)
            if dice.random() < 0.15:
                self.hurt_the_disk()
            try:
                self._boot()
                return
            except PowerCut:
                self.counts["power cuts during a start"] += 1
                self.claimed = 0  # what that start has said nobody repeats
                self._crash(power=dice.random() < 0.7)
            except _NearlyNothing:
                self._restore()
            except StoreError as error:
                self._refused(error)
                if "is damaged" in str(error):
                    self.claimed = 0  # this start has said it
                refusals += 1
                if refusals == 3 or dice.random() < 0.5:
                    self.mend_the_disk()

    def _crash(self, *, power: bool) -> None:
        store, disk, dice = self.store, self.disk, self.dice
        if not power:
            self.floor = store.appended
            self.disk = disk.after_kill()
            return
        self.floor = store.honest
        if disk.lying:
            self.fragile, self.lossy = 2, True
        self.disk = disk.after_crash(dice)
        if dice.random() < 0.4:
            self.disk.still_failing(disk)
        store.synced = store.appended = store.honest
        store.all_safe = True
        if dice.random() < 0.2 and not self.fragile:
            self._decay()

    def _decay(self) -> None:
        """What lies on the disk is damaged while the machine is off."""
        dice, disk = self.dice, self.disk
        self.backup, self.lossy = disk.files(), True
        self.claimed = self.backed_up = self.floor
        needed = chain_begins(disk)
        files = files_of(disk)
        damaged = dice.sample(files, min(len(files), dice.choice([1, 1, 1, 1, 2, 3])))
        self.rotten, self.fragile = len(damaged), 2
        for name in damaged:
            self.counts["files that decayed"] += 1
            at = decay(disk, dice, name)
            last = intact_before(name, self.backup[name], at)
            if len(damaged) > 1:
                self.floor = 0
            elif last is not None and last >= needed - 1:
                self.floor = min(self.floor, last)
        self.store.synced = self.store.appended = self.store.honest = self.floor

    def _refused(self, error: StoreError) -> None:
        """A start was refused: rightly, with nothing changed, and without keeping the lock."""
        self.counts["starts refused"] += 1
        faults = self.disk.errors
        rightly = faults.keys() & {"make", "lock", "names", "read"} or errno.EACCES in faults.values() or not self.floor
        if not (rightly and self.disk.failures > self.failures) and self.rotten < 2:
            raise LawBroken(f"a start was refused: {error}") from error
        if self.disk.held:
            raise LawBroken("a refused start kept the lock")
        at_once = self.disk.spell[0] <= self.began
        if (
            self.floor
            and faults
            and at_once
            and self.rotten < 2
            and not faults.keys() - READING
            and self.disk.files() != self.found
        ):
            raise LawBroken(f"a refused start has changed something: {error}")
        if self.rotten > 1 and self.disk.failures == self.failures:
            self._restore()

    def _take_what_came_back(self, events: list[Event], known: int) -> None:
        """Nobody was answered that these were kept, nor that they were not: as they came back, they have happened."""
        more, refused = known - len(self.journal), self.store.refused
        if 0 < more <= min(len(refused), len(events)) and [encode_event(e) for e in events[-more:]] == refused[:more]:
            self.counts["refused events that came back"] += more
            self.journal += refused[:more]
        self.store.refused = []

    def _restore(self) -> None:
        """The operator brings the backup back, which is from just before the damage."""
        self.counts["backups restored"] += 1
        self.disk.after_kill().restore(self.backup)
        self.rotten, self.fragile, self.floor, self.claimed = 0, 0, self.backed_up, 0
        self.store.synced = self.store.appended = self.store.honest = self.floor
        self.store.all_safe = True

    def _boot(self) -> None:
        """As `app.daemon` does: recover, replay, take the plan into force."""
        old, self.begun = self.store, None
        self.found, self.failures, self.began = self.disk.files(), self.disk.failures, self.disk.steps
        self.store = store = WatchedFolder(self.disk, self.journal)
        store.synced, store.appended, store.honest, store.all_safe = old.synced, old.appended, old.honest, old.all_safe
        store.refused = old.refused  # also over a start that fails
        found = store.open()
        world = World(found.state or State())
        for _, event in found.events:
            step(world, event)
        known = store.sequence - 1
        self._take_what_came_back([event for _, event in found.events], known)
        if not self.floor <= known <= len(self.journal):
            raise LawBroken(f"{self.floor} events must be there, {len(self.journal)} were taken, and {known} came back")
        if known < self.claimed and not found.notes:
            raise LawBroken(f"{self.claimed} events were there, {known} came back, and nothing was said")
        if self.lossy and FIRST_DEVICE not in world.state.subscriptions:
            raise _NearlyNothing
        if any("is damaged (" in note for note in found.notes):
            self.fragile = 2
        if known < self.replayed:
            self.shadow, self.replayed = World(State()), 0
        self.catch_up(known)
        if found_differences := differences(world.state, self.shadow.state):
            raise LawBroken("what came back is not what happened:\n" + "\n".join(found_differences))
        del self.journal[known:]
        self.counts["starts on a disk that takes nothing"] += not store.settled
        lossy, self.lossy, self.rotten, self.claimed = self.lossy, False, 0, 0
        self.engine = InlineEngine(world, InlineStore(self.store), self.clock)
        self.engine.on_step = self._stepped
        self.on_restart(known, lossy)
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
