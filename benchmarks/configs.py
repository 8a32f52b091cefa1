"""Configurations of any size, and daemons that run on them."""

from __future__ import annotations

import compileall
import http.client
import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from benchmarks.harness import ROOT, cpu_seconds, running
from benchmarks.states import NODES_A_SERVICE, REPLICAS_A_NODE
from benchmarks.targets import ADDRESSES, HOLES

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.states import Where

START_SECONDS = 120.0
TOKEN = "benchmark-reporter-token"

HEAD = """[page]
name = "Acme Status"
url = "http://127.0.0.1/"
[server]
listen = ["127.0.0.1:{port}"]
log_level = "error"
reporter_token = "{token}"
[poll]
interval = {interval}
"""


def free_port() -> int:
    """One that nobody uses just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def address(port: int, hole: int = 0, swallowed: float = 0.0) -> Where:
    """Addresses of replicas by node key and number, all different; that share of them swallows connections."""

    def made(node: str, number: int) -> str:
        place = crc32(f"{node}/{number}".encode())
        if place % 1000 < swallowed * 1000:
            return f"http://{HOLES[place % len(HOLES)]}:{hole}/{node}/{number}"
        return f"http://{ADDRESSES[place % len(ADDRESSES)]}:{port}/{node}/{number}"

    return made


def write(folder: Path, replicas: int, where: Where, *, interval: float, port: int) -> Path:
    """A configuration with the tree of `benchmarks.states`, each replica polled over HTTP."""
    lines = [HEAD.format(port=port, token=TOKEN, interval=interval)]
    for first in range(0, -(-replicas // REPLICAS_A_NODE), NODES_A_SERVICE):
        service = f"service-{first // NODES_A_SERVICE}"
        lines.append(f'[[services]]\nid = "{service}"\nname = "The {service}"\n')
        for n in range(first, min(first + NODES_A_SERVICE, -(-replicas // REPLICAS_A_NODE))):
            node = f"node-{n % NODES_A_SERVICE}"
            size = min(REPLICAS_A_NODE, replicas - n * REPLICAS_A_NODE)
            urls = ", ".join(f'"{where(f"{service}/{node}", k)}"' for k in range(1, size + 1))
            lines.append(
                f'[[services.nodes]]\nid = "{node}"\nname = "The {node}"\nmode = "poll"\nreplicas = [{urls}]\n'
            )
    path = folder / "config.toml"
    path.write_text("".join(lines))
    return path


@dataclass
class Daemon:
    """One that serves its page."""

    pid: int
    port: int
    started_seconds: float
    """From the start of the process to the first whole page."""
    started_cpu: float
    """CPU seconds until then."""


@contextmanager
def daemon(config: Path, port: int) -> Iterator[Daemon]:
    """`crisp-status run` on the first core, with its byte code, as every installation has it."""
    # Where Python may not write any, a start of the checkout would compile all of it: 0.25 s.
    compileall.compile_dir(ROOT / "crisp_status", quiet=2)
    began = time.perf_counter()
    with running([sys.executable, "-m", "crisp_status", "run", "-c", str(config)], 0) as process:
        wait_for(port, process)
        yield Daemon(process.pid, port, time.perf_counter() - began, cpu_seconds(process.pid))


def wait_for(port: int, process: subprocess.Popen[str], path: str = "/") -> None:
    """Wait until a process serves a whole page on that port."""
    until = time.perf_counter() + START_SECONDS
    while not served(port, path):
        if process.poll() is not None or time.perf_counter() > until:
            raise RuntimeError("it does not serve its page")
        time.sleep(0.005)


def served(port: int, path: str = "/") -> bool:
    """Whether a GET of that path is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return False
    finally:
        connection.close()
    return answer.status == 200
