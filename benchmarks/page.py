"""Serving the page: our daemon against nginx with one worker and the same bytes.

Server on the first core, load on the last. The page has its real content: a healthy tree with 90 days of history.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import statistics
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks.states import REPLICAS_A_NODE, save
from benchmarks.targets import answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.harness import Row, Sample, Settings

NODES = (30, 300, 3000)
CONNECTIONS = 64
TRIES = 8
KEEP_LEAST, NEW_LEAST, P99_MOST = 1.0, 0.45, 2.0
"""SPEED section 1: keep-alive and new connections as shares of nginx, p99 as a multiple of its."""

GZIP = "Accept-Encoding: gzip"
CLOSE = "Connection: close"
PLAIN = "Accept-Encoding: identity"

NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
  default_type text/html; access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  open_file_cache max=100 inactive=600s; open_file_cache_valid 600s;
  gzip_static on; etag on; root {folder};
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  {fields}
  server {{ listen 127.0.0.1:{port} backlog=1024{tls}; location = / {{ try_files /page.html =404; }} }}
}}
"""


NGINX_OWN = {"Content-Type", "Content-Length", "ETag", "Date"}


@dataclass
class Server:
    """One that is measured."""

    name: str
    pid: int
    url: str


def missing() -> str:
    """What must be installed first; "" when all is there."""
    lacks = [name for name, path in (("nginx", nginx()), ("wrk", shutil.which("wrk"))) if not path]
    return f"needs {' and '.join(lacks)}: apt install nginx-light wrk" if lacks else ""


def nginx() -> str | None:
    """Where it is; Debian keeps it outside of the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def load(server: Server, seconds: float, *fields: str, path: str = "", lua: Path | None = None) -> Sample:
    """Requests for so long over 64 connections from the last core."""
    before = harness.cpu_seconds(server.pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "--timeout", "10s"]
    command += [part for field in fields for part in ("-H", field)]
    command += ["-s", str(lua)] if lua else []
    done = subprocess.run(
        [*command, server.url + path],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
        preexec_fn=lambda: harness.pin(0, -1),
    )
    used = harness.cpu_seconds(server.pid) - before
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    count = int(_found(r"(\d+) requests in", done.stdout))
    if wrong or not count:
        raise RuntimeError(f"{server.name} refuses what it is asked: {done.stdout}")
    return harness.Sample(
        float(_found(r"Requests/sec:\s+([\d.]+)", done.stdout)),
        used / count * 1e6,
        _ms(_found(r"\n +99% +(\S+)", done.stdout)),
    )


def unchanged(server: Server, seconds: float, *fields: str) -> Sample:
    """The same by clients that have the page; once more if it was made anew meanwhile, because a replica was seen."""
    for _ in range(TRIES):
        tag = fetched(_port(server), "gzip")[1]["ETag"]
        found = load(server, seconds, GZIP, f"If-None-Match: {tag}", *fields)
        if fetched(_port(server), "gzip")[1]["ETag"] == tag:
            break
    return found


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk says {text}")
    return match[1]


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]


def fetched(port: int, encoding: str = "identity") -> tuple[bytes, http.client.HTTPMessage]:
    """Body and header of the page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/", headers={"Accept-Encoding": encoding})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return body, answer.headers


@contextmanager
def ours(nodes: int, folder: Path, *, listen: str = "", more: str = "") -> Iterator[Server]:
    """Our daemon with so many nodes, after its first looks; perhaps on one more address, with more tables."""
    port = configs.free_port()
    with answering("http") as target:
        where = configs.address(target)
        save(folder / "state", nodes * REPLICAS_A_NODE, where, time.time())
        config = configs.write(folder, nodes * REPLICAS_A_NODE, where, interval=86_400, port=port)
        if listen:
            text = config.read_text()
            text = text.replace(f'"127.0.0.1:{port}"', f'"127.0.0.1:{port}", "{listen}"').replace(
                "http://127.0.0.1", "https://127.0.0.1", 1
            )
            config.write_text(text + more)
        with configs.daemon(config, port) as daemon:
            quiet(daemon.pid)
            yield Server("ours", daemon.pid, f"http://127.0.0.1:{port}/")


def quiet(pid: int, most: float = 60.0) -> None:
    """Wait until a process has little to do: the first looks are over."""
    until = time.monotonic() + most
    time.sleep(11.0)
    while time.monotonic() < until:
        before = harness.cpu_seconds(pid)
        time.sleep(1.0)
        if harness.cpu_seconds(pid) - before < 0.05:
            return


