"""A dead man's ping: somebody else hears from us as long as we work, and raises the alarm when we do not.

We work while the engine answers and the disk takes what it decides. A daemon that stands still, cannot save or is gone sends
nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from crisp_status import kinds, log
from crisp_status.config.addresses import masked
from crisp_status.core.model import Health
from crisp_status.look.once import Policy
from crisp_status.look.policy import look

if TYPE_CHECKING:
    from crisp_status.clock import Clock
    from crisp_status.config.sections import HeartbeatSection
    from crisp_status.engine import Engine

ENGINE_SECONDS: Final = 5.0
"""How long the engine may take to say that all it decided is on disk."""

POLICY: Final = Policy(retry=1, retry_wait=2.0)
"""One answer that was lost on the way should wake nobody."""


class Outward:
    """`configure` may be called again at any time."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._section: HeartbeatSection | None = None
        self._changed = asyncio.Event()
        self._silent = False

    def configure(self, section: HeartbeatSection | None) -> None:
        """Ping there from now on; nowhere without a section."""
        self._section = section
        self._changed.set()

    async def run(self) -> None:
        """Ping until cancelled."""
        while True:
            self._changed.clear()
            section = self._section
            if section is not None and await self._works():
                await self._ping(section)
            try:
                async with asyncio.timeout(section.interval if section is not None else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _works(self) -> bool:
        if self._engine.trouble:
            return False
        try:
            async with asyncio.timeout(ENGINE_SECONDS):
                await self._engine.read()
        except TimeoutError:
            return False
        return True

    async def _ping(self, section: HeartbeatSection) -> None:
        kind = kinds.probes()["http"]
        url = section.url.get_secret_value()
        options = kind.Options.model_validate({"method": "GET", "follow_redirects": True})
        seen = await look(kind, url, options, POLICY, self._clock)
        heard = seen.health in {Health.HEALTHY, Health.SICK}
        if heard == self._silent:  # it changed
            self._silent = not heard
            say = log.get()
            if heard:
                say.info("the heartbeat is heard again", host=_host(url))
            else:
                say.warning("the heartbeat is not heard", host=_host(url), reason=seen.reason.text)


def _host(url: str) -> str:
    """Where it goes, without the path, which is a secret."""
    return masked(url).partition("://")[2].partition("/")[0].rpartition("@")[2]
