"""Configurations of any size, and daemons that run on them."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import running
from benchmarks.states import NODES_A_SERVICE, REPLICAS_A_NODE
from benchmarks.targets import ADDRESSES, HOLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


def address(port: int, hole: int = 0, swallowed: float = 0.0) -> Callable[[str, int], str]:
    """Addresses of replicas by node key and number, all different; that share of them swallows connections."""
    count = 0

    def made(node: str, number: int) -> str:
        nonlocal count
        count += 1
        if int(count * swallowed) > int((count - 1) * swallowed):
            return f"http://{HOLES[count % len(HOLES)]}:{hole}/{node}/{number}"
        return f"http://{ADDRESSES[count % len(ADDRESSES)]}:{port}/{node}/{number}"

    return made


def write(folder: Path, replicas: int, where: Callable[[str, int], str], *, interval: float, port: int) -> Path:
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


@contextmanager
def daemon(config: Path, port: int) -> Iterator[Daemon]:
    """`crisp-status run` on the first core."""
    began = time.perf_counter()
    with running([sys.executable, "-m", "crisp_status", "run", "-c", str(config)], 0) as process:
        until = began + START_SECONDS
        while not served(port):
            if process.poll() is not None or time.perf_counter() > until:
                raise RuntimeError("the daemon does not serve its page")
            time.sleep(0.005)
        yield Daemon(process.pid, port, time.perf_counter() - began)


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
