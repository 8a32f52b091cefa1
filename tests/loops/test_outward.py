"""The dead man's ping: it comes while we work, and only then."""

from __future__ import annotations

import asyncio

from crisp_status.clock import SystemClock
from crisp_status.config.sections import HeartbeatSection
from crisp_status.loops.outward import Outward
from crisp_status.net import tools as net_tools
from tests.fakes import FakeEngine
from tests.probes.servers import http, talking


class Saving(FakeEngine):
    """Its disk works, or hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = asyncio.Event()
        self.saved.set()

    async def read(self):
        """When it is saved."""
        await self.saved.wait()
        return self.state


async def test_it_is_heard_while_we_work_and_only_then() -> None:
    """A real receiver: a ping an interval; none while the disk refuses or nothing comes back from it; then again."""
    heard: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        writer.write(http())

    async def until(count: int) -> None:
        while len(heard) < count:
            await asyncio.sleep(0.01)

    engine = Saving()
    async with net_tools.opened(), talking(talk) as server:
        outward = Outward(engine, SystemClock())  # type: ignore[arg-type]
        work = asyncio.create_task(outward.run())
        outward.configure(HeartbeatSection.model_validate({"url": server.url("/ping/secret"), "interval": 1.0}))
        await until(2)
        engine.trouble = "no space left"
        outward.configure(HeartbeatSection.model_validate({"url": server.url("/ping/secret"), "interval": 1.0}))
        await asyncio.sleep(0.1)
        before = len(heard)
        await asyncio.sleep(1.5)
        assert len(heard) == before
        engine.trouble = ""
        await until(before + 1)
        outward.configure(None)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    assert set(heard) == {"GET /ping/secret HTTP/1.1"}
