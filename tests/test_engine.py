"""The one writer: what is acknowledged is on disk, and what is not yet there nobody sees."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from crisp_status import log
from crisp_status.core.events import Announced, Event, NetworkLost, Observed, Planned, Reported, Ticked, Withdrawn
from crisp_status.core.model import Health, State
from crisp_status.core.operator_records import Announcement
from crisp_status.core.policy import NodePlan, NotifierPlan, NotifyPlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.engine import Engine, EngineTrouble
from crisp_status.store import StoreFenced, StoreTrouble
from crisp_status.store.file_store import FileStore
from tests.fakes import FakeClock

PLAN = Plan(services=(ServicePlan("web", "Web", (NodePlan("web", "a", "A", "poll", (ReplicaPlan("tcp://a:1"),)),)),))
PUSHED = Plan(services=(ServicePlan("web", "Web", (NodePlan("web", "api", "API", "push"),)),))


class FullDiskStore(FileStore):
    """A store whose disk is full while `full` is set."""

    full = False

    async def append(self, events: Sequence[Event]) -> None:
        if self.full:
            raise StoreTrouble("no space left on device")
        await super().append(events)


@asynccontextmanager
async def engine_on(folder: Path, clock: FakeClock, kind: type[FileStore] = FileStore) -> AsyncIterator[Engine]:
    """An engine on a real store, started as the daemon does; it ends without a last snapshot, as in a crash."""
    store = kind(folder)
    found = await store.open()
    world = World(found.state or State())
    for _, event in found.events:
        step(world, event)
    engine = Engine(world, store, clock)
    task = asyncio.create_task(engine.run())
    await engine.commit(Planned(plan=PLAN, fresh=True))
    try:
        yield engine
    finally:
        await engine.stop()
        await task
        await store.close()


def dead() -> Observed:
    return Observed(node="web/a", replica="tcp://a:1", health=Health.DEAD, since=0.0)


async def test_what_was_committed_is_there_after_a_crash(tmp_path: Path) -> None:
    """An operator's word that was acknowledged survives without any snapshot."""
    clock = FakeClock()
    async with engine_on(tmp_path, clock) as engine:
        assert await engine.commit(Announced(announcement=Announcement(id="x", title="Work")))
        await engine.submit(dead())
        await engine.commit(Withdrawn(id="nothing"))

    async with engine_on(tmp_path, clock) as engine:
        state = await engine.read()

        assert state.announcements["x"].title == "Work"
        assert state.health is Health.DEAD
        assert len(state.open) == 1


async def test_a_refused_event_changes_nothing(tmp_path: Path) -> None:
    """What the state cannot take is answered with no."""
    async with engine_on(tmp_path, FakeClock()) as engine:
        before = engine.revision

        assert not await engine.commit(Withdrawn(id="nothing"))
        assert engine.revision == before


