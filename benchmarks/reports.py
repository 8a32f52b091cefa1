"""How many reports a second: our doors against a bare aiohttp handler, keep-alive and a new connection for each.

    python benchmarks/reports.py [SECONDS]

Server and load generator are processes of their own; `bare` answers 200 without looking at the request, `doors` is the
whole daemon (tokens, limits, decoding, the engine with its journal).
"""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

TOKEN = "benchmark-reporter-token"
CONNECTIONS = 64
REPLICAS = 500
BASIC = base64.b64encode(f":{TOKEN}".encode()).decode()


def request(replica: int, *, keep: bool) -> bytes:
    body = b'{"replica_id": "10.0.%d.%d", "interval": 30, "load": {"cpu": 0.21, "ram": 0.42}}' % divmod(replica, 256)
    lines = [
        "POST /v1/report/web/api HTTP/1.1",
        "Host: localhost",
        f"Authorization: Basic {BASIC}",
        "Content-Type: application/json",
        "Accept: application/vnd.crisp-status+json" if keep else "Accept: application/json",
        f"Content-Length: {len(body)}",
        *([] if keep else ["Connection: close"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Client(asyncio.Protocol):
    """Sends one request after the other; an answer is whole when its header block is, for none has a body."""

    done = 0
    wrong = 0

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop, port: int, *, keep: bool) -> None:
        self.number, self.loop, self.port, self.keep = number, loop, port, keep
        self.requests = [request(r, keep=keep) for r in range(number % REPLICAS, REPLICAS, CONNECTIONS)] or [
            request(0, keep=keep)
        ]
        self.at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        self.at += 1
        self.transport.write(self.requests[self.at % len(self.requests)])  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            Client.wrong += 1
        Client.done += 1
        if self.keep:
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.loop.is_closed() and not self.keep:
            self.loop.create_task(self.again())

    async def again(self) -> None:
        await self.loop.create_connection(lambda: self, "127.0.0.1", self.port)


def cpu(process: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(port: int, server: int, seconds: float, answer: multiprocessing.Queue, *, keep: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in range(CONNECTIONS):
        await loop.create_connection(lambda n=number: Client(n, loop, port, keep=keep), "127.0.0.1", port)
    await asyncio.sleep(0.5)
    Client.done = 0
    began, used = time.perf_counter(), cpu(server)
    await asyncio.sleep(seconds)
    spent = (cpu(server) - used) / Client.done * 1e6
    answer.put((Client.done / (time.perf_counter() - began), spent, Client.wrong))
    await asyncio.sleep(60)


def generate(port: int, server: int, seconds: float, keep: bool, answer: multiprocessing.Queue) -> None:
    asyncio.run(load(port, server, seconds, answer, keep=keep))


def bare(ready: multiprocessing.Queue) -> None:
    from aiohttp import web

    async def handle(request: web.Request) -> web.Response:
        return web.Response()

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/report/{service}/{node}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.put(site._server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


def doors(ready: multiprocessing.Queue) -> None:
    from crisp_status import kinds, log
    from crisp_status.app import App
    from crisp_status.config.load import load as load_config

    async def main() -> None:
        log.configure(level="error")
        file = Path(tempfile.mkdtemp()) / "config.toml"
        file.write_text(
            '[page]\nname = "Bench"\nurl = "http://localhost/"\n[server]\nlisten = ["127.0.0.1:0"]\n'
            f'reporter_token = "{TOKEN}"\n[[services]]\nname = "Web"\n[[services.nodes]]\nname = "API"\nmode = "push"\n'
        )
        app = App(load_config(file, kinds.rooms(), {}))
        await app.start()
        ready.put(int(app.bound[0].rpartition(":")[2]))
        await asyncio.Event().wait()

    asyncio.run(main())


def measure(server, seconds: float, *, keep: bool) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    ready, answer = context.Queue(), context.Queue()
    serving = context.Process(target=server, args=(ready,), daemon=True)
    serving.start()
    loading = context.Process(target=generate, args=(ready.get(), serving.pid, seconds, keep, answer), daemon=True)
    loading.start()
    rate, spent, wrong = answer.get()
    assert not wrong, f"{wrong} answers were not 200"
    for process in (serving, loading):
        process.kill()
        process.join()
    return rate, spent


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    for keep, how in ((True, "keep-alive"), (False, "new connection each")):
        seen = {"bare": [], "doors": []}
        for _ in range(5):
            for server in (bare, doors):
                seen[server.__name__].append(measure(server, seconds, keep=keep))
        for number, unit in ((0, "reports/s"), (1, "µs of CPU each")):
            base, ours = (sorted(run[number] for run in seen[name])[2] for name in ("bare", "doors"))
            print(f"{how}: bare {base:.0f}, doors {ours:.0f} {unit}, {ours / base:.2f} of bare")


if __name__ == "__main__":
    main()