@contextmanager
def reference(folder: Path, port_of_ours: int, pair: str = "") -> Iterator[Server]:
    """nginx with one worker and the bytes of our page, whole and compressed; over TLS when it is given a certificate."""
    for name, encoding in (("page.html", "identity"), ("page.html.gz", "gzip")):
        (folder / name).write_bytes(fetched(port_of_ours, encoding)[0])
    folder.chmod(0o755)
    port = configs.free_port()
    # The same header fields too: bytes are bytes, for the server and for the one who reads them.
    fields = " ".join(
        f"add_header {name} {json.dumps(value)};"
        for name, value in fetched(port_of_ours)[1].items()
        if name not in NGINX_OWN
    )
    tls = f" ssl; ssl_certificate {pair}; ssl_certificate_key {pair}; ssl_protocols TLSv1.2 TLSv1.3" if pair else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, fields=fields, tls=tls))
    command = [nginx() or "nginx", "-e", "/dev/null", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with harness.running(command, 0) as process:
        until = time.monotonic() + 10
        while not (_accepts(port) if pair else configs.served(port)):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("nginx does not start")
            time.sleep(0.02)
        yield Server("nginx", process.pid, f"http{'s' if pair else ''}://127.0.0.1:{port}/")


def _accepts(port: int) -> bool:
    """Whether anybody listens there, whatever is spoken."""
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except OSError:
        return False
    return True


def measure(settings: Settings) -> list[Row]:
    """Identity, gzip and 304; kept and new connections; by size of the page."""
    rows: list[Row] = []
    costs: dict[int, float] = {}
    for nodes in NODES[:2] if settings.quick else NODES:
        with harness.folder() as folder, ours(nodes, folder) as we, reference(folder, _port(we)) as they:
            sizes = "{:.0f} kB, {:.0f} kB gzip".format(
                *(len(fetched(_port(we), c)[0]) / 1000 for c in ("identity", "gzip"))
            )
            harness.say(f"  page of {nodes} nodes: {sizes}")
            for server in (we, they):  # to warm up
                load(server, 1.0, PLAIN)
            cases = {
                "identity": (load, (PLAIN,), KEEP_LEAST),
                "gzip": (load, (GZIP,), KEEP_LEAST),
                "304": (unchanged, (), KEEP_LEAST),
                "identity, new connections": (load, (PLAIN, CLOSE), NEW_LEAST),
                "gzip, new connections": (load, (GZIP, CLOSE), NEW_LEAST),
                "304, new connections": (unchanged, (CLOSE,), NEW_LEAST),
            }
            for name, (how, fields, least) in cases.items():
                found = harness.alternate(
                    settings.rounds,
                    {
                        server.name: lambda how=how, server=server, fields=fields: how(
                            server, settings.seconds, *fields
                        )
                        for server in (we, they)
                    },
                )
                row = harness.rated(f"page, {nodes} nodes, {name}", found["ours"], found["nginx"], "nginx", least)
                row.note = sizes if name == "identity" else ""
                rows.append(row)
                if name == "gzip":
                    rows.append(_late(f"page, {nodes} nodes, p99", found["ours"], found["nginx"]))
                if name == "304":
                    costs[nodes] = row.cpu_us or 0.0
    rows.append(_flat(costs))
    return rows


def _port(server: Server) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


def _late(what: str, ours: list[Sample], reference: list[Sample]) -> Row:
    by_round = harness.ratios(ours, reference, "p99_ms")
    ratio = statistics.median(by_round)
    return harness.Row(
        what,
        harness.median(ours, "p99_ms"),
        "ms",
        "nginx",
        harness.median(reference, "p99_ms"),
        ratio,
        harness.spread(by_round),
        target=f"≤ {P99_MOST:g} ×",
        reached=ratio <= P99_MOST,
    )


def _flat(costs: dict[int, float]) -> Row:
    """A request costs the same whatever the page holds: 304, the largest page against the smallest."""
    small, large = costs[min(costs)], costs[max(costs)]
    return harness.Row(
        f"request (304): {max(costs)} nodes against {min(costs)}",
        large,
        "µs CPU",
        f"{min(costs)} nodes",
        small,
        large / small,
        target="≤ 1.2 ×",
        reached=large <= 1.2 * small,
    )
