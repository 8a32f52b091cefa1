"""A real server of S3-compatible object storage (moto's), and what is in its bucket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from obstore.store import S3Store

SERVER = Path(__file__).parent / ".venv" / "bin" / "moto_server"
HOP = {"connection", "transfer-encoding", "content-length", "date", "server", "content-encoding"}


@dataclass
class Bucket:
    """The bucket `acme-status`, behind a door that writes down what comes and can refuse it."""

    session: aiohttp.ClientSession
    inner: str
    endpoint: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, name of the object, id of the key."""
    answers: list[int] = field(default_factory=list)
    """Statuses that the next uploads get instead of being taken."""
    keys: set[str] = field(default_factory=lambda: {"first"})
    """Ids of keys that open it; what came with any other one is refused with 403."""

    @property
    def put(self) -> list[str]:
        """Names of objects that were uploaded, in order, and forgotten."""
        found = [name for method, name, _ in self.asked if method == "PUT"]
        self.asked.clear()
        return found

    async def handle(self, request: web.Request) -> web.Response:
        """Hand it on to the server."""
        name = request.path.removeprefix("/acme-status").lstrip("/")
        key = request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        if key not in self.keys:
            return web.Response(status=403, text="<Error><Code>InvalidAccessKeyId</Code></Error>")
        if request.method == "PUT" and self.answers and (status := self.answers.pop(0)) != 200:
            return web.Response(status=status)
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP}
        url = f"{self.inner}{request.raw_path}"
        async with self.session.request(request.method, url, data=body, headers=headers) as answer:
            self.asked.append((request.method, name, key))
            passed = {k: v for k, v in answer.headers.items() if k.lower() not in HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=passed)

    @property
    def store(self) -> S3Store:
        """The bucket itself, past the door."""
        return S3Store(
            "acme-status",
            endpoint=self.inner,
            region="eu-1",
            client_options={"allow_http": True},
            access_key_id="reader",
            secret_access_key="reader",
        )

    async def names(self) -> list[str]:
        """Every object."""
        return [one["path"] async for part in self.store.list() for one in part]

    async def get(self, name: str) -> tuple[bytes, str, str]:
        """Content, its type and its Cache-Control."""
        found = await self.store.get_async(name)
        return bytes(await found.bytes_async()), found.attributes["Content-Type"], found.attributes["Cache-Control"]


@contextlib.asynccontextmanager
async def storage() -> AsyncIterator[Bucket]:
    """Start it; skips loudly where it is not installed."""
    if not SERVER.exists():
        pytest.skip("no server of object storage: make storage")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        SERVER, "-H", "127.0.0.1", "-p", str(port), stdout=sys.stderr, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            bucket = Bucket(session, f"http://127.0.0.1:{port}")
            await _created(session, bucket.inner)
            app = web.Application(client_max_size=64 * 1024 * 1024)
            app.router.add_route("*", "/{tail:.*}", bucket.handle)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            bucket.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield bucket
            finally:
                await runner.cleanup()
    finally:
        process.kill()
        await process.wait()


async def _created(session: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.put(f"{url}/acme-status") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
