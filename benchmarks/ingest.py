"""Taking reports: the whole daemon (tokens, limits, decoding, engine, journal) against a bare aiohttp handler.

Both get the same requests from wrk, with the reports of 500 replicas in turn.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks.page import CLOSE, Server, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.harness import Row, Settings

LEAST = 0.9
"""SPEED section 3."""

OURS = "Accept: application/vnd.crisp-status+json"
"""Only our own clients may keep their connection: see PROTOCOLS section 1.3."""

PATH = "v1/report/service-0/node-0"

PUSH = """[page]
name = "Acme Status"
url = "http://127.0.0.1/"
[server]
listen = ["127.0.0.1:{port}"]
log_level = "error"
reporter_token = "{token}"
[[services]]
id = "service-0"
name = "The service"
[[services.nodes]]
id = "node-0"
name = "The node"
mode = "push"
"""

LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Basic {basic}"
local count = 0
function request()
  count = count + 1
  local replica = count % 500
  local body = string.format('{{"replica_id": "10.0.0.%d", "interval": 30, "load": {{"cpu": 0.21, "ram": 0.42}}}}', replica)
  return wrk.format(nil, nil, nil, body)
end
"""


def missing() -> str:
    """What must be installed first."""
    from benchmarks.page import missing as lacks

    return lacks()


def bare(port: int) -> None:
    """An aiohttp application whose handler answers 200 and looks at nothing."""
    from aiohttp import web

    async def handle(request: web.Request) -> web.Response:
        return web.Response()

    loop = (harness.loop_factory() or asyncio.new_event_loop)()
    app = web.Application()
    app.router.add_post("/v1/report/{service}/{node}", handle)
    app.router.add_get("/", handle)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=loop)


@contextmanager
def reference() -> Iterator[Server]:
    """The bare handler in a process of its own, on the first core."""
    port = configs.free_port()
    code = f"from benchmarks.ingest import bare; bare({port})"
    with harness.running([sys.executable, "-c", code], 0) as process:
        configs.wait_for(port, process)
        yield Server("aiohttp", process.pid, f"http://127.0.0.1:{port}/")


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    """The daemon."""
    port = configs.free_port()
    config = folder / "config.toml"
    config.write_text(PUSH.format(port=port, token=configs.TOKEN))
    with configs.daemon(config, port) as daemon:
        yield Server("ours", daemon.pid, f"http://127.0.0.1:{port}/")


def measure(settings: Settings) -> list[Row]:
    """Kept connections, and a new one for each report."""
    rows: list[Row] = []
    with harness.folder() as folder, ours(folder) as we, reference() as they:
        lua = folder / "report.lua"
        lua.write_text(LUA.format(basic=base64.b64encode(f":{configs.TOKEN}".encode()).decode()))
        for server in (we, they):  # to warm up
            load(server, 1.0, OURS, path=PATH, lua=lua)
        for name, field in (("keep-alive", OURS), ("new connections", CLOSE)):
            found = harness.alternate(
                settings.rounds,
                {
                    "ours": lambda field=field: load(we, settings.seconds, field, path=PATH, lua=lua),
                    "aiohttp": lambda field=field: load(they, settings.seconds, field, path=PATH, lua=lua),
                },
            )
            rows.append(harness.rated(f"reports, {name}", found["ours"], found["aiohttp"], "bare aiohttp", LEAST))
    return rows
