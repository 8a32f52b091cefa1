"""Now and then: write the whole state down, so that a restart replays little."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crisp_status.engine import Engine
    from crisp_status.store import Store

SAVE_SECONDS: Final = 900.0
"""At most this much of volatile detail (latencies, last looks) is lost in a crash."""

JOURNAL_BYTES: Final = 16 * 2**20
"""A journal of this size replays in about a second; then a snapshot comes earlier."""

REPLAYED_MAX: Final = 10_000
"""A start that replayed so many events, a tenth of a second of work, is saved at once: whoever is killed again and again
before the first save would replay more each time."""

CHECK_SECONDS: Final = 5.0
"""How often it is looked whether a snapshot is due; the two limits above are no more exact than that."""


async def run(engine: Engine, store: Store, replayed: int = 0) -> None:
    """Save until cancelled. `replayed`: events that this start found after the last snapshot."""
    if replayed >= REPLAYED_MAX:
        await engine.snapshot()
    loop = asyncio.get_running_loop()
    saved = loop.time()
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        await engine.look_for_room()
        if loop.time() - saved >= SAVE_SECONDS or store.journal_bytes >= JOURNAL_BYTES:
            await engine.snapshot()
            saved = loop.time()
