"""What repeats for ever: look at the state, do what is due, submit what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

FINISH_SECONDS: Final = 1.5
"""What is in flight when the daemon stops has this long; a stop takes less than five seconds in all."""


async def finish(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Let tasks end for at most `FINISH_SECONDS`, then cancel them."""
    left = [task for task in tasks if not task.done()]
    if not left:
        return
    _, late = await asyncio.wait(left, timeout=FINISH_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
