"""The gate of open sockets: no more than so many, first come first served, and no place is ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from crisp_status.net.limits import Slots


async def through(gate: Slots, order: list[int], number: int, stay: asyncio.Event) -> None:
    if not gate.enter():
        await gate.turn()
    try:
        order.append(number)
        await stay.wait()
    finally:
        gate.leave()


async def test_first_come_first_served() -> None:
    """Also against somebody who comes in the instant in which a place becomes free."""
    gate, order, stay = Slots(1), [], asyncio.Event()
    tasks = [asyncio.ensure_future(through(gate, order, n, stay)) for n in range(3)]
    await asyncio.sleep(0)
    assert (order, gate.inside) == ([0], 1)

    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert not gate.enter()  # the place belongs to the second already
    stay.set()
    await asyncio.gather(*tasks[1:])
    assert (order, gate.inside) == ([0, 1, 2], 0)


async def test_who_is_let_in_and_stopped_in_the_same_instant_gives_the_place_on() -> None:
    """The third goes in, although it was not the third's turn."""
    gate = Slots(1)
    assert gate.enter()
    second, third = (asyncio.ensure_future(gate.turn()) for _ in range(2))
    await asyncio.sleep(0)
    gate.leave()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.wait_for(third, 1)
    assert gate.inside == 1
    gate.leave()
    assert gate.enter()


async def test_no_place_is_lost_or_won() -> None:
    """A crowd that comes, waits, gives up and goes in any order: never more than four, and none at the end."""
    gate, dice, most = Slots(4), random.Random(6), 0

    async def one() -> None:
        nonlocal most
        if not gate.enter():
            await gate.turn()
        most = max(most, gate.inside)
        try:
            await asyncio.sleep(dice.choice((0, 0, 0.001)))
        finally:
            gate.leave()

    tasks = [asyncio.ensure_future(one()) for _ in range(400)]
    for _ in range(150):
        dice.choice(tasks).cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (most, gate.inside) == (4, 0)
