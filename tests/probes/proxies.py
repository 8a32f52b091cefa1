"""Real proxies in the foreground: Tinyproxy for HTTP, microsocks for SOCKS5."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.probes.databases import free_port, needed, running


@contextlib.asynccontextmanager
async def tinyproxy(user: str = "", password: str = "") -> AsyncIterator[int]:
    """With a password when one is given."""
    needed("tinyproxy")
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "tinyproxy.conf"
        lines = [
            f"Port {port}",
            "Listen 127.0.0.1",
            "Timeout 10",
            "MaxClients 20",
            f'LogFile "{name}/log"',
            "DisableViaHeader Yes",
        ]
        lines += [f"BasicAuth {user} {password}"] if user else []
        file.write_text("\n".join([*lines, ""]))
        async with running("tinyproxy", "-d", "-c", str(file), port=port) as found:
            yield found


@contextlib.asynccontextmanager
async def microsocks(user: str = "", password: str = "") -> AsyncIterator[int]:
    """With a password when one is given."""
    needed("microsocks")
    port = free_port()
    signed = ["-u", user, "-P", password] if user else []
    async with running("microsocks", "-i", "127.0.0.1", "-p", str(port), *signed, port=port) as found:
        yield found
