"""Time passes once a second, and when somebody waits for it."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from crisp_status.clock import SystemClock
from crisp_status.core.model import Incident, State
from crisp_status.loops import tick


async def ticks(state: State, seconds: float) -> list[float]:
    """Seconds from the start at which it ticked."""
    began, found = time.monotonic(), []

    async def submit(event: object) -> None:
        found.append(time.monotonic() - began)

    engine = SimpleNamespace(peek=lambda: state, clock=SystemClock(), submit=submit)
    task = asyncio.create_task(tick.run(engine))  # type: ignore[arg-type]
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


async def test_an_alert_does_not_wait_for_the_second_to_be_full() -> None:
    """When a grouping wait ends within the second, there is a tick at that moment; then the seconds go on as before."""
    now = time.time()
    state = State(open={1: Incident(1, now, now, settle_at=now + 0.3), 2: Incident(2, now, now, settle_at=now - 5)})
    state.hooked.settle_at = now + 0.6

    assert await ticks(state, 1.5) == pytest.approx([0.0, 0.3, 0.6, 1.0], abs=0.25)


async def test_nobody_waits() -> None:
    """Without a wait there is a tick a second, also when one is overdue because it is held back."""
    now = time.time()

    assert len(await ticks(State(open={1: Incident(1, now, now, settle_at=now - 5)}), 0.7)) == 1
