"""From the first failed attempt to the receiver's hands, with thousands of healthy replicas watched beside it.

One target begins to answer 503; the time from its first 503 to the message is measured, less what was asked for: the
retries and the grouping wait. Another receiver hangs in every attempt, and must cost nothing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks.targets import answering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.harness import Row, Settings

MOST = 1.0
"""Seconds beyond retries and grouping wait (issue 4)."""

RETRY, RETRY_WAIT, GROUP_WAIT, INTERVAL = 2, 0.5, 10.0, 2.3
SETTLE_SECONDS = 15.0
"""First looks are spread over ten seconds."""

CONFIG = """
[[services]]
name = "Victim"
[[services.nodes]]
name = "Victim"
replicas = ["http://127.0.0.1:{port}/victim"]
interval = {interval}
retry = {retry}
retry_wait = {retry_wait}
[notify]
group_wait = {group_wait}
reminder_interval = 0
flap_changes = 100
[[notifiers]]
type = "slack"
id = "told"
hook_url = "http://127.0.0.1:{port}/told"
[[notifiers]]
type = "slack"
id = "hangs"
hook_url = "http://127.0.0.1:{port}/hangs"
"""


class Ends:
    """Both ends of an alert: the target that fails, and the receivers."""

    def __init__(self) -> None:
        self.ill = False
        self.failed_at = 0.0
        """When it first answered 503 in this outage."""
        self.told: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self.hanging = 0
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve all of them on one port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            status = "200 OK"
            if b" /hangs" in head:
                self.hanging += 1
                await reader.read()
            elif b" /told" in head:
                at = time.monotonic()
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
                self.told.put_nowait((at, await reader.readexactly(length)))
            elif self.ill:
                self.failed_at = self.failed_at or time.monotonic()
                status = "503 Down"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async def says(self, words: bytes, limit: float) -> float:
        """When the receiver was told with these words."""
        async with asyncio.timeout(limit):
            while True:
                at, body = await self.told.get()
                if words in body:
                    return at


async def outages(ends: Ends, count: int, limit: float) -> list[float]:
    """Seconds from the first 503 to the message, in so many outages, one after the other."""
    found = []
    for number in range(count):
        # Not in step with the looks and ticks of the daemon.
        await asyncio.sleep(INTERVAL * number / count)
        ends.failed_at, ends.ill = 0.0, True
        at = await ends.says(b"Victim is down", limit)
        found.append(at - ends.failed_at)
        ends.ill = False
        await ends.says(b"Victim is back", limit)
    return found


async def once(replicas: int, count: int, group_wait: float) -> tuple[list[float], int]:
    """One daemon; the latencies, and how often the other receiver hung."""
    ends = Ends()
    async with ends.open():
        with harness.folder() as folder, answering("http") as targets:
            port = configs.free_port()
            config = configs.write(folder, replicas, configs.address(targets), interval=120.0, port=port)
            more = CONFIG.format(
                port=ends.port, interval=INTERVAL, retry=RETRY, retry_wait=RETRY_WAIT, group_wait=group_wait
            )
            config.write_text(config.read_text() + more)
            # Entered in a thread: it waits for the page, and the targets here must answer meanwhile.
            running = configs.daemon(config, port)
            await asyncio.to_thread(running.__enter__)
            try:
                await asyncio.sleep(SETTLE_SECONDS)
                found = await outages(ends, count, group_wait + 30)
            finally:
                await asyncio.to_thread(running.__exit__, None, None, None)
    return found, ends.hanging


def measure(settings: Settings) -> list[Row]:
    """What the message was late by."""
    replicas, count, group_wait = (2_000, 3, 2.0) if settings.quick else (10_000, 8, GROUP_WAIT)
    found, hung = asyncio.run(once(replicas, count, group_wait))
    asked = RETRY * RETRY_WAIT + group_wait
    beyond = sorted(latency - asked for latency in found)
    note = f"{count} outages, longest {beyond[-1]:.2f} s; the other receiver hung {hung} times"
    row = harness.limited(f"{replicas:,} replicas: alert later than retries and group_wait by", beyond, "s", MOST, note)
    row.reached = beyond[-1] < MOST
    whole = harness.limited(f"  first failed attempt to the receiver, group_wait {group_wait:g} s", found, "s")
    return [row, whole]
