"""A whole daemon with `[tls]`, and an authority (Pebble) that gives it a certificate."""

from __future__ import annotations

import contextlib
import time

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.app import App
from crisp_status.config.load import load
from tests.daemon import until
from tests.tls.authority import Pebble, needs_pebble

pytestmark = needs_pebble

DOMAIN = "status.example.org"

CONFIG = """
[page]
name = "Acme"
url = "https://status.example.org/"
[server]
listen = ["127.0.0.1:{pebble.http_port}", "tls:127.0.0.1:{pebble.tls_port}", "unix:{folder}/http.sock"]
state = "state"
trusted_proxies = ["127.0.0.1"]
reporter_token = "reporter-token"
manager_token = "manager-token"
[tls]
email = "ops@example.org"
directory = "{pebble.directory}"
{more}
[[services]]
name = "Site"
[[services.nodes]]
name = "Shop"
mode = "push"
[[services.nodes]]
name = "Backup"
mode = "push"
heartbeat = "heartbeat-token-of-backup"
"""


@pytest.fixture
async def pebble(tmp_path, monkeypatch):
    async with Pebble(tmp_path / "authority") as authority:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.root))
        yield authority


@contextlib.asynccontextmanager
async def daemon(folder, pebble, more=""):
    """Started; its page is served, its certificate need not be there yet."""
    path = folder / "config.toml"
    path.write_text(CONFIG.format(pebble=pebble, folder=folder, more=more))
    app = App(load(path, kinds.rooms(), {}))
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


@contextlib.asynccontextmanager
async def browser(pebble, trust, **kwargs):
    """A client that finds our domain at this machine, and trusts what it is told to trust."""

    class Here(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=0):
            return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

        async def close(self):
            pass

    connector = aiohttp.TCPConnector(resolver=Here(), ssl=trust, **kwargs)
    async with aiohttp.ClientSession(f"https://{DOMAIN}:{pebble.tls_port}", connector=connector) as session:
        yield session


async def test_a_page_over_https_within_ten_seconds(tmp_path, pebble):
    """The page is up at once, and over HTTPS with a certificate of the authority ten seconds later at the latest; the
    documents are the same, from the fast path too.
    """
    began = time.monotonic()
    async with daemon(tmp_path, pebble) as app:
        await until(lambda: app.https.keeper.secure, 10)
        assert time.monotonic() - began < 10
        async with browser(pebble, await pebble.issuer()) as session:
            fast = app.counters.requests_fast
            async with session.get("/") as answer:
                assert answer.status == 200
                assert "Acme" in await answer.text()
            async with session.get("/status/text", headers={"Connection": "keep-alive"}) as answer:
                assert (await answer.text()) == "pending"
            async with session.post(
                "/v1/report/site/shop",
                json={"replica_id": "a", "interval": 60, "load": {"cpu": 0.1, "ram": 0.1}},
                headers={"Authorization": aiohttp.encode_basic_auth("", "reporter-token")},
            ) as answer:
                assert answer.status == 200
            async with session.get("/manager/status", headers={"Authorization": "Bearer manager-token"}) as answer:
                assert (await answer.json())["services"][0]["nodes"][0]["health"] == "healthy"
        assert app.counters.requests_fast > fast
