"""What is remembered is written down now and then, so that a start replays little."""

from __future__ import annotations

import asyncio

from crisp_status.core.events import Observed, Planned
from crisp_status.core.model import Health, State
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.engine import Engine
from crisp_status.loops import save
from tests.fakes import FakeClock, FakeStore

PLAN = Plan(services=(ServicePlan("web", "Web", (NodePlan("web", "a", "A", "poll", (ReplicaPlan("tcp://a:1"),)),)),))


LOOKS = [
    Observed(node="web/a", replica="tcp://a:1", health=health, since=0.0, at=1.8e9)
    for health in (Health.DEAD, Health.HEALTHY)
]


async def life(store: FakeStore, changes: int) -> int:
    """Start, save when it is time, see so many changes and be killed; how many events the start replayed."""
    found = await store.open()
    world = World(found.state or State())
    for _, event in found.events:
        step(world, event)
    engine = Engine(world, store, FakeClock(1.8e9))
    running = asyncio.create_task(engine.run())
    await engine.commit(Planned(plan=PLAN, fresh=True))
    saving = asyncio.create_task(save.run(engine, store, len(found.events)))
    await asyncio.sleep(0.05)
    await engine.stop()
    await running
    saving.cancel()
    await asyncio.gather(saving, return_exceptions=True)
    await store.append(LOOKS * (changes // 2))
    await store.close()
    return len(found.events)


async def test_a_daemon_that_is_killed_again_and_again_does_not_replay_ever_more() -> None:
    """No life is long enough for the first save: one that had much to replay saves at once, the others do not."""
    store = FakeStore()
    most = save.REPLAYED_MAX // 2 + 100
    replayed = [await life(store, most) for _ in range(6)]

    assert max(replayed) < save.REPLAYED_MAX + most
    assert store.snapshots == 2
