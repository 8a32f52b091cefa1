"""What all doors share: a real daemon in this process, a page that must stay, memory that must not grow."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from crisp_status import log
from crisp_status.app import App
from tests.daemon import daemon
from tests.fuzzing import claim
from tests.reports.world import basic

PAGE_SECONDS = 5.0
"""The page answers within this whatever else goes on. Generous: two cores are shared with other work."""

MANAGER = basic("manager-token")
REPORTER = basic("reporter-token")
BEAT = "0d5c6b2e-9a51-4d3c-8f0e-7a9d1f6b2c3d"

FOREIGN = (b"<script>alert", b"<img src=x", b"\x1b", b"\0", "\u202e".encode(), "\u2066".encode())
"""What the dice say (`dice.WORDS`) and no page may hold as it is."""

CONFIG = f"""
[metrics]
enabled = true
[[operators]]
id = "jane"
name = "Jane"
[[notifiers]]
type = "push"
operators = ["jane"]
[[services]]
name = "Web"
[[services.nodes]]
name = "API"
mode = "push"
reveal_replicas = true
max_replicas = 50
forget_after = 3600
[[services.nodes]]
name = "LAN"
mode = "local"
replicas = ["tcp://127.0.0.1:1", "https://u:pass@intra.example/"]
[[services.nodes]]
name = "Roam"
mode = "local"
reveal_replicas = true
agent = "roamer"
[[services.nodes]]
name = "Beat"
mode = "push"
heartbeat = "{BEAT}"
interval = 3600
"""


class World:
    """`app` is the daemon; `asked` and `slowest` are of the page."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.asked = 0
        self.slowest = 0.0
        host, _, port = app.bound[0].rpartition(":")
        self.address = host, int(port)

    async def ask(self, raw: bytes, seconds: float = 10.0) -> bytes:
        """Send bytes on a connection of their own and read until the other side closes it."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            async with asyncio.timeout(seconds):
                with contextlib.suppress(ConnectionError):
                    writer.write(raw)
                    return await reader.read()
                return b""
        finally:
            writer.close()

    async def page(self) -> float:
        """The page still answers, without markup or marks of direction of anybody who reports; after so many seconds."""
        began = time.perf_counter()
        said = await self.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", PAGE_SECONDS)
        took = time.perf_counter() - began
        self.slowest = max(self.slowest, took)
        self.asked += 1
        claim(said.startswith(b"HTTP/1.1 200 OK\r\n") and said.rstrip().endswith(b"</html>"), "the page:", said[:300])
        for sign in FOREIGN:
            claim(sign not in said, "on the page:", sign, said[max(0, said.find(sign) - 200) :][:400])
        return took


def memory() -> int:
    """Resident bytes of this process after it has given back what is free, so that what stays is held by somebody.

    Without that a leak drowns in what the allocator keeps: 20 MB after a few bombs.
    """
    gc.collect()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # other C libraries have none
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Lines:
    """A stream for our log: counts lines, keeps those that speak of a bug of ours, and checks every line."""

    def __init__(self) -> None:
        self.count = 0
        self.bugs: list[str] = []

    def write(self, text: str) -> int:
        self.count += 1
        body = text.removesuffix("\n")
        if not body.isascii() or not body.isprintable():
            self.bugs.append(f"a log line that is not one line of plain ASCII: {body[:500]!r}")
        # asyncio asks a child that it ends whether it lives still, and may so take the answer from its own watcher.
        if "Unknown child process pid" not in body and any(
            sign in body for sign in ("a bug", "request failed", "Traceback", "never retrieved", '"library": "asyncio"')
        ):
            self.bugs.append(body[:3000])
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[tuple[World, Lines]]:
    """A daemon with a node of every kind that can be told of, and its log."""
    lines = Lines()
    log.configure(level="info", style="json", stream=lines)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        async with daemon(Path(folder) / "daemon", CONFIG) as app:
            yield World(app, Path(folder)), lines
