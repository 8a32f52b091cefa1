"""Many looks at once, for commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from crisp_status import kinds
from crisp_status.clock import Clock
from crisp_status.look.once import Policy
from crisp_status.look.policy import look
from crisp_status.look.result import Look


class LookJob(NamedTuple):
    """One replica to look at once."""

    node: str
    """`service/node`."""
    replica: str
    """Its label for people."""
    kind: str
    """Probe kind by name."""
    target: str
    options: Any
    policy: Policy = Policy()


async def look_all(jobs: Sequence[LookJob], clock: Clock) -> AsyncIterator[tuple[int, Look]]:
    """Look at all of them at once, as far as the limits allow, and yield (index, look) in the order they finish."""
    room = kinds.probes()
    finished: asyncio.Queue[tuple[int, Look]] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    async def one(index: int, job: LookJob) -> None:
        finished.put_nowait((index, await look(room[job.kind], job.target, job.options, job.policy, clock)))

    async def start() -> None:
        # One a turn of the loop: thousands that start in the same instant would hold up the answers of all.
        for index, job in enumerate(jobs):
            tasks.add(asyncio.create_task(one(index, job)))
            await asyncio.sleep(0)

    starter = asyncio.create_task(start())
    try:
        for _ in jobs:
            yield await finished.get()
    finally:
        for task in (starter, *tasks):
            task.cancel()
        await asyncio.gather(starter, *tasks, return_exceptions=True)
