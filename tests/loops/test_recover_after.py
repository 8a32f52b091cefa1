"""A replica that was dead is well only after so many good looks in a row."""

from __future__ import annotations

import pytest

from crisp_status.clock import SystemClock
from crisp_status.config.plan import PlannedTarget
from crisp_status.core.events import Observed, Planned
from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.formats.exposition import Counters
from crisp_status.look.result import Look
from crisp_status.loops.observe import Poller
from crisp_status.net import tools as net_tools
from crisp_status.probes import tcp
from tests.fakes import FakeEngine

KEY = ("web/shop", "tcp://a.example:1")
DOWN = Reason(ReasonCode.REFUSED, "connection refused")


def seen(health: Health | None) -> Look:
    """A look with that outcome; None: unknown."""
    return Look(health, FINE if health is Health.HEALTHY else DOWN, 0.0, 0.0, 1, 1)


@pytest.mark.parametrize(
    ("wanted", "looks", "told"),
    [
        (1, "dh", "dh"),
        (3, "dhhh", "dh"),
        (3, "dhhdhhh", "ddh"),
        (2, "dh?h", "d?h"),
        (2, "dhsh", "dsh"),
        (2, "hhs", "hhs"),
    ],
)
async def test_it_is_news_only_when_it_is_confirmed(wanted: int, looks: str, told: str) -> None:
    """A bad look begins the count anew, an unknown one says nothing; who was never dead is believed at once."""
    node = NodePlan("web", "shop", "Shop", "poll", (ReplicaPlan(KEY[1]),), recover_after=wanted)
    plan = Plan(services=(ServicePlan("web", "Web", (node,)),))
    engine = FakeEngine()
    world = World(engine.state)
    step(world, Planned(at=1.0, plan=plan, fresh=True))
    replica = world.state.nodes["web/shop"].replicas[KEY[1]]
    healths = {"h": Health.HEALTHY, "s": Health.SICK, "d": Health.DEAD, "?": None}
    letters = {health: letter for letter, health in healths.items()}
    found = ""
    async with net_tools.opened():
        poller = Poller(engine, SystemClock(), Counters())  # type: ignore[arg-type]
        poller.configure(plan, {KEY: PlannedTarget(KEY[1], "tcp", tcp.Options())}, ())
        for letter in looks:
            before = len(engine.events)
            await poller.seen(KEY, seen(healths[letter]))
            for event in engine.events[before:]:
                found += letters[event.health] if isinstance(event, Observed) else "?"
                if isinstance(event, Observed):
                    replica.health = event.health

    assert found == told
