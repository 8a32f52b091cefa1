"""A small site without a page: documents of known sizes, a client that speaks raw bytes."""

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

from crisp_status.formats.routes import DAILY, DocumentRoute, Made, Table
from crisp_status.http.connections import Limits
from crisp_status.http.router import Router
from crisp_status.http.server import WebServer
from crisp_status.http.site import Site


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now=1_795_000_000.0):
        self.time = now

    def now(self):
        return self.time

    def monotonic(self):
        return self.time


def view(text="healthy"):
    return SimpleNamespace(text=text, info=SimpleNamespace(url="https://status.example/"))


def table(languages=("en", "fr", "zh-Hans")):
    def page(v, call):
        return Made("text/html; charset=utf-8", f"<p lang={call.language}>{v.text}</p>" + "<b>filler</b>" * 200)

    def incident(v, call):
        if call.args[0] == "410":
            return Made("text/html", "gone", status=410)
        return Made("text/html", f"incident {call.args[0]}") if call.args[0].isdigit() else None

    routes = [
        DocumentRoute(pattern="/", render=page, localized=True, open=False),
        DocumentRoute(pattern="/history", render=page, localized=True, open=False),
        DocumentRoute(pattern="/incidents/{}", render=incident, localized=True, open=False),
        DocumentRoute(pattern="/status/text", render=lambda v, c: Made("text/plain; charset=utf-8", v.text)),
        DocumentRoute(
            pattern="/badge/{}.svg",
            render=lambda v, c: Made("image/svg+xml", f"<svg>{c.args[0]} {c.query}</svg>" + " " * 300),
            queries=("show=uptime",),
        ),
        DocumentRoute(
            pattern="/embed.js", render=lambda v, c: Made("text/javascript; charset=utf-8", "1;" * 200), cache=DAILY
        ),
    ]
    return Table(routes, languages)


@asynccontextmanager
async def serving(*, fast=True, limits=None, router=None, site=None, ready=True):
    own = site is None
    site = site or Site(table(), HandClock())
    if ready and site.view is None:
        await site.show(view())
    server = WebServer(site, router or Router(), ["127.0.0.1:0"], name="Acme", fast=fast, limits=limits or Limits())
    await server.start()
    try:
        yield SimpleNamespace(site=site, server=server, port=int(server.bound[0].rpartition(":")[2]))
    finally:
        await server.stop()
        if own:
            site.close()


@asynccontextmanager
async def dial(port, path=""):
    """A connection, closed for good at the end."""
    reader, writer = await (asyncio.open_unix_connection(path) if path else asyncio.open_connection("127.0.0.1", port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        # The other end hears of it within one turn of the loop.
        await asyncio.sleep(0)


async def talk(port, *chunks, pause=0.0, until_close=False, timeout=5.0):
    """Send the chunks, each as one write, and give everything that came until the server closes."""
    async with dial(port) as (reader, writer):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)
        if not until_close:
            writer.write_eof()
        async with asyncio.timeout(timeout):
            return await reader.read()


async def one(reader):
    """One response of a connection that stays open: status, headers (lower case), body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head[:-4].split("\r\n")
    headers = {}
    for field in fields:
        name, _, value = field.partition(": ")
        headers[name.lower()] = value
    status = int(line.split()[1])
    body = b"" if status in {204, 304} else await reader.readexactly(int(headers.get("content-length", 0)))
    return status, headers, body
