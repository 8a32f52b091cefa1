"""A real daemon in this process, on port 0 and a folder of its own, for tests that see it from outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import aiohttp

from crisp_status import kinds
from crisp_status.app import App
from crisp_status.app.daemon import Host
from crisp_status.clock import Clock
from crisp_status.config.load import load
from tests.receivers import loopback

BASE = """
[page]
name = "Acme"
url = "http://127.0.0.1:1/"
[server]
listen = ["127.0.0.1:0"]
state = "state"
reporter_token = "reporter-token"
manager_token = "manager-token"
[poll]
interval = 1
retry = 1
retry_wait = 0.05
delay_dead = 1
[notify]
group_wait = 0.2
"""


@contextlib.asynccontextmanager
async def daemon(folder: Path, config: str, clock: Clock | None = None) -> AsyncIterator[App]:
    """`BASE` and `config`, started; the folder keeps the state, so that a second one in it goes on."""
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(BASE + config)
    async with started(folder / "config.toml", clock) as app:
        yield app


@contextlib.asynccontextmanager
async def started(
    file: Path, clock: Clock | None = None, environ: Mapping[str, str] | None = None
) -> AsyncIterator[App]:
    """A daemon with a configuration that is there already; `environ` fills in its variables."""
    host = Host(reachable=loopback, **({"clock": clock} if clock else {}))
    app = App(load(file, kinds.rooms(), environ or {}), host=host)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


async def get(app: App, path: str, **headers: str) -> tuple[int, str]:
    """Status and text of a GET."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{app.bound[0]}{path}", headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until it holds; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[int]:
    """A TCP target that accepts; gone at the end."""

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
