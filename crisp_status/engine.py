"""The one writer. Everybody submits events; one task steps them, journals what is durable, and publishes.

Laws
- What is durable is on disk before anyone may see it: between a step and its fsync `read` waits.
- One fsync serves all that wait. A plain observation waits for nobody.
- When the disk fails, watching and alerting go on from memory and everything unsaved is written when it works again;
  what operators ask for is refused meanwhile (docs/why.md).
- An exception inside `step` may leave half a change, so it ends the process: nobody reads, saves or sends that state.
  What happened before it is journaled, and the next start replays it into a whole state.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.core import holds
from crisp_status.core.events import ClockJumped, Event, Observed, PlaceHeard, Reported, Ticked, Voted
from crisp_status.core.step import prepare, step
from crisp_status.core.step_outcome import Durability
from crisp_status.store import StoreTrouble, UnstorableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.clock import Clock
    from crisp_status.core.model import State
    from crisp_status.core.world import World
    from crisp_status.store import Snapshot, Store

QUEUE_MAX: Final = 20_000
"""Events that may wait: seconds of work; whoever submits more is slowed down, so memory stays flat."""

BATCH_MAX: Final = 500
"""Events stepped without giving way to others: some 5 ms."""

UNSAVED_MAX: Final = 200_000
"""Events kept in memory while the disk fails; beyond that a snapshot must do."""

JUMP_SECONDS: Final = 2.0
"""A wall clock that is this far from where it should be was set, or the machine slept."""

MARK_SECONDS: Final = 10.0
"""How often a sign of life is journaled; our own absence is known this exactly after a crash."""

RETRY_SECONDS: Final = 2.0
"""How soon a failing disk is tried again."""


class EngineTrouble(Exception):
    """The event could not be made durable; the sentence is for people."""


class Engine:
    """Owner of the state. `run` does the work; everything else may be called from any task."""

    def __init__(self, world: World, store: Store, clock: Clock) -> None:
        """Take over `world`, which `store` recovered."""
        self._world = world
        self.clock = clock
        self.revision = 0
        """Counts durable changes."""
        self.events = 0
        self.syncs = 0
        self.disk_full = False
        """Whether there is no room for what will happen, as far as was looked."""
        self.trouble = ""
        """Why nothing can be saved now, in words; "" when everything is."""
        self._store = store
        self._broken = False
        """Whether an exception may have left half a change in the state."""
        self._queue: deque[tuple[Event, asyncio.Future[bool] | None]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._changed = asyncio.Event()
        self._unsaved: list[Event] = []
        self._snapshot: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.snapshots = 0
        self._last_try = 0.0
        self._marked_at = 0.0
        # A clock that stands before what was last written was set back while we were away: the first event follows it.
        self._wall, self._mono = max(clock.now(), world.state.at), clock.monotonic()
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return len(self._queue)

    async def submit(self, event: Event) -> None:
        """Hand over an event; waits only while the queue is full."""
        while len(self._queue) >= QUEUE_MAX:
            self._room.clear()
            await self._room.wait()
        self._queue.append((event, None))
        self._wake.set()

    def offer(self, events: Sequence[Event]) -> bool:
        """Hand over events without waiting, all or none. False: the queue is full."""
        if len(self._queue) + len(events) > QUEUE_MAX:
            return False
        self._queue.extend((event, None) for event in events)
        self._wake.set()
        return True

    async def commit(self, event: Event) -> bool:
        """Hand over an event and wait until it is durable.

        False: the state refused it, and nothing changed. Raises `EngineTrouble` when the disk does not take it.
        """
        if self.trouble:
            raise EngineTrouble(f"nothing can be saved now: {self.trouble}")
        while len(self._queue) >= QUEUE_MAX:
            self._room.clear()
            await self._room.wait()
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((event, done))
        self._wake.set()
        return await done

    @property
    def leads(self) -> bool:
        """Whether this process may send what is owed; False when another daemon writes to the store now."""
        return self._store.leads

    async def read(self) -> State:
        """The state, consistent and durable until the caller's next await. It is not the caller's to change."""
        await self._settled.wait()
        return self._world.state

    def peek(self) -> State:
        """The state without waiting: what is newest in it may not be on disk, and a crash may take it back.

        Only for what nobody outside sees and a crash may forget: how long to sleep, whom to look at, a line of a log,
        work that is done ahead and checked against `read` before it is shown. Each caller says which.
        """
        return self._world.state

    def held(self) -> list[tuple[int, str, str, str]]:
        """(incident, notifier, node, reason) of everything bad that somebody is not told now."""
        return holds.all_held(self._world)

    async def changed(self, revision: int) -> int:
        """Wait until there is something newer than `revision`; the present revision."""
        while self.revision <= revision:
            await self._changed.wait()
        return self.revision

    async def snapshot(self) -> None:
        """Write the whole state down; returns when it is on disk, or when that failed, which is logged."""
        if self._broken:
            return
        if self._snapshot is None:
            self._snapshot = asyncio.get_running_loop().create_future()
            self._wake.set()
        await asyncio.shield(self._snapshot)

    async def run(self) -> None:
        """Step events until `stop`. Raises what broke the state or the store; then the process must end."""
        try:
            await self._run()
        except Exception as error:
            log.get().exception("the state may be half changed, so the process ends; this is a bug, please report it")
            self._give_up(error)
            raise

    async def _run(self) -> None:
        while not (self._stopping and not self._queue):
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._batch()
                await asyncio.sleep(0)
            if self._snapshot is not None and self._writing is None:
                await self._rotate()
        if self.trouble:
            self._last_try -= RETRY_SECONDS  # this is the last moment: do not wait for the next one
            await self._remember([], sync=True)
        if self._writing is not None:
            await self._writing

    def _give_up(self, error: Exception) -> None:
        """Let nobody wait for what will not happen."""
        self._broken = True
        self._settled.clear()
        self.trouble = f"the daemon ends because of a bug ({type(error).__name__}); start it again"
        if self._snapshot is not None:
            self._finish(self._snapshot)
        for _, waiter in self._queue:
            if waiter is not None and not waiter.done():
                waiter.set_exception(EngineTrouble(f"nothing can be saved now: {self.trouble}"))
        self._queue.clear()
        self._room.set()

    async def stop(self) -> None:
        """Take what is in the queue, then let `run` end."""
        self._stopping = True
        self._wake.set()

    async def _batch(self) -> None:
        durable: list[Event] = []
        waiters: list[tuple[asyncio.Future[bool], bool]] = []
        self._follow_clock(durable)
        sync = bool(durable)
        broken: Exception | None = None
        self._settled.clear()
        for _ in range(min(BATCH_MAX, len(self._queue))):
            event, waiter = self._queue[0]
            try:
                outcome = self._step(event)
            except Exception as error:
                broken = error
                break
            self._queue.popleft()
            if outcome is Durability.DURABLE or (outcome is Durability.VOLATILE and self._is_mark(event)):
                durable.append(event)
            if waiter is not None:
                waiters.append((waiter, outcome is not Durability.REFUSED))
            if outcome is Durability.DURABLE:
                self.revision += 1
                sync = True
        self._room.set()
        try:
            saved = await self._remember(durable, sync=sync or broken is not None)
        except Exception as error:
            saved, broken, self.trouble = False, error, str(error)
        if broken is None:
            self._settled.set()
        if durable:
            self._changed.set()
            self._changed = asyncio.Event()
        for waiter, taken in waiters:
            if waiter.done():
                continue
            if taken and not saved:
                waiter.set_exception(EngineTrouble(f"it could not be saved: {self.trouble}"))
            else:
                waiter.set_result(taken)
        if broken is not None:
            raise broken

    def _step(self, event: Event) -> Durability:
        event.at = max(self.clock.now(), self._world.state.at)
        self.events += 1
        prepare(self._world, event)
        outcome = step(self._world, event)
        if outcome is Durability.DURABLE:
            self._log_change(event)
        return outcome

    def _log_change(self, event: Event) -> None:
        """One line for a replica that moved; the first healthy look of many is no news."""
        if isinstance(event, Ticked):
            self._log_silent(event)
        if isinstance(event, PlaceHeard):
            self._log_place(event)
        if not isinstance(event, Observed | Reported):
            return
        replica = self._world.state.nodes[event.node].replicas[event.replica]
        line = log.get(node=event.node, replica=event.replica)
        if replica.health.bad:
            line.warning(f"replica {replica.health.word}", reason=replica.reason.text or replica.reason.code)
        elif replica.flips:
            line.info("replica healthy")

    def _log_place(self, event: PlaceHeard) -> None:
        """One line for what a place sees anew, and for what follows from it, if anything does."""
        if not isinstance(event, Voted) or event.health is None:
            return
        node = self._world.state.nodes.get(event.node)
        replica = node.replicas.get(event.replica) if node else None
        if replica is not None and (event.health.bad or replica.health.bad):
            log.get(node=event.node, replica=event.replica, place=event.place).info(
                f"{event.health.word} from this place; the replica is {replica.health.word}", reason=event.reason.text
            )

    def _log_silent(self, event: Ticked) -> None:
        """One line for each node that fell silent: an agent that stops takes all it watches with it."""
        for place in event.silent_places:
            log.get().warning("a place is silent; what it said does not count", place=place)
        by_node: dict[str, list[str]] = {}
        for silent in event.silent:
            by_node.setdefault(silent.node, []).append(silent.replica)
        for key, found in by_node.items():
            replica = self._world.state.nodes[key].replicas.get(found[0])  # it may have been forgotten in the same tick
            reason = replica.reason.text if replica else ""
            more = {"more": len(found) - 1} if len(found) > 1 else {}
            log.get().warning("replica dead", node=key, replica=found[0], **more, reason=reason)

    def _is_mark(self, event: Event) -> bool:
        if not isinstance(event, Ticked) or event.at - self._marked_at < MARK_SECONDS:
            return False
        self._marked_at = event.at
        return True

    def _follow_clock(self, durable: list[Event]) -> None:
        """Notice that the wall clock was set or that the machine slept, before anything else is stamped."""
        wall, mono = self.clock.now(), self.clock.monotonic()
        expected = self._wall + (mono - self._mono)
        self._wall, self._mono = wall, mono
        if abs(wall - expected) <= JUMP_SECONDS:
            return
        log.get().warning("the clock jumped", seconds=round(wall - expected, 1))
        jump = ClockJumped(
            at=wall, before=max(expected, self._world.state.at) if wall > expected else self._world.state.at
        )
        prepare(self._world, jump)
        if step(self._world, jump) is Durability.DURABLE:
            durable.append(jump)

    async def _remember(self, durable: list[Event], *, sync: bool) -> bool:
        """Journal events, and fsync when they must last; whether they are safe."""
        self._unsaved.extend(durable)
        if not self._unsaved and not self.trouble:
            return True
        if self.trouble and self.clock.monotonic() - self._last_try < RETRY_SECONDS:
            return False
        self._last_try = self.clock.monotonic()
        try:
            await self._save(sync=sync or bool(self.trouble))
        except StoreTrouble as trouble:
            if not self.trouble:
                log.get().error("the disk does not take the journal; watching goes on from memory", reason=str(trouble))
            self.trouble = str(trouble)
            return False
        if self.trouble:
            log.get().info("the disk works again; everything is saved")
            self.trouble = ""
        return True

    async def _save(self, *, sync: bool) -> None:
        if len(self._unsaved) > UNSAVED_MAX:
            snapshot = await self._store.begin_snapshot()
            try:
                await snapshot.write(self._store.encode(self._world.state))
            except UnstorableError as error:
                raise StoreTrouble(str(error)) from error
            self._unsaved.clear()
            return
        try:
            await self._store.append(self._unsaved)
        except UnstorableError:
            await self._append_one_by_one()
        self._unsaved = []
        if sync:
            await self._store.sync()
            self.syncs += 1

    async def _append_one_by_one(self) -> None:
        """One event of these cannot be stored: leave it out, keep the others. Each leaves the list as it is taken."""
        while self._unsaved:
            try:
                await self._store.append(self._unsaved[:1])
            except UnstorableError as error:
                log.get().error("an event cannot be journaled; this is a bug, please report it", reason=str(error))
            del self._unsaved[0]

    async def look_for_room(self) -> None:
        """Notice a disk that is full also while nothing has to be written."""
        full = not await self._store.has_room()
        if full and not self.disk_full:
            log.get().error("the disk is full: nothing more can be saved until there is room")
        self.disk_full = full

    async def _rotate(self) -> None:
        """Begin a snapshot between two batches; it is written beside the work that goes on."""
        wanted = self._snapshot
        if wanted is None or self._unsaved or self.trouble:
            if wanted is not None and self._stopping:
                self._finish(wanted)
            return
        try:
            snapshot = await self._store.begin_snapshot()
        except StoreTrouble as trouble:
            log.get().error("no snapshot could be begun; the journal goes on", reason=str(trouble))
            self._finish(wanted)
            return
        data = self._store.encode(self._world.state)
        self._writing = asyncio.create_task(self._write(snapshot, data, wanted))

    async def _write(self, snapshot: Snapshot, data: Sequence[bytes], wanted: asyncio.Future[None]) -> None:
        try:
            await snapshot.write(data)
            self.snapshots += 1
        except (StoreTrouble, UnstorableError) as trouble:
            log.get().error("no snapshot could be written; the journal goes on", reason=str(trouble))
        self._finish(wanted)

    def _finish(self, wanted: asyncio.Future[None]) -> None:
        self._snapshot = self._writing = None
        if not wanted.done():
            wanted.set_result(None)
