"""Serving the page, against other status pages whose binaries are given: each as it comes, on one core like ours.

They show another page than ours, so that a request is compared, not a byte.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import configs, harness
from benchmarks import page as pages
from benchmarks.page import GZIP, Server, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.harness import Row, Settings

NODES = 30

VIGIL = """[server]
log_level = "error"
inet = "127.0.0.1:{port}"
workers = 4
manager_token = "bench"
reporter_token = "bench"
[assets]
path = "{assets}"
[branding]
page_title = "Bench"
page_url = "http://127.0.0.1:{port}/"
company_name = "Bench"
icon_color = "#1972F5"
icon_url = "http://127.0.0.1/"
logo_color = "#1972F5"
logo_url = "http://127.0.0.1/"
website_url = "http://127.0.0.1/"
support_url = "http://127.0.0.1/"
custom_html = ""
[metrics]
[notify]
[probe]
[[probe.service]]
id = "web"
label = "Web"
{nodes}
"""

VIGIL_NODE = """[[probe.service.node]]
id = "node-{n}"
label = "Node {n}"
mode = "push"
"""

GATUS = """web:
  address: 127.0.0.1
  port: {port}
endpoints:
{nodes}
"""

GATUS_NODE = """  - name: node-{n}
    url: tcp://127.0.0.1:{port}
    interval: 1h
    conditions: ["[CONNECTED] == true"]
"""


def missing() -> str:
    """Nothing: without a binary nothing is measured."""
    return pages.missing()


@contextmanager
def vigil(binary: str, folder: Path) -> Iterator[Server]:
    """Vigil; its folder `res/assets` beside the binary, or above it, is its own."""
    port = configs.free_port()
    above = [parent / "res" / "assets" for parent in Path(binary).resolve().parents]
    assets = next((path for path in above if path.is_dir()), Path("res/assets"))
    nodes = "".join(VIGIL_NODE.format(n=n) for n in range(NODES))
    config = folder / "vigil.cfg"
    config.write_text(VIGIL.format(port=port, assets=f"{assets}/", nodes=nodes))
    with harness.running([binary, "-c", str(config)], 0) as process:
        configs.wait_for(port, process)
        yield Server("Vigil", process.pid, f"http://127.0.0.1:{port}/")


@contextmanager
def gatus(binary: str, folder: Path) -> Iterator[Server]:
    """Gatus."""
    port = configs.free_port()
    config = folder / "gatus.yaml"
    nodes = "".join(GATUS_NODE.format(n=n, port=port) for n in range(NODES))
    config.write_text(GATUS.format(port=port, nodes=nodes))
    environment = os.environ | {"GATUS_CONFIG_PATH": str(config)}
    with harness.running([binary], 0, env=environment, stdout=subprocess.DEVNULL) as process:
        configs.wait_for(port, process)
        yield Server("Gatus", process.pid, f"http://127.0.0.1:{port}/")


@contextmanager
def uptime_kuma(where: str, folder: Path) -> Iterator[Server]:
    """Uptime Kuma, before it is set up: the shell that all of its pages begin with."""
    port = configs.free_port()
    command = ["node", f"{where}/server/server.js", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--data-dir", f"{folder}/"]
    with harness.running(command, 0, cwd=where, stdout=subprocess.DEVNULL) as process:
        configs.wait_for(port, process, "/dashboard")
        yield Server("Uptime Kuma", process.pid, f"http://127.0.0.1:{port}/dashboard")


def measure(settings: Settings) -> list[Row]:
    """Our page against that of each whose binary is there."""
    given: dict[str, tuple[str, Callable[[str, Path], Iterator[Server]]]] = {
        "vigil": (settings.vigil, vigil),
        "gatus": (settings.gatus, gatus),
        "kuma": (settings.uptime_kuma, uptime_kuma),
    }  # type: ignore[dict-item]
    rows: list[Row] = []
    if not any(binary for binary, _ in given.values()):
        return rows
    with harness.folder() as folder, pages.ours(NODES, folder) as we:
        for binary, start in given.values():
            if not binary:
                continue
            with harness.folder() as own, start(binary, own) as they:  # type: ignore[attr-defined]
                found = harness.alternate(
                    settings.rounds,
                    {
                        "ours": lambda: load(we, settings.seconds, GZIP),
                        they.name: lambda they=they: load(they, settings.seconds, GZIP),
                    },
                )
                rows.append(
                    harness.rated(
                        f"page, {NODES} nodes, beside {they.name}", found["ours"], found[they.name], they.name
                    )
                )
    return rows
