"""Does our own network work? Ask the witnesses; when all are silent, it does not (DESIGN section 6, "Unknown")."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from urllib.parse import urlsplit

from crisp_status import kinds
from crisp_status.clock import Clock
from crisp_status.probes._look import Look, look

WITNESS_WAIT = 5.0
"""Seconds that a witness has: it is asked when something looks wrong, and the answer is waited for."""

SILENT = frozenset({"no_answer", "unreachable", "name"})
"""Reasons that fit a network of ours that is gone. Any other answer, also a refusal, came through it."""


class Network(Enum):
    """What the witnesses say together."""

    WORKS = "works"
    SILENT = "silent"
    UNSURE = "unsure"
    """We could not ask: too many open files, no permission to ping."""


async def network(urls: Sequence[str], clock: Clock, *, wait: float = WITNESS_WAIT) -> Network:
    """Ask all witnesses at once; the first that answers ends it. No witness at all: unsure."""
    asked = [asyncio.create_task(_ask(url, clock, wait)) for url in urls]
    unsure = not asked
    try:
        for answer in asyncio.as_completed(asked):
            seen = await answer
            if seen.health is None:
                unsure = unsure or seen.cause not in {"network", "resolver"}
            elif seen.reason.code not in SILENT:
                return Network.WORKS
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return Network.UNSURE if unsure else Network.SILENT


async def _ask(url: str, clock: Clock, wait: float) -> Look:
    kind = kinds.probes()[kinds.scheme_owner()[urlsplit(url).scheme]]
    return await look(kind, url, kind.Options(), retry=1, retry_wait=0.2, delay_dead=wait, delay_sick=wait, clock=clock)
