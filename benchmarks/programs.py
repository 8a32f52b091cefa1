"""Status pages of others: how each is told to look at the same targets as ours, and what a visitor asks of it."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import configs
from benchmarks.states import REPLICAS_A_NODE

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from benchmarks.states import Where

NODES = 30
REPLICAS = NODES * REPLICAS_A_NODE
DAY = 86_400
ANSWER_SECONDS = 60.0

VIGIL = """[server]
log_level = "error"
inet = "127.0.0.1:{port}"
manager_token = "bench"
reporter_token = "bench"
[assets]
path = "{assets}"
[branding]
page_title = "Bench"
page_url = "http://127.0.0.1/"
company_name = "Bench"
icon_color = "#1972F5"
icon_url = "http://127.0.0.1/"
logo_color = "#1972F5"
logo_url = "http://127.0.0.1/"
website_url = "http://127.0.0.1/"
support_url = "http://127.0.0.1/"
[metrics]
poll_interval = {day}
[probe]
[[probe.service]]
id = "web"
label = "Web"
"""

VIGIL_NODE = """[[probe.service.node]]
id = "node-{n}"
label = "The node-{n}"
mode = "poll"
replicas = {urls}
"""

GATUS = """web:
  address: 127.0.0.1
  port: {port}
endpoints:
"""

GATUS_REPLICA = """  - name: "{k}"
    group: The node-{n}
    url: {url}
    interval: 24h
    conditions: ["[STATUS] == 200"]