class SlowStore(FileStore):
    """A store whose fsync ends when `end` is set; `began` is set while it runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.began, self.end = asyncio.Event(), asyncio.Event()
        self.end.set()

    async def sync(self) -> None:
        self.began.set()
        await self.end.wait()
        await super().sync()


async def test_readers_wait_until_it_is_on_disk(tmp_path: Path) -> None:
    """Nobody sees a change between its step and its fsync, whoever asks in between waits."""
    async with engine_on(tmp_path, FakeClock(), SlowStore) as engine:
        store = engine._store
        assert isinstance(store, SlowStore)
        store.began.clear()
        store.end.clear()
        await engine.submit(dead())
        await store.began.wait()
        asked = asyncio.create_task(engine.read())
        for _ in range(10):
            await asyncio.sleep(0)
        stepped, early = engine.peek().health, asked.done()
        store.end.set()

        assert stepped is Health.DEAD
        assert not early
        assert (await asked).health is Health.DEAD


async def test_an_exception_inside_a_step_ends_the_engine(tmp_path: Path) -> None:
    """It may have left half a change: nobody reads it, it is not saved, and the next start has what was before it."""
    clock, lines = FakeClock(), io.StringIO()
    log.configure(style="json", stream=lines)
    store = FileStore(tmp_path)
    await store.open()
    engine = Engine(World(State()), store, clock)
    task = asyncio.create_task(engine.run())
    await engine.commit(Planned(plan=PLAN, fresh=True))
    before = asyncio.create_task(engine.commit(Announced(announcement=Announcement(id="x", title="Work"))))
    broken = asyncio.create_task(
        engine.commit(Observed(node="web/a", replica="tcp://a:1", health=Health.PENDING, since=0.0))
    )
    behind = asyncio.create_task(engine.commit(Announced(announcement=Announcement(id="y", title="More"))))
    engine.peek().nodes["web/a"].replicas["tcp://a:1"].reason = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await task

    assert await before
    for lost in (broken, behind):
        with pytest.raises(EngineTrouble, match="because of a bug"):
            await lost
    with pytest.raises(EngineTrouble, match="because of a bug"):
        await engine.commit(dead())
    reader = asyncio.create_task(engine.read())
    await engine.snapshot()
    await asyncio.sleep(0)
    assert not reader.done()
    reader.cancel()
    assert "please report it" in lines.getvalue()
    await store.close()

    store = FileStore(tmp_path)
    found = await store.open()
    await store.close()
    assert found.state is None, "no snapshot of a broken state"
    assert [type(event) for _, event in found.events] == [Planned, Announced]


async def test_another_daemon_that_leads_ends_the_engine(tmp_path: Path) -> None:
    """Whoever lost the lease writes and sends nothing any more."""

    class Fenced(FileStore):
        fenced = False

        async def append(self, events: Sequence[Event]) -> None:
            if self.fenced:
                raise StoreFenced("another daemon leads now")
            await super().append(events)

    store = Fenced(tmp_path)
    await store.open()
    engine = Engine(World(State()), store, FakeClock())
    task = asyncio.create_task(engine.run())
    await engine.commit(Planned(plan=PLAN, fresh=True))
    store.fenced = True
    with pytest.raises(EngineTrouble, match="another daemon leads now"):
        await engine.commit(dead())
    with pytest.raises(StoreFenced):
        await task
    await store.close()


async def test_what_a_tick_decides_is_on_disk_too(tmp_path: Path) -> None:
    """The notices that a grouping wait releases are synced before anybody may send them; a tick that decides nothing is not."""
    clock = FakeClock()
    told = Plan(services=PLAN.services, notify=NotifyPlan(group_wait=10.0), notifiers=(NotifierPlan("m", "email"),))
    async with engine_on(tmp_path, clock) as engine:
        await engine.commit(Planned(plan=told))
        await engine.submit(dead())
        await engine.commit(Ticked())
        before = engine.syncs
        clock.advance(5.0)
        await engine.commit(Ticked())
        assert (engine.syncs, len((await engine.read()).outbox)) == (before, 0)

        clock.advance(6.0)
        await engine.commit(Ticked())
        assert (engine.syncs, len((await engine.read()).outbox)) == (before + 1, 1)


async def test_a_full_disk_stops_words_but_not_watching(tmp_path: Path) -> None:
    """While nothing can be saved, health still moves, words are refused, and later everything is on disk."""
    clock = FakeClock()
    async with engine_on(tmp_path, clock, FullDiskStore) as engine:
        store = engine._store
        assert isinstance(store, FullDiskStore)
        store.full = True
        with pytest.raises(EngineTrouble, match="no space left"):
            await engine.commit(dead())
        with pytest.raises(EngineTrouble):
            await engine.commit(Announced(announcement=Announcement(id="x", title="Work")))
        state = await engine.read()
        assert state.health is Health.DEAD
        assert "x" not in state.announcements

        store.full = False
        clock.advance(5)
        await engine.submit(Ticked())
        while engine.trouble:
            await asyncio.sleep(0.01)

    async with engine_on(tmp_path, clock) as engine:
        assert (await engine.read()).health is Health.DEAD


async def test_a_clock_set_back_stops_nothing(tmp_path: Path) -> None:
    """After the wall clock was set back an hour, events carry the new time and nothing is late."""
    clock = FakeClock()
    async with engine_on(tmp_path, clock) as engine:
        await engine.submit(dead())
        await engine.commit(NetworkLost())
        settle = next(iter((await engine.read()).open.values())).settle_at
        clock.jump(-3600)
        await engine.commit(Announced(announcement=Announcement(id="x", title="Work")))
        state = await engine.read()

        assert state.announcements["x"].created_at == clock.now()
        assert next(iter(state.open.values())).settle_at == pytest.approx(settle - 3600, abs=1)


async def test_a_snapshot_holds_what_the_journal_held(tmp_path: Path) -> None:
    """After a snapshot, a start needs no event from before it."""
    clock = FakeClock()
    async with engine_on(tmp_path, clock) as engine:
        await engine.commit(Announced(announcement=Announcement(id="x", title="Work")))
        await engine.snapshot()
        await engine.commit(Announced(announcement=Announcement(id="y", title="More")))

    store = FileStore(tmp_path)
    found = await store.open()
    await store.close()

    assert found.state is not None
    assert set(found.state.announcements) == {"x"}
    assert [type(event) for _, event in found.events] == [Announced]


async def test_an_event_that_cannot_be_stored_costs_only_itself(tmp_path: Path) -> None:
    """A number that is not finite is left out of the journal, and the others are kept."""
    clock = FakeClock()
    async with engine_on(tmp_path, clock) as engine:
        await engine.submit(Observed(node="web/a", replica="tcp://a:1", health=Health.SICK, since=float("nan")))
        await engine.commit(Announced(announcement=Announcement(id="x", title="Work")))

    async with engine_on(tmp_path, clock) as engine:
        assert "x" in (await engine.read()).announcements


async def test_a_disk_that_works_again_at_the_last_moment(tmp_path: Path) -> None:
    """What a failing disk did not take is written at a stop, if it can be by then, without waiting for the next try."""
    clock = FakeClock()
    async with engine_on(tmp_path, clock, FullDiskStore) as engine:
        store = engine._store
        assert isinstance(store, FullDiskStore)
        store.full = True
        await engine.submit(dead())
        while not engine.trouble:
            await asyncio.sleep(0)
        store.full = False

    assert not engine.trouble
    async with engine_on(tmp_path, clock) as engine:
        assert (await engine.read()).health is Health.DEAD


async def test_silence_is_in_the_log(tmp_path: Path) -> None:
    """Who falls silent is told as who is looked at and found dead: one line a node, however many fell silent with it."""
    clock, lines = FakeClock(), io.StringIO()
    log.configure(style="json", stream=lines)
    async with engine_on(tmp_path, clock) as engine:
        await engine.commit(Planned(plan=PUSHED))
        for replica in ("one", "two"):
            await engine.commit(Reported(node="web/api", replica=replica, interval=30.0))
        clock.advance(60.0)
        await engine.commit(Ticked())

    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    dead = [line for line in told if line["event"] == "replica dead"]
    assert [(d["node"], d["replica"], d["more"], d["reason"]) for d in dead] == [
        ("web/api", "one", 1, "it stopped reporting")
    ]
