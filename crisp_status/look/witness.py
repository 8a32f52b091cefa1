"""Does our own network work? Witnesses find out; when all of them are silent, it does not (DESIGN section 6, "Unknown").

A network that came back just before the witnesses were asked made the same silence as a dead target. So who is newly silent
is dead only by an attempt that began after a witness had answered. That takes no time where there are retries: the
witnesses are asked in the pause before the last of them.

A witness is live once it has answered since the start. Others say nothing by their silence: on an isolated network, or
behind a firewall that drops their packets, they never answer, and nobody's death must be held for that.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Iterable, Sequence
from enum import Enum
from math import inf
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from crisp_status import kinds
from crisp_status.clock import Clock
from crisp_status.config.sections import GATEWAY
from crisp_status.look.once import Policy, attempt
from crisp_status.net.attempt import Attempt
from crisp_status.net.errors import ProbeError, Unknowable

WITNESS_WAIT: Final = 5.0
"""Seconds that a witness has: it is asked when something looks wrong, and the answer is waited for."""

RETRY_WAIT: Final = 0.2
"""Seconds before a silent witness is asked once more: one packet may get lost."""

RECENT_SECONDS: Final = 5.0
"""How long an answer of the witnesses counts where any recent one will do, so that a thousand dead ask them once."""

ROUTES: Final = "/proc/net/route"
"""The IPv4 routes of this host, see proc(5)."""


class Network(Enum):
    """What the witnesses found together."""

    WORKS = "works"
    SILENT = "silent"
    BUSY = "busy"
    """We could not ask just now: too many open files, or we stood still."""
    UNSURE = "unsure"
    """There is none that we can ask: no witness, no permission to ping."""


PASSING: Final = frozenset({"limit", "stall"})
"""Errors of ours that will be over; until then a witness finds out nothing."""

OF_NETWORK: Final = frozenset({"network", "resolver"})
"""Errors of ours that a witness without a network meets."""


def gateway(routes: str = ROUTES) -> str:
    """The address of the default gateway of this host; "" when it has none."""
    try:
        lines = Path(routes).read_text("ascii", "replace").splitlines()[1:]
    except OSError:
        return ""
    for line in lines:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000" and fields[2] != "00000000":
            return socket.inet_ntoa(struct.pack("=L", int(fields[2], 16)))
    return ""


class Witnesses:
    """The witnesses of one daemon or agent. Those who ask at the same time share one question."""

    def __init__(self, urls: Sequence[str], clock: Clock, *, wait: float = WITNESS_WAIT, routes: str = ROUTES) -> None:
        """`urls` as in `[witness]`; `wait` is what each has to answer, in seconds."""
        self.urls = urls
        self._clock = clock
        self._wait = wait
        self._routes = routes
        self._answered: set[str] = set()
        self._asking: asyncio.Task[Network] | None = None
        self._asked_at = -inf

    @property
    def live(self) -> bool:
        """Whether one has answered since the start, so that silence of all means something."""
        return bool(self._answered)

    async def introduce(self) -> None:
        """Ask those that have not answered yet: from its first answer on a witness counts."""
        await asyncio.gather(*(self._ask(url) for url in self.urls if url not in self._answered))

    async def recent(self) -> Network:
        """What they found a moment ago, or find now."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked_at > RECENT_SECONDS):
            return await self._fresh()
        return await asyncio.shield(self._asking)

    async def prove(self) -> None:
        """Return when the network works from now on: the answer to an older question is as good when it comes now.

        Raises `Unknowable` when all live witnesses are silent, or cannot be asked just now.
        """
        asking = self._asking
        found = await (self._fresh() if asking is None or asking.done() else asyncio.shield(asking))
        if found is Network.SILENT:
            raise Unknowable("our own network is gone: every witness is silent", "witness")
        if found is Network.BUSY:
            raise Unknowable("no witness can be asked whether our own network works", "limit")

    def _fresh(self) -> Awaitable[Network]:
        self._asked_at = asyncio.get_running_loop().time()
        self._asking = asyncio.create_task(self.network())
        return asyncio.shield(self._asking)

    async def network(self) -> Network:
        """Ask all at once; the first that answers ends it. Without a live witness: unsure.

        The gateway counts only while no other witness is live: it still answers when the line behind it is cut.
        """
        deciding = self._answered - {GATEWAY} or set(self._answered)
        tasks = {asyncio.create_task(self._ask(url)): url for url in self.urls}
        causes: set[str] = set()
        try:
            for done in asyncio.as_completed(tasks):
                url, cause = await done
                if url in deciding or (not cause and url != GATEWAY):
                    if not cause:
                        return Network.WORKS
                    causes.add(cause)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if causes & PASSING:
            return Network.BUSY
        return Network.SILENT if causes and causes <= OF_NETWORK else Network.UNSURE

    async def _ask(self, url: str) -> tuple[str, str]:
        """The witness, and why nothing came from it; "" when it answered. A refusal is an answer, too."""
        cause = "missing"
        for address in self._addresses(url):
            cause = await self._one(address)
            if cause == "network":
                await asyncio.sleep(RETRY_WAIT)
                cause = await self._one(address)
            if not cause:
                self._answered.add(url)
                break
        return url, cause

    def _addresses(self, url: str) -> Iterable[str]:
        if url != GATEWAY:
            return (url,)
        found = gateway(self._routes)
        # Where pings are not allowed, the refusal of a port is as good an answer.
        return (f"icmp://{found}", f"tcp://{found}:53") if found else ()

    async def _one(self, address: str) -> str:
        kind = kinds.probes()[kinds.scheme_owner()[urlsplit(address).scheme]]
        policy = Policy(delay_dead=self._wait, delay_sick=self._wait)
        try:
            await attempt(Attempt(self._clock, []), kind, address, kind.Options(), policy)
        except ProbeError as error:
            return "network" if error.silent else ""
        except Unknowable as error:
            return error.cause
        return ""
