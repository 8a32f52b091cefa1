"""From what a store recovered to the world that the engine goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core.model import State
from crisp_status.core.step import step
from crisp_status.core.world import World

if TYPE_CHECKING:
    from crisp_status.store import Recovered


def replayed(found: Recovered) -> World:
    """The snapshot with every event since. Takes a second for 100,000 events: not for the loop."""
    world = World(found.state or State())
    for _, event in found.events:
        step(world, event)
    return world
