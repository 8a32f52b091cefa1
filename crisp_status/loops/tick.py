"""Once a second: tell the core that time passed. What is due is the core's to decide."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from crisp_status.core.events import Ticked

if TYPE_CHECKING:
    from crisp_status.engine import Engine

TICK_SECONDS: Final = 1.0


async def run(engine: Engine) -> None:
    """Tick until cancelled, on a phase of its own: the length of a tick makes no drift."""
    loop = asyncio.get_running_loop()
    planned = loop.time()
    while True:
        await engine.submit(Ticked())
        planned = max(planned + TICK_SECONDS, loop.time() - TICK_SECONDS)
        await asyncio.sleep(max(0.0, planned - loop.time()))
