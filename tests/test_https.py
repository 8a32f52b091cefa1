"""A whole daemon with `[tls]`, and an authority (Pebble) that gives it a certificate."""

from __future__ import annotations

import contextlib
import time

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.app import App
from crisp_status.config.load import load
from crisp_status.tls.domain_check import own_addresses
from tests.daemon import until
from tests.tls.authority import Pebble, needs_pebble

pytestmark = needs_pebble

DOMAIN = "status.example.org"

CONFIG = """
[page]
name = "Acme"
url = "https://status.example.org/"
[server]
listen = ["0.0.0.0:{pebble.http_port}", "tls:0.0.0.0:{pebble.tls_port}", "unix:{folder}/http.sock"]
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


@contextlib.asynccontextmanager
async def stranger(pebble):
    """A client that comes over the network, by plain HTTP, and follows nothing."""
    address = next((a for a in own_addresses() if ":" not in a), None)
    if address is None:
        pytest.skip("this machine has no address but the loopback")
    async with aiohttp.ClientSession(f"http://{address}:{pebble.http_port}") as session:

        async def ask(path, method="GET", **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, path, headers=headers, allow_redirects=False) as answer:
                return answer.status, answer.headers, await answer.text(errors="replace")

        yield ask


PAGES = ("/", "/?theme=dark", "/fr/", "/history", "/history/2026-11", "/incidents/7", "/fr/history")
NO_PAGES = (
    *("/api/v2/summary.json", "/status/text", "/status/report", "/feed.atom", "/history.rss", "/maintenance.ics"),
    *(
        "/badge/color",
        "/badge/site.svg",
        "/badge/site/shop.json",
        "/embed.js",
        "/embed.json",
        "/robots.txt",
        "/healthz",
    ),
    *("/sitemap.xml", "/favicon.ico", "/ping/heartbeat-token-of-backup", "/api/push/heartbeat-token-of-backup"),
)


async def test_plain_http_beside_it(tmp_path, pebble):
    """From elsewhere pages go to HTTPS and tokens are refused, as soon as there is a certificate; machines are answered
    where they ask; nothing changes for this machine.
    """
    async with daemon(tmp_path, pebble) as app, stranger(pebble) as ask:
        await until(lambda: app.https.keeper.secure, 20)
        for path in PAGES:
            status, headers, _ = await ask(path)
            assert (status, headers["Location"]) == (301, f"https://{DOMAIN}{path}"), path
        for path in NO_PAGES:
            status, headers, text = await ask(path)
            assert status == 200, (path, text)
            assert "Location" not in headers
            assert "Strict-Transport-Security" not in headers
        assert (await ask("/.well-known/acme-challenge/unknown"))[0] == 404
        for method, path in (("POST", "/v1/report/site/shop"), ("GET", "/manager/status")):
            status, _, text = await ask(path, method, Authorization="Bearer manager-token")
            assert status == 403
            assert f"send it to https://{DOMAIN}/ instead" in text
        async with aiohttp.ClientSession(f"http://127.0.0.1:{pebble.http_port}") as session:
            async with session.get("/", allow_redirects=False) as answer:
                assert answer.status == 200
            async with session.get("/manager/status", headers={"Authorization": "Bearer manager-token"}) as answer:
                shown = (await answer.json())["certificates"]
        assert [(c["domain"], c["source"], c["trusted"], c["error"]) for c in shown] == [
            (DOMAIN, "authority", True, "")
        ]


async def test_plain_http_as_the_operator_wants_it(tmp_path, pebble):
    """Redirects and the refusal of tokens can be off, HSTS on; a reload changes each, and only TLS speaks of HSTS."""
    more = "redirect = false\nplain_tokens = true\nhsts = true"
    async with daemon(tmp_path, pebble, more) as app, stranger(pebble) as ask:
        await until(lambda: app.https.keeper.secure, 20)
        token = {"Authorization": "Bearer manager-token"}
        assert (await ask("/"))[0] == 200
        assert (await ask("/manager/status", **token))[0] == 200
        async with browser(pebble, await pebble.issuer()) as session:
            for path, headers in (("/", {}), ("/status/text", {}), ("/manager/status", token), ("/none", {})):
                async with session.get(path, headers=headers) as answer:
                    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", path
                assert "Strict-Transport-Security" not in (await ask(path, **headers))[1]
            path = tmp_path / "config.toml"
            path.write_text(CONFIG.format(pebble=pebble, folder=tmp_path, more=""))
            before = app.https.keeper.certificates[DOMAIN].pair
            await app.reload(load(path, kinds.rooms(), {}))
            assert app.https.keeper.certificates[DOMAIN].pair is before, "a reload orders nothing"
            assert (await ask("/"))[0] == 301
            assert (await ask("/manager/status", **token))[0] == 403


async def test_without_an_authority(tmp_path, pebble):
    """The authority is not there: the page is up on plain HTTP for everybody, HTTPS answers with a certificate of our own,
    and `status` says why.
    """
    await pebble.stop()
    async with daemon(tmp_path, pebble) as app, stranger(pebble) as ask:
        await until(lambda: app.https.keeper.certificates[DOMAIN].error, 20)
        assert (await ask("/"))[0] == 200
        assert (await ask("/manager/status", Authorization="Bearer manager-token"))[0] == 200
        async with browser(pebble, False) as session, session.get("/") as answer:
            assert answer.status == 200
        assert "cannot be reached" in app.https.facts()[0]["error"]


async def test_https_port_spoken_to_in_plain(tmp_path, pebble):
    """Who writes http:// with the port of HTTPS is told what to write."""
    await pebble.stop()
    async with (
        daemon(tmp_path, pebble),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{pebble.tls_port}/") as answer,
    ):
        assert answer.status == 400
        assert "https://" in await answer.text()
