"""A real `crisp-status run` in a process of its own, on a unix socket in its folder, for tests that kill it or start it wrongly.

async with Process(folder, config) as one: await one.ready() … await one.ask("GET", "/healthz") … one.kill()
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp

COMMAND = (sys.executable, "-m", "crisp_status")
ROOT = Path(__file__).resolve().parents[1]
TOKEN = {"Authorization": aiohttp.encode_basic_auth("", "manager-token")}

FAULTS = {"PYTHONFAULTHANDLER": "1"}
"""SIGABRT then tells where it hangs."""

BASE = """
[page]
name = "Acme"
url = "http://127.0.0.1:1/"
[server]
listen = ["unix:{folder}/http.sock"]
state = "state"
reporter_token = "reporter-token"
manager_token = "manager-token"
"""


class Process:
    """One start of the daemon. `log` has its lines as they came, decoded where they are JSON."""

    def __init__(self, folder, config=None, *, environ=None, wrap=(), command="run", fds=()):
        """`config` follows `BASE`; None: the file is there already. `wrap` goes before the command."""
        self.folder = Path(folder)
        self.path = self.folder / "config.toml"
        if config is not None:
            self.folder.mkdir(exist_ok=True)
            self.path.write_text(BASE.format(folder=self.folder) + config)
        self.line = [*wrap, *COMMAND, command, "-c", str(self.path)]
        self.environ = (
            FAULTS | {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)} | (environ or {})
        )
        self.fds = fds
        self.log = []
        self.raw = bytearray()

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.line,
            env=self.environ,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**22,
            pass_fds=self.fds,
        )
        self.reading = asyncio.create_task(self._read())
        return self

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        self.kill()
        await self.ended()

    async def _read(self):
        async for line in self.process.stdout:
            self.raw += line
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"level": "text", "event": line.decode("utf-8", "replace").rstrip()})

    @property
    def text(self):
        """All that it printed."""
        return self.raw.decode("utf-8", "replace")

    def events(self, *levels):
        """What it logged, of these levels."""
        return [line["event"] for line in self.log if line.get("level") in levels]

    def signal(self, number=signal.SIGTERM):
        """To this process, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)

    async def ended(self, seconds=15.0):
        """Its exit code; everything it printed has been read."""
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            await self.reading
        return code

    async def says(self, words, seconds=15.0):
        """Wait until it logs an event with these words; the line. What it does instead is in the failure."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            for line in self.log:
                if words in line["event"]:
                    return line
            if self.process.returncode is not None and self.reading.done():
                raise AssertionError(f"it ended without {words!r}:\n{self.text}")
            await asyncio.sleep(0.01)
        self.signal(signal.SIGABRT)
        await self.ended()
        raise AssertionError(f"it did not say {words!r} within {seconds:g} s:\n{self.text}")

    async def ready(self, seconds=20.0):
        """Wait until the page is served."""
        await self.says("page is served", seconds)
        return self

    async def ask(self, method, path, body=None, headers=None, seconds=10.0):
        """Status and JSON (or text) of a request with the manager token. Raises `OSError` or `TimeoutError`."""
        connector = aiohttp.UnixConnector(str(self.folder / "http.sock"))
        try:
            async with (
                asyncio.timeout(seconds),
                aiohttp.ClientSession(connector=connector, headers=headers or TOKEN) as session,
                session.request(method, f"http://localhost{path}", json=body, allow_redirects=False) as answer,
            ):
                text = await answer.text()
                return answer.status, json.loads(text) if text.startswith(("{", "[")) else text
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error
