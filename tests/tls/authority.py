"""A certificate authority of our own: Pebble and its name server, in a folder, on free ports, until the test ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest

from crisp_status.tls import keypair

PEBBLE = shutil.which("pebble")
NAMES = shutil.which("pebble-challtestsrv")

needs_pebble = pytest.mark.skipif(
    PEBBLE is None or NAMES is None, reason="no Pebble on this machine: apt install pebble"
)

QUICK = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5", "PEBBLE_AUTHZREUSE": "0"}

EAB = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


def free_ports(count):
    """So many ports that nobody listens on, of TCP and UDP."""
    held = []
    while len(held) < 2 * count:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            continue
        held += [tcp, udp]
    ports = [s.getsockname()[1] for s in held[::2]]
    for one in held:
        one.close()
    return ports


class Pebble:
    """`directory` is its address, `http_port` and `tls_port` are where it looks for domains."""

    def __init__(self, folder, *, environ=None, eab=False):
        self.folder = Path(folder)
        self.environ = QUICK | (environ or {})
        self.eab = eab
        self.port, self.admin_port, self.http_port, self.tls_port, self.dns_port, self.names_port = free_ports(6)
        self.directory = f"https://localhost:{self.port}/dir"
        self.root = self.folder / "authority.pem"
        self.processes = []

    async def __aenter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.root.exists():
            import time

            pair = keypair.self_signed(["localhost"], time.time())
            self.root.write_bytes(pair.chain)
            (self.folder / "authority.key").write_bytes(pair.pem[: pair.pem.index(b"-----BEGIN CERTIFICATE")])
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.admin_port}",
            "certificate": str(self.root),
            "privateKey": str(self.folder / "authority.key"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self.eab,
            "externalAccountMACKeys": EAB,
        }
        (self.folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        await self._start(
            NAMES,
            *("-management", f"127.0.0.1:{self.names_port}", "-dns01", f"127.0.0.1:{self.dns_port}"),
            *("-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""),
        )
        await self.start()
        return self

    async def start(self):
        """The authority itself; may be called again after `stop`. It forgets everything in between."""
        self.pebble = await self._start(
            PEBBLE, "-config", str(self.folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{self.dns_port}"
        )
        async with asyncio.timeout(20):
            for port in (self.port, self.admin_port, self.names_port):
                while True:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        break
                    await asyncio.sleep(0.02)

    async def stop(self):
        """The authority is away."""
        self.pebble.kill()
        await self.pebble.wait()

    async def __aexit__(self, *_):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self, *line):
        with (self.folder / "authority.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *line, env={"PATH": os.environ["PATH"]} | self.environ, stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    async def names(self, verb, **data):
        """Tell the name server, as in `names("set-default-ipv4", ip="127.0.0.9")`."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.names_port}/{verb}", json=data) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def issuer(self):
        """The root that its certificates lead to, as a context for clients."""
        trust = ssl.create_default_context(cafile=str(self.root))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://localhost:{self.admin_port}/roots/0", ssl=trust) as answer,
        ):
            return ssl.create_default_context(cadata=await answer.text())

    def log(self):
        """What it wrote."""
        return (self.folder / "authority.log").read_text(errors="replace")
