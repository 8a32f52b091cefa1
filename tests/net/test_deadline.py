"""Deadlines share one timer, and still end the right task at the right time."""

from __future__ import annotations

import asyncio
import time

import pytest

from crisp_status.net.deadline import GRAIN, Deadline, DeadlineWheel


async def test_what_takes_longer_is_ended_late_but_never_early() -> None:
    """Of many with different times, started in any order."""
    deadlines = DeadlineWheel()

    async def one(seconds: float) -> float:
        began = time.monotonic()
        with pytest.raises(TimeoutError), deadlines.within(seconds) as deadline:
            await asyncio.sleep(30)
        assert deadline.expired
        return time.monotonic() - began - seconds

    late = await asyncio.gather(*(one(n * 0.037 % 0.3) for n in range(200)))
    assert min(late) >= -0.002  # the loop's clock counts milliseconds
    assert sorted(late)[100] < 5 * GRAIN


async def test_what_is_in_time_goes_on_undisturbed() -> None:
    """Also long after its deadline has passed."""
    deadlines = DeadlineWheel()
    with deadlines.within(0.03) as deadline:
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert not deadline.expired


async def test_a_cancellation_by_somebody_else_stays_one() -> None:
    """Also when both happen in the same instant: who stops the task must see it stop."""
    deadlines = DeadlineWheel()

    async def work() -> None:
        with deadlines.within(30) as deadline:
            known.append(deadline)
            await asyncio.sleep(30)

    for expire_too in (False, True):
        known: list[Deadline] = []
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        if expire_too:
            known[0].expire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_time_of_a_pause_does_not_count() -> None:
    """As when a look waits for a free thread of ours."""
    deadlines = DeadlineWheel()
    began = time.monotonic()

    async def work() -> None:
        with deadlines.within(0.05) as deadline:
            deadline.pause()
            await asyncio.sleep(0.15)
            deadline.resume(0.15)
            await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        await work()
    assert time.monotonic() - began >= 0.19


async def test_an_earlier_deadline_moves_the_timer_and_none_keeps_it_running() -> None:
    """The one timer always belongs to the next; without deadlines there is none."""
    deadlines = DeadlineWheel()
    began = time.monotonic()
    with deadlines.within(30), pytest.raises(TimeoutError), deadlines.within(0.02):
        await asyncio.sleep(30)
    assert time.monotonic() - began < 5
    deadlines.close()
    with pytest.raises(TimeoutError), deadlines.within(0.02):
        await asyncio.sleep(30)