"""

KUMA_MONITOR = {
    "type": "http",
    "method": "GET",
    "interval": DAY,
    "retryInterval": DAY,
    "timeout": 10,
    "maxretries": 0,
    "accepted_statuscodes": ["200-299"],
    "notificationIDList": {},
    "kafkaProducerBrokers": [],
    "kafkaProducerSaslOptions": {"mechanism": "None"},
}


class PeerError(Exception):
    """A program that was given is another one, or does not show what it was told to show."""


@dataclass
class Program:
    """One that is measured: how it is started, what a visitor asks of it."""

    name: str
    version: str
    command: list[str]
    port: int
    page: str
    shown: Callable[[], int]
    """How many replicas it shows as looked at and healthy."""
    calls: list[str] = field(default_factory=list)
    """What the script of the page asks for; without any the page needs no script."""
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    """Where it wants to be started."""
    empty: str = ""
    """Its page at its first start, when it is prepared."""
    prepare: Callable[[], None] | None = None
    """What is to be done then."""


def vigil(binary: str, folder: Path, at: Where) -> Program:
    """Vigil: its page holds the statuses. Its folder `res/assets` lies in one of those above the binary."""
    path = _executable(binary)
    assets = next((above / "res/assets" for above in path.parents if (above / "res/assets").is_dir()), None)
    if assets is None:
        raise PeerError(f"--vigil {binary}: there is no folder res/assets beside it or above it")
    port = configs.free_port()
    nodes = (VIGIL_NODE.format(n=n, urls=json.dumps(_urls(n, at))) for n in range(NODES))
    config = folder / "vigil.cfg"
    config.write_text(VIGIL.format(port=port, assets=f"{assets}/", day=DAY) + "".join(nodes))

    def shown() -> int:
        text = got(port, "/")[1]
        return min(text.count("replica status-healthy"), text.count("Latency"))

    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"--vigil {binary}: it does not tell its version: {error}") from None
    version = re.search(r"\d+\.\d[\w.-]*", told.stdout)
    return Program("Vigil", version[0] if version else "", [str(path), "-c", str(config)], port, "/", shown)


def gatus(binary: str, folder: Path, at: Where) -> Program:
    """Gatus: a shell, whose script asks for the statuses."""
    path = _executable(binary)
    port = configs.free_port()
    replicas = (
        GATUS_REPLICA.format(n=n, k=k, url=url) for n in range(NODES) for k, url in enumerate(_urls(n, at), start=1)
    )
    config = folder / "gatus.yaml"
    config.write_text(GATUS.format(port=port) + "".join(replicas))
    statuses = "/api/v1/endpoints/statuses?page=1&pageSize=50"

    def shown() -> int:
        results = [endpoint.get("results") for endpoint in json.loads(got(port, statuses)[1])]
        return sum(bool(found) and found[-1]["success"] for found in results)

    # Go keeps the version of a module in what it builds from it.
    version = re.search(rb"mod\tgithub\.com/TwiN/gatus/v5\t(v[\w.+-]+)", path.read_bytes())
    return Program(
        "Gatus",
        version[1].decode() if version else "",
        [str(path)],
        port,
        "/",
        shown,
        ["/api/v1/config", statuses, "/api/v1/suites/statuses?page=1&pageSize=50"],
        {"GATUS_CONFIG_PATH": str(config), "GATUS_LOG_LEVEL": "ERROR"},
    )


def uptime_kuma(where: str, folder: Path, at: Where) -> Program:
    """Uptime Kuma: a shell with the names, whose script asks for the statuses."""
    server, node = Path(where).resolve() / "server/server.js", shutil.which("node")
    built = server.parent.parent / "dist/index.html"
    if node is None or not (server.is_file() and built.is_file()):
        raise PeerError(f"--uptime-kuma {where}: needs node, and server/server.js and dist/index.html in that folder")
    port = configs.free_port()
    statuses = "/api/status-page/heartbeat/bench"

    def shown() -> int:
        beats = json.loads(got(port, statuses)[1])["heartbeatList"].values()
        return sum(bool(found) and found[-1]["status"] == 1 for found in beats)

    return Program(
        "Uptime Kuma",
        json.loads((server.parent.parent / "package.json").read_text())["version"],
        [node, str(server), "--host=127.0.0.1", f"--port={port}", f"--data-dir={folder}/"],
        port,
        "/status/bench",
        shown,
        [statuses],
        # Its question for a newer version shall not leave this machine.
        {"UPTIME_KUMA_DB_TYPE": "sqlite", "https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"},
        server.parent.parent,
        "/dashboard",
        lambda: asyncio.run(_set_up(port, at)),
    )


async def _set_up(port: int, at: Where) -> None:
    """Make an account, the monitors and the page in Uptime Kuma, as its own pages do."""
    import aiohttp

    address = f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        kuma = _Kuma(socket)
        await kuma.until("0")
        await socket.send_str("40")
        await kuma.until("40")
        await kuma.ask("setup", "bench", "Bench-12345")
        await kuma.ask("login", {"username": "bench", "password": "Bench-12345", "token": ""})
        groups = []
        for n in range(NODES):
            made = [
                await kuma.ask("add", KUMA_MONITOR | {"name": f"The node-{n} {k}", "url": url})
                for k, url in enumerate(_urls(n, at), start=1)
            ]
            groups.append({"name": f"The node-{n}", "monitorList": [{"id": monitor["monitorID"]} for monitor in made]})
        while len(kuma.looked_at) < REPLICAS:
            await kuma.until("42")
        await kuma.ask("addStatusPage", "Bench", "bench")
        page = (await kuma.ask("getStatusPage", "bench"))["config"]
        # This also empties its cache of what the page asks for.
        await kuma.ask("saveStatusPage", "bench", page, "/icon.svg", groups)


class _Kuma:
    """The least of Socket.IO: events with an answer, and who was looked at meanwhile."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.asked = 0
        self.looked_at: set[int] = set()

    async def ask(self, *event: Any) -> dict[str, Any]:
        self.asked += 1
        await self.socket.send_str(f"42{self.asked}{json.dumps(event)}")
        answer: dict[str, Any] = json.loads(await self.until(f"43{self.asked}["))[0]
        if not answer.get("ok"):
            raise PeerError(f"Uptime Kuma does not take {event[0]}: {answer.get('msg')}")
        return answer

    async def until(self, kind: str) -> str:
        """What the next message of a kind holds."""
        while True:
            text = await self.socket.receive_str(timeout=ANSWER_SECONDS)
            if text == "2":
                await self.socket.send_str("3")
            if text.startswith('42["heartbeat",'):
                self.looked_at.add(json.loads(text[2:])[1]["monitorID"])
            if text.startswith(kind):
                return text[len(kind.rstrip("[")) :]


def got(port: int, path: str) -> tuple[int, str, int]:
    """Status, text and size of the answer to a browser, which takes it compressed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    whole = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
    return answer.status, whole.decode(errors="replace"), len(body)


def _urls(node: int, at: Where) -> list[str]:
    return [at(f"node-{node}", k) for k in range(1, REPLICAS_A_NODE + 1)]


def _executable(binary: str) -> Path:
    path = Path(binary).resolve()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise PeerError(f"{binary}: no such program")
    return path
