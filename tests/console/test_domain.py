"""Domain and certificate in the console."""

from __future__ import annotations

import time

import aiohttp

from crisp_status.tls import keypair
from tests.console.browser import CONFIG, JANE, OLGA, Browser
from tests.daemon import BASE, started


async def test_without_tls(browse):
    """Nothing of ours to show, and a look at a domain that cannot have a certificate finds nothing; only owners come here."""
    olga, jane = await browse(), await browse()
    await olga.sign_in(OLGA)
    assert "there is no [tls] in the configuration" in await olga.get("/operator/settings/domain")
    await olga.post("/operator/settings/domain")
    assert olga.status == 200
    await jane.sign_in(JANE)
    await jane.get("/operator/settings/domain")
    assert jane.status == 403


async def test_own_files(tmp_path):
    """Who signed the certificate and until when; what must be mended about the domain stands there in sentences."""
    pair = keypair.self_signed(["status.acme.invalid"], time.time(), days=90)
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "pair.pem").write_bytes(pair.pem)
    tls = '[tls]\ndomains = ["status.acme.invalid"]\ncertificate = "pair.pem"\nkey = "pair.pem"\nredirect = false\n'
    listen = BASE.replace('listen = ["127.0.0.1:0"]', 'listen = ["127.0.0.1:0", "tls:127.0.0.1:0"]')
    (folder / "config.toml").write_text(listen + tls + CONFIG)
    async with (
        started(folder / "config.toml") as app,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        olga = Browser(app, session)
        await olga.sign_in(OLGA)
        await olga.get("/operator/settings/domain")
        assert "by status.acme.invalid, until" in olga.words
        await olga.post("/operator/settings/domain")
        assert "status.acme.invalid" in olga.words
        assert "add the record below" in olga.words or "does not answer for" in olga.words
