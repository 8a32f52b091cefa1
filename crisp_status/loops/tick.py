"""Once a second, and when a grouping wait ends: tell the core that time passed. What is due is the core's to decide.

What it holds back is logged with the reason, once: an operator who wonders why nobody was told finds the answer there.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.core.events import Ticked

if TYPE_CHECKING:
    from crisp_status.core.model import State
    from crisp_status.engine import Engine

TICK_SECONDS: Final = 1.0
"""Silence, reminders and windows are noticed within this; the end of a grouping wait has a tick of its own."""

STALL_SECONDS: Final = 2.0
"""A tick that is this late means that the process stood still (SIGSTOP, swap, a frozen machine): nobody was silent then."""

MARGIN_SECONDS: Final = 0.002
"""So that the wait is over when the tick is stamped, whatever the two clocks round."""

EXPLAIN_TICKS: Final = 5
"""How often what is held back is looked at."""

EXPLAINED_MAX: Final = 100
"""Lines at once: the death of a rack is one story, not a thousand lines."""


async def run(engine: Engine) -> None:
    """Tick until cancelled, on a phase of its own: the length of a tick makes no drift."""
    loop = asyncio.get_running_loop()
    planned = before = loop.time()
    told: set[tuple[str, ...]] = set()
    ticks = 0
    while True:
        late = loop.time() - before - TICK_SECONDS
        before = loop.time()
        await engine.submit(Ticked(stood_still=round(late, 3) if late > STALL_SECONDS else 0.0))
        ticks += 1
        if ticks % EXPLAIN_TICKS == 0:
            told = await _explain(engine, told)
        planned = max(planned + TICK_SECONDS, loop.time() - TICK_SECONDS)
        while (wait := planned - loop.time()) > 0.0:
            early = _next_wait(engine.peek(), engine.clock.now())  # `peek`: it only says how long to sleep
            if early >= wait:
                await asyncio.sleep(wait)
                break
            # An alert does not wait for the second to be full.
            await asyncio.sleep(early + MARGIN_SECONDS)
            await engine.submit(Ticked())
        else:
            await asyncio.sleep(0)


def _next_wait(state: State, now: float) -> float:
    """Seconds until the next grouping wait ends, of those that are known; infinite when none runs."""
    waits = (state.hooked.settle_at, *(incident.settle_at for incident in state.open.values()))
    return min((at - now for at in waits if at > now), default=math.inf)


async def _explain(engine: Engine, told: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Log what is held back now and was not a moment ago; what is held back now."""
    await engine.read()
    held = {(str(number), *why) for number, *why in engine.held()}
    for incident, notifier, node, reason in sorted(held - told)[:EXPLAINED_MAX]:
        log.get().info("notice held back", incident=incident, notifier=notifier, node=node, reason=reason)
    return held
