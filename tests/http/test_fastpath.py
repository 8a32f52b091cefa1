"""Two readers of one connection must never disagree: the fast one, and the library for which it stands in.

Request smuggling lives where they do. So thousands of requests, most of them odd, go to both, cut into reads at odd
places, and both must answer the same bytes and leave the connection in the same way.
"""

import asyncio
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crisp_status.http.connections import Limits
from crisp_status.http.router import Router
from crisp_status.http.server import WebServer, _Factory
from crisp_status.http.site import Site
from tests.fakes import FakeClock
from tests.http.site_fakes import dial, one, serving, table, view

DATE = re.compile(rb"Date: [^\r]*\r\n")


class Wire(asyncio.Transport):
    """A transport that remembers what was written."""

    def __init__(self, protocol):
        super().__init__()
        self.protocol = protocol
        self.sent = b""
        self.closed = False

    def set_protocol(self, protocol):
        self.protocol = protocol

    def write(self, data):
        assert not self.closed, "written after the end"
        self.sent += data

    def writelines(self, parts):
        self.write(b"".join(parts))

    def close(self):
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def get_write_buffer_size(self):
        return 0


async def exchange(site, reads, *, fast, router=None):
    """What comes back for these reads, without dates, and whether the connection was closed."""
    server = WebServer(site, router or Router(), [], name="Acme", fast=fast)
    limits = Limits()
    factory = _Factory(server, site if fast else None, limits, keepalive_timeout=75.0, access_log=None, max_headers=64)
    connection = factory.accept()
    wire = Wire(connection)
    connection.connection_made(wire)
    await asyncio.sleep(0)
    for read in reads:
        if wire.closed:
            break
        wire.protocol.data_received(read)
        for turn in range(80):
            await asyncio.sleep(0 if turn < 20 else 0.001)
            if wire.closed or (turn > 3 and wire.protocol.idle):
                break
    closed = wire.closed
    wire.close()
    await factory.shutdown(0.1)
    await asyncio.sleep(0)
    return DATE.sub(b"", wire.sent), closed


METHODS = st.sampled_from([b"GET"] * 8 + [b"HEAD"] * 3 + [b"POST", b"get", b"OPTIONS", b"PRI", b"GE T"])
PATHS = st.sampled_from(
    [b"/", b"/status/text", b"/status/text/", b"/fr/", b"/history", b"/badge/a.svg", b"/badge/a.svg?show=uptime"] * 3
    + [b"/status/text?x=1", b"/nothing", b"/badge/a.svg?show=%75ptime", b"/incidents/7", b"//", b"/a b", b"*"]
    + [b"/status/text#x", b"http://other/status/text", b"/%2e%2e/status/text", b"/status/\x80", b"status/text", b""]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 10 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b""])
FIELDS = st.sampled_from(
    [
        b"Accept-Encoding: gzip",
        b"Accept-Encoding: br;q=0, *;q=0.1",
        b"accept-encoding:gzip",
        b"Accept-Language: fr",
        b"Accept-Language: fr, en;q=0.1",
        b'If-None-Match: "x"',
        b"If-None-Match: *",
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) \xe9",
        b"User-Agent: curl/8",
        b"Accept: text/html",
        b"Cookie: a=b; c=d",
        b"Range: bytes=0-4",
        b"Connection: keep-alive",
        b"Connection: close",
        b"Connection: Keep-Alive, close",
        b"Connection: upgrade",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"Content-Length: 0",
        b"Content-Length: 5",
        b"Content-Length: +5",
        b"content-length:5",
        b"Content-Length : 5",
        b"Content-Length: 5, 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Transfer\x0bEncoding: chunked",
        b"X-A: b\r\n folded: yes",
        b"X-A: b\r\n\tContent-Length: 5",
        b"X-A: b\nContent-Length: 5",
        b"X-A: b\rContent-Length: 5",
        b"X-A: \x00",
        b"X-A:",
        b": empty",
        b"no colon",
        b" leading: space",
        b"Host: again",
        b"Authorization: Basic eDp5",
        b"TE: trailers",
    ]
)
HOSTS = st.sampled_from(
    [b"Host: status.example"] * 12 + [b"", b"Host: [::1]:80", b"Host: a,b", b"Host: a\tb", b"host:x"]
)
BODIES = st.sampled_from(
    [b""] * 12 + [b"hello", b"0\r\n\r\n", b"GET /status/text HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n", b"\x00"]
)
ENDS = st.sampled_from([b"\r\n\r\n"] * 12 + [b"\n\n", b"\r\n\n", b"\r\r", b"\r\n", b"\r\n\r\n\r\n"])


