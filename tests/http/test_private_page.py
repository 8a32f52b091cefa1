"""A page that is not for everybody: nothing of it without password, network or key."""

import base64
from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec
import pytest

from crisp_status.formats.documents import table
from crisp_status.http.authentication import Failures, Proxies
from crisp_status.http.private_page import PrivatePage, read_key
from crisp_status.http.router import Router
from crisp_status.http.site import Site
from crisp_status.view.build import build
from tests.formats import samples
from tests.http.site_fakes import HandClock, dial, one, serving

KEY = read_key(b"k" * 32, "open sesame")
INFO = msgspec.structs.replace(samples.acme(), private=True, read_key=KEY)


def basic(password):
    """The header that a browser sends."""
    return f"Authorization: Basic {base64.b64encode(f'visitor:{password}'.encode()).decode()}\r\n"


@asynccontextmanager
async def private(password="open sesame", networks=(), proxies=()):
    """The page of twelve nodes, and a function that asks for something of it."""
    clock, posted = HandClock(samples.NOW), []

    async def take(request, args):
        posted.append(request.path)
        raise AssertionError("it must not come here")

    router = Router()
    router.add("POST", "/updates", take)
    site = Site(table(INFO), clock)
    guard = PrivatePage(password, "manager-token-0123", networks, KEY, Proxies(proxies), Failures(clock.monotonic))
    site.configure(table(INFO), guard)
    await site.show(build(samples.dead(), INFO, samples.NOW))
    async with serving(site=site, router=router) as server:

        async def ask(path, headers="", method="GET"):
            async with dial(server.port) as (reader, writer):
                writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n{headers}\r\n".encode())
                status, found, body = await one(reader)
            return SimpleNamespace(status=status, headers=found, text=body.decode("utf-8", "replace"))

        yield ask


async def test_nothing_is_shown_without_the_password():
    """Every document, also what is ready in the fast path; the answer says how to get in, and names no node."""
    async with private() as ask:
        await ask("/", basic("open sesame"))  # so that it is ready
        for route in table(INFO).routes.values():
            path = route.pattern.replace("{}", "web").replace("/api/latency/web/web", "/api/latency/web/dash")
            if route.access != "free":
                answer = await ask(path)
                assert answer.status == 401, path
                assert answer.headers["www-authenticate"].startswith("Basic ")
                assert answer.headers["cache-control"] == "no-store"
                assert "Checkout" not in answer.text
                assert KEY not in answer.text
        assert "This page is not public" in (await ask("/")).text
        assert (await ask("/updates", "Content-Length: 0\r\n", "POST")).status == 401


async def test_the_password_or_the_manager_token_opens_it():
    """Any user name; a wrong one is asked again, and too many wrong ones have to wait."""
    async with private() as ask:
        answer = await ask("/", basic("open sesame"))
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        assert "Checkout and Invoicing are down" in answer.text
        assert (await ask("/uptime.json", basic("manager-token-0123"))).status == 200
        statuses = [(await ask("/", basic("wrong"))).status for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert (await ask("/", basic("open sesame"))).status == 200


async def test_a_key_opens_what_programs_fetch():
    """Feeds, calendar, badges and embed; not the page, and no other key. The pages behind the password show it."""
    async with private() as ask:
        for path in ("/feed.atom", "/maintenance.ics", "/badge.svg", "/badge/pay.json", "/embed.json", "/embed.js"):
            assert (await ask(f"{path}?key={KEY}")).status == 200, path
            assert (await ask(f"{path}?key={KEY[:-1]}x")).status == 401, path
        assert "in 90 days" not in (await ask(f"/badge.svg?show=uptime&key={KEY}")).text
        assert "%" in (await ask(f"/badge.svg?show=uptime&key={KEY}")).text
        for path in ("/", "/api/v2/summary.json", "/history"):
            assert (await ask(f"{path}?key={KEY}")).status == 401, path
        assert f"feed.atom?key={KEY}" in (await ask("/updates", basic("open sesame"))).text


@pytest.mark.parametrize(("networks", "status"), [(("127.0.0.0/8",), 200), (("10.0.0.0/8",), 403)])
async def test_a_network_opens_it_without_a_password(networks, status):
    """By the address of the client; where there is no password to ask for, others are told so."""
    async with private(password="", networks=networks) as ask:
        assert (await ask("/")).status == status


async def test_the_client_behind_a_proxy_counts():
    """A trusted proxy in one of the networks does not let everybody in."""
    async with private(password="", networks=("127.0.0.1",), proxies=("127.0.0.1",)) as ask:
        assert (await ask("/", "X-Forwarded-For: 203.0.113.9\r\n")).status == 403


def test_a_new_password_makes_a_new_key():
    """And another daemon another one."""
    assert len({read_key(b"k" * 32, "one"), read_key(b"k" * 32, "two"), read_key(b"l" * 32, "one")}) == 3
