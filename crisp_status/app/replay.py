"""From what a store recovered to the world that the engine goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status import log
from crisp_status.core.events import Delivered, Dropped, NotDelivered, Retried
from crisp_status.core.model import State
from crisp_status.core.step import step
from crisp_status.core.world import World

if TYPE_CHECKING:
    from crisp_status.store import Recovered

OF_OUTBOX: Final = (Delivered, NotDelivered, Dropped, Retried)
"""What names messages by numbers that may be other ones behind a damage: better to tell something twice than never."""


def replayed(found: Recovered) -> World:
    """The snapshot with every event since. Takes a second for 100,000 events: not for the loop."""
    world = World(found.state or State())
    for _, event in found.events:
        step(world, event)
    return _taken_over(world, found) if found.salvaged else world


def _taken_over(world: World, found: Recovered) -> World:
    """The same with what lies behind a damage; as it was before it when that does not fit at all."""
    before = msgspec.json.encode(world.state)
    try:
        for event in found.salvaged:
            if not isinstance(event, OF_OUTBOX):
                step(world, event)
    except Exception as error:
        log.get().warning("events behind a damage do not fit and are left out", error=type(error).__name__)
        return World(msgspec.json.decode(before, type=State))
    return world