@st.composite
def plain(draw):
    """One that the fast reader may take."""
    path = draw(st.sampled_from([b"/", b"/status/text", b"/badge/a.svg?show=uptime", b"/fr/", b"/nothing"]))
    fields = draw(st.lists(FIELDS, max_size=1))
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: x", *fields]) + b"\r\n\r\n"


@st.composite
def odd(draw):
    """One request, more or less."""
    line = b" ".join((draw(METHODS), draw(PATHS), draw(VERSIONS)))
    host = draw(HOSTS)
    fields = draw(st.lists(FIELDS, max_size=3))
    lines = [line, *([host] if host else []), *fields]
    return b"\r\n".join(lines) + draw(ENDS) + draw(BODIES)


@st.composite
def conversations(draw, requests, most):
    """Up to so many requests on one connection, cut into reads: mostly one each, sometimes anywhere."""
    parts = draw(st.lists(requests, min_size=1, max_size=most))
    if draw(st.integers(0, 2)):
        return parts
    whole = b"".join(parts)
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(whole) - 1)), max_size=most)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if whole[a:b]]


async def warm(site):
    await site.show(view())
    for path in (b"/", b"/status/text", b"/history", b"/fr/", b"/badge/a.svg"):
        await exchange(site, [b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"], fast=False)
        await exchange(site, [b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nAccept-Language: fr\r\n\r\n"], fast=False)
    await exchange(site, [b"GET /badge/a.svg?show=uptime HTTP/1.1\r\nHost: x\r\n\r\n"], fast=False)


def test_both_answer_alike():
    """For thousands of odd conversations the fast reader and the library send the same bytes."""
    site = Site(table(), FakeClock())
    fast = [0]
    with asyncio.Runner() as runner:
        runner.run(warm(site))

        @settings(
            max_examples=int(os.environ.get("CRISP_STATUS_EXAMPLES", "600")),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(conversations(st.one_of(plain(), odd()), 4))
        def same(reads):
            async def both():
                return await exchange(site, reads, fast=True), await exchange(site, reads, fast=False)

            before = site.counters.requests_fast
            ours, theirs = runner.run(both())
            fast[0] += site.counters.requests_fast - before
            assert ours == theirs

        same()
    site.close()
    assert fast[0] > 40, "the fast reader had its share"


PLAIN = b"GET /status/text HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("read", "fast"),
    [
        (PLAIN, True),
        (b"HEAD /status/text HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET /status/text HTTP/1.1\r\nHost: x:80\r\nConnection: keep-alive\r\nCookie: a=b\r\n\r\n", True),
        (PLAIN + b"G", False),
        (PLAIN + PLAIN, False),
        (PLAIN.replace(b"\r\n", b"\n"), False),
        (PLAIN.replace(b"1.1", b"1.0"), False),
        (PLAIN.replace(b"GET", b"POST"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nHost: x"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nContent-Length: 0"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: chunked"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nConnection: close"), True),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nConnection: close, keep-alive"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nConnection: close\r\nConnection: close"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nUpgrade: h2c"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nAuthorization: Basic eA=="), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\n a: b"), False),
        (PLAIN.replace(b"Host: x", b"Host : x"), False),
        (PLAIN.replace(b"Host: x", b"X: y"), False),
        (PLAIN.replace(b"/status", b"http://x/status"), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nX: " + b"y" * 5000), False),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nX: \x80"), False),
    ],
)
async def test_what_is_answered_fast(read, fast):
    """Exactly one small plain request in one read, and nothing else."""
    site = Site(table(), FakeClock())
    await warm(site)
    before = site.counters.requests_fast
    await exchange(site, [read], fast=True)

    assert (site.counters.requests_fast > before) is fast
    site.close()


async def test_once_odd_always_the_library():
    """After anything unusual the library keeps the connection: only it knows what it has half read."""
    site = Site(table(), FakeClock())
    await warm(site)
    before = site.counters.requests_fast
    sent, _ = await exchange(site, [PLAIN[:30], PLAIN[30:], PLAIN], fast=True)

    assert site.counters.requests_fast == before
    assert sent.count(b"HTTP/1.1 200") == 2
    site.close()


async def test_a_body_is_never_a_request():
    """A request hidden in the body of another one is not answered, whatever its bytes look like."""
    site = Site(table(), FakeClock())
    await warm(site)
    post = b"POST /status/text HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PLAIN)
    sent, _ = await exchange(site, [post, PLAIN], fast=True)

    assert sent.count(b"HTTP/1.1 ") == 1
    assert sent.startswith(b"HTTP/1.1 405")
    site.close()


async def test_in_order():
    """A fast answer never overtakes a slow one that was asked for before it."""
    async with serving() as s, dial(s.port) as (reader, writer):
        await s.site.show(view())
        writer.write(b"GET /incidents/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0)
        writer.write(b"GET /status/text HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one(reader))[2] == b"incident 1"
        assert (await one(reader))[2] == b"healthy"


async def test_a_reload_changes_what_a_request_means():
    """What was remembered of header blocks is forgotten with the routes."""
    async with serving() as s, dial(s.port) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /fr/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await one(reader))[0] == 200
        s.site.configure(table(languages=("en",)))
        s.server.reload("Other")
        writer.write(b"GET /fr/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one(reader))[0] == 404


async def test_its_memory_is_bounded():
    """Clients that never repeat themselves cost no more than those that do."""
    async with serving() as s, dial(s.port) as (reader, writer):
        for n in range(2100):
            writer.write(b"GET /status/text HTTP/1.1\r\nHost: x\r\nX-N: %d\r\n\r\n" % n)
            await one(reader)
        assert len(s.server._factory.remembered) < 2100


class Clogged(Wire):
    """A client that reads nothing more: what is written stays, and closing waits for it."""

    aborted = False

    def close(self):
        self.closed = True

    def abort(self):
        if not self.aborted:
            self.closed = self.aborted = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def get_write_buffer_size(self):
        return len(self.sent)


async def clogged(factory, read):
    wire = Clogged(factory.accept())
    wire.protocol.connection_made(wire)
    await asyncio.sleep(0)
    wire.protocol.data_received(read)
    await asyncio.sleep(0.01)
    assert wire.sent.startswith(b"HTTP/1.1 200"), wire.sent
    assert wire.closed
    assert not wire.aborted
    return wire


@pytest.mark.parametrize("field", [b"X: plain", b"TE: trailers"], ids=["fast", "library"])
async def test_an_answer_that_nobody_reads_ends(field):
    """Also when the connection is closing already, and waits for nothing but its client; and it makes room for others."""
    site = Site(table(), FakeClock())
    await warm(site)
    limits = Limits(connections=1)
    server = WebServer(site, Router(), [], name="Acme")
    factory = _Factory(server, site, limits, keepalive_timeout=75.0, access_log=None, max_headers=64)
    now = [factory.time()]
    factory.time = lambda: now[0]
    read = PLAIN.replace(b"Host: x", b"Host: x\r\nConnection: close\r\n" + field)

    first = await clogged(factory, read)
    second = await clogged(factory, read)
    assert first.aborted

    factory._sweep()
    now[0] += limits.stall_seconds - 1
    factory._sweep()
    assert not second.aborted
    now[0] += 2
    factory._sweep()
    await asyncio.sleep(0)
    assert second.aborted
    assert site.counters.connections == 0
    await factory.shutdown(0.1)
    site.close()


async def test_connections_of_two_servers_are_counted_together():
    """As with `[metrics] listen`: the figure is of both, and none is left at the end."""
    async with serving() as page, serving(site=page.site) as figures:
        async with dial(page.port) as (one_reader, one_writer), dial(figures.port) as (reader, writer):
            one_writer.write(PLAIN)
            writer.write(PLAIN)
            await one(one_reader)
            await one(reader)
            assert page.site.counters.connections == 2
        for _ in range(100):
            if not page.site.counters.connections:
                break
            await asyncio.sleep(0.01)
        assert page.site.counters.connections == 0
