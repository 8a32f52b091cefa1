"""A report that was answered with 200 is not forgotten by a crash, when it said something new."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.app import App
from crisp_status.app.daemon import Host
from crisp_status.config.load import load
from crisp_status.store.file_store import FileStore
from tests.daemon import BASE

CONFIG = """
[[services]]
name = "Web"
[[services.nodes]]
name = "API"
mode = "push"
[[services.nodes]]
name = "Backup"
mode = "push"
heartbeat = "backup-token-of-thirty-characters"
interval = 60
"""


class SlowStore(FileStore):
    """A store whose fsync ends when `end` is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.end = asyncio.Event()
        self.end.set()

    async def sync(self) -> None:
        await self.end.wait()
        await super().sync()


@pytest.fixture
async def app(tmp_path: Path):
    """A daemon on such a store."""
    (tmp_path / "config.toml").write_text(BASE + CONFIG)
    config = load(tmp_path / "config.toml", kinds.rooms(), {})
    made = App(config, host=Host(store=lambda config: SlowStore(config.state_folder)))
    await made.start()
    yield made
    await made.stop()


async def report(app: App, cpu: float) -> int:
    """A push of one replica; the status."""
    body = {"replica_id": "a", "interval": 30, "load": {"cpu": cpu, "ram": 0.1}}
    token = {"Authorization": aiohttp.encode_basic_auth("", "reporter-token")}
    async with (
        aiohttp.ClientSession(headers=token) as session,
        session.post(f"http://{app.bound[0]}/v1/report/web/api", json=body) as answer,
    ):
        return answer.status


async def ping(app: App, word: str) -> int:
    """A heartbeat; the status."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{app.bound[0]}/ping/backup-token-of-thirty-characters{word}") as answer,
    ):
        return answer.status


async def waits(app: App, answer: asyncio.Task[int]) -> bool:
    """Whether an answer comes only after the fsync, which is held up until it has had time to come without."""
    store = app.store
    assert isinstance(store, SlowStore)
    done, _ = await asyncio.wait([answer], timeout=1.0)
    store.end.set()
    assert await answer == 200
    return not done


@pytest.mark.parametrize(
    ("before", "says", "late"),
    [
        (None, "report 0.1", True),
        ("report 0.1", "report 0.2", False),
        ("report 0.1", "report 0.99", True),
        ("report 0.99", "report 0.1", True),
        (None, "ping /fail", True),
        ("ping /fail", "ping ", True),
        ("ping ", "ping /1", True),
    ],
)
async def test_what_is_new_waits_for_the_disk(app: App, before: str | None, says: str, late: bool) -> None:
    """Another health, a first report and a failure are on disk before they are answered; a steady report is answered at once."""
    for line, held_up in ((before, False), (says, True)):
        if line is None:
            continue
        kind, _, value = line.partition(" ")
        if held_up:
            await app.engine.read()
            app.store.end.clear()
        answer = asyncio.create_task(report(app, float(value)) if kind == "report" else ping(app, value))
        if held_up:
            assert await waits(app, answer) is late
        else:
            assert await answer == 200
