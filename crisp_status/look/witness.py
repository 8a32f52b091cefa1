"""Does our own network work? Ask the witnesses; when all are silent, it does not (DESIGN section 6, "Unknown").

A network that came back just before the witnesses were asked made the same silence as a dead target. So who is newly silent
is dead only by an attempt that began after a witness had answered. That takes no time where there are retries: the
witnesses are asked in the pause before the last of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from enum import Enum
from math import inf
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crisp_status import kinds
from crisp_status.clock import Clock
from crisp_status.core.model import Health
from crisp_status.look.look import Look, look
from crisp_status.net.contract import Kind, Unknowable

WITNESS_WAIT = 5.0
"""Seconds that a witness has: it is asked when something looks wrong, and the answer is waited for."""

VERDICT_SECONDS = 5.0
"""How long an answer of the witnesses counts where any recent one will do, so that a thousand dead ask them once."""


class Network(Enum):
    """What the witnesses say together."""

    WORKS = "works"
    SILENT = "silent"
    BUSY = "busy"
    """We could not ask just now: too many open files, or we stood still."""
    UNSURE = "unsure"
    """There is none that we can ask: no witness, no permission to ping."""


PASSING = frozenset({"limit", "stall"})
"""Errors of ours that will be over; until then a witness says nothing."""

OF_NETWORK = frozenset({"network", "resolver"})
"""Errors of ours that a witness without a network meets."""


async def network(urls: Sequence[str], clock: Clock, *, wait: float = WITNESS_WAIT) -> Network:
    """Ask all witnesses at once; the first that answers ends it. No witness at all: unsure."""
    asked = [asyncio.create_task(_ask(url, clock, wait)) for url in urls]
    causes: set[str | None] = set()
    try:
        for answer in asyncio.as_completed(asked):
            seen = await answer
            if seen.health is None:
                causes.add(seen.cause)
            elif not seen.silent:
                return Network.WORKS
            else:
                causes.add("network")
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    if causes & PASSING:
        return Network.BUSY
    return Network.SILENT if causes and causes <= OF_NETWORK else Network.UNSURE


async def _ask(url: str, clock: Clock, wait: float) -> Look:
    kind = kinds.probes()[kinds.scheme_owner()[urlsplit(url).scheme]]
    return await look(kind, url, kind.Options(), retry=1, retry_wait=0.2, delay_dead=wait, delay_sick=wait, clock=clock)


class Witnesses:
    """The witnesses of one daemon or agent. Those who ask at the same time share one question."""

    def __init__(self, urls: Sequence[str], clock: Clock) -> None:
        self.urls = urls
        self._clock = clock
        self._asking: asyncio.Task[Network] | None = None
        self._asked_at = -inf

    async def verdict(self) -> Network:
        """What they said just now, or say now."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked_at > VERDICT_SECONDS):
            return await self._ask()
        return await asyncio.shield(self._asking)

    async def alibi(self) -> None:
        """Return when the network works from now on: an answer to an older question is as good when it comes now.

        Raises `Unknowable` when all are silent, or cannot be asked just now.
        """
        asking = self._asking
        said = await (self._ask() if asking is None or asking.done() else asyncio.shield(asking))
        if said is Network.SILENT:
            raise Unknowable("our own network is gone: every witness is silent", "witness")
        if said is Network.BUSY:
            raise Unknowable("no witness can be asked whether our own network works", "limit")

    def _ask(self) -> Awaitable[Network]:
        self._asked_at = asyncio.get_running_loop().time()
        self._asking = asyncio.create_task(network(self.urls, self._clock))
        return asyncio.shield(self._asking)


async def sure_look(
    probe: Kind,
    target: str,
    options: Any,
    *,
    witnesses: Witnesses,
    dead: bool,
    retry: int,
    retry_wait: float,
    delay_dead: float,
    delay_sick: float,
    clock: Clock,
) -> Look:
    """As `look`, and our own network is not the reason of a death: unknown by cause "witness" when it may be.

    `dead`: it was dead before, so one more failure tells nothing new and any recent word of the witnesses will do. So it
    does for a failure that came through the network, such as a refusal.
    """
    newly = bool(witnesses.urls) and not dead
    seen = await look(
        probe,
        target,
        options,
        retry=retry,
        retry_wait=retry_wait,
        delay_dead=delay_dead,
        delay_sick=delay_sick,
        clock=clock,
        alibi=witnesses.alibi if newly else None,
    )
    if seen.health is not Health.DEAD or not witnesses.urls or (newly and seen.silent):
        return seen
    if await witnesses.verdict() is Network.SILENT:
        return msgspec.structs.replace(seen, health=None, cause="witness")
    return seen
