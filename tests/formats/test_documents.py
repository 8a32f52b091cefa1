"""The table of documents, served for real: every path, its kind, its headers, its languages, its absence."""

import json
import re

import pytest

from crisp_status.formats.documents import table
from crisp_status.http.site import Site
from crisp_status.view.page_info import make_info
from tests.formats.test_statuspage import over
from tests.http.site_fakes import dial, one, serving

KINDS = {
    "/": "text/html; charset=utf-8",
    "": "text/html; charset=utf-8",
    "/fr/": "text/html; charset=utf-8",
    "/history": "text/html; charset=utf-8",
    "/history/2026-11": "text/html; charset=utf-8",
    "/fr/history/2026-11/": "text/html; charset=utf-8",
    "/incidents/1": "text/html; charset=utf-8",
    "/feed.atom": "application/atom+xml; charset=utf-8",
    "/history.atom": "application/atom+xml; charset=utf-8",
    "/fr/history.rss": "application/rss+xml; charset=utf-8",
    "/maintenance.ics": "text/calendar; charset=utf-8",
    "/api/v2/summary.json": "application/json",
    "/api/v2/incidents/unresolved.json": "application/json",
    "/api/v2/scheduled-maintenances/active.json": "application/json",
    "/status/text/": "text/plain; charset=utf-8",
    "/status/report/": "application/json",
    "/badge/icon": "image/svg+xml",
    "/badge/color": "image/svg+xml",
    "/badge.svg": "image/svg+xml",
    "/badge/web.svg?show=uptime": "image/svg+xml",
    "/badge/web/api.json": "application/json",
    "/includes/badge/": "image/svg+xml",
    "/embed.js": "text/javascript; charset=utf-8",
    "/embed.json": "application/json",
    "/fr/embed.json": "application/json",
    "/robots.txt": "text/plain; charset=utf-8",
    "/sitemap.xml": "application/xml; charset=utf-8",
    "/favicon.ico": "image/png",
}

MISSING = [
    "/history/2026-13",
    "/history/2026-1",
    "/history/x",
    "/history/2027-01",
    "/incidents/99",
    "/incidents/0",
    "/incidents/01",
    "/incidents/x",
    "/incidents/" + "9" * 40,
    "/de/",
    "/assets/none.svg",
    "/assets/../style.css",
    "/badge/none.svg",
    "/api/v2/none.json",
    "/fr/status/text",
]


async def ask(port, path, *headers):
    async with dial(port) as (reader, writer):
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        return await one(reader)


@pytest.fixture
async def acme():
    story = over()
    info = make_info(name="Acme Status", url="https://status.acme.example/status/", languages=("en", "fr"))
    site = Site(table(info), story.clock)
    await site.show(story.view(url="https://status.acme.example/status/"))
    async with serving(site=site) as server:
        yield server
    site.close()


async def test_every_document(acme):
    """Each address has its kind, a tag, a policy and a rule for caches; under the page's own path as well."""
    for path, kind in KINDS.items():
        status, headers, body = await ask(acme.port, path or "/")
        assert (path, status, headers["content-type"]) == (path, 200, kind)
        assert body
        assert headers["etag"]
        assert headers["cache-control"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert ("access-control-allow-origin" in headers) is not kind.startswith("text/html")
        again = await ask(acme.port, "/status" + path, f"If-None-Match: {headers['etag']}")
        assert (path, again[0]) == (path, 304)
        if kind == "application/json":
            json.loads(body)


async def test_what_is_not_there(acme):
    """Nothing is invented for a wrong address."""
    for path in MISSING:
        assert (path, (await ask(acme.port, path))[0]) == (path, 404)


async def test_what_is_no_longer_there(acme):
    """Months before the first that is kept are gone for good, and say so to people."""
    status, headers, body = await ask(acme.port, "/history/2020-01")

    assert (status, headers["content-type"]) == (410, "text/html; charset=utf-8")
    assert b"no longer kept" in body
    assert "style-src" in headers["content-security-policy"]


async def test_every_file_that_the_page_names(acme):
    """Whatever the page and its neighbours link to on their own site is there."""
    _, _, body = await ask(acme.port, "/", "Accept-Language: fr")
    found = set(re.findall(r'(?:href|src)="(/status/[^"#]*)', body.decode()))

    assert any(path.startswith("/status/assets/") for path in found)
    for path in found:
        status, headers, _ = await ask(acme.port, path)
        assert (path, status) == (path, 200)
        if path.startswith("/status/assets/"):
            assert "immutable" in headers["cache-control"]


async def test_languages(acme):
    """Pages, feeds and the warning speak French; what programs compare does not depend on who asks."""
    french = "Accept-Language: fr-CH, fr;q=0.9"
    for path in ("/", "/feed.atom", "/embed.json"):
        _, headers, _ = await ask(acme.port, path, french)
        assert (headers["content-language"], headers["vary"]) == ("fr", "Accept-Encoding, Accept-Language")
    for path in ("/api/v2/summary.json", "/badge.svg"):
        ours, theirs = await ask(acme.port, path), await ask(acme.port, path, french)
        assert ours[1]["etag"] == theirs[1]["etag"]


async def test_all_say_the_same(acme):
    """Every way to ask for the health of the page gives the same answer."""
    assert (await ask(acme.port, "/status/text"))[2] == b"healthy"
    assert json.loads((await ask(acme.port, "/status/report"))[2])["health"] == "healthy"
    assert json.loads((await ask(acme.port, "/api/v2/status.json"))[2])["status"]["indicator"] == "none"
    assert json.loads((await ask(acme.port, "/embed.json"))[2])["show"] is False
    assert json.loads((await ask(acme.port, "/badge.json"))[2])["message"] == "Healthy"
    assert b'class="css-home-status' in (await ask(acme.port, "/"))[2]


async def test_errors_for_visitors(acme):
    """A visitor's everyday mistake gets the page's own words, in the visitor's language, with its brand."""
    browser = ("Accept: text/html,*/*;q=0.8", "Accept-Language: fr")
    for path in ("/nothing", "/incidents/99", "/badge/none.svg"):
        status, headers, body = await ask(acme.port, path, *browser)
        assert (path, status, headers["content-type"]) == (path, 404, "text/html; charset=utf-8")
        assert headers["cache-control"] == "no-store"
        assert "style-src" in headers["content-security-policy"]
        assert b'lang="fr"' in body
        assert b"Acme Status" in body
