"""The server over real sockets, down to the bytes."""

import asyncio
import gzip
import io
import json
import re
import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web

from crisp_status import log
from crisp_status.http.connections import Limits
from crisp_status.http.error_responses import Refused
from crisp_status.http.listen import ListenError
from crisp_status.http.request_body import read
from crisp_status.http.router import Router
from crisp_status.http.server import WebServer, connections_allowed
from crisp_status.http.site import Site
from tests.fakes import FakeClock
from tests.http.site_fakes import dial, one, serving, table, talk, view

BOTH = pytest.mark.parametrize("fast", [True, False])


def get(path="/", *headers, method="GET", version="1.1"):
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: status.example", *headers, "", ""]).encode()


async def ask(port, request):
    """One request on a connection of its own; status, headers, body."""
    async with dial(port) as (reader, writer), asyncio.timeout(60):
        writer.write(request)
        return await one(reader)


@BOTH
async def test_a_page_in_every_form(fast):
    """Plain, compressed, head only, and not at all when the client has it."""
    async with serving(fast=fast) as s:
        await ask(s.port, get())
        status, headers, body = await ask(s.port, get())
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert headers["vary"] == "Accept-Encoding, Accept-Language"
        assert headers["content-language"] == "en"
        assert "content-encoding" not in headers

        _, packed, small = await ask(s.port, get("/", "Accept-Encoding: gzip"))
        assert packed["content-encoding"] == "gzip"
        assert gzip.decompress(small) == body
        assert packed["etag"] != headers["etag"]

        async with dial(s.port) as (reader, writer):
            writer.write(get("/", method="HEAD"))
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert f"Content-Length: {len(body)}" in head
            writer.write(get("/", f"If-None-Match: {headers['etag']}"))
            status, unchanged, nothing = await one(reader)
            assert (status, nothing, unchanged["etag"]) == (304, b"", headers["etag"])
            assert "content-length" not in unchanged

        status, *_ = await ask(s.port, get("/", "Accept-Encoding: gzip", f"If-None-Match: {headers['etag']}"))
        assert status == 200, "another compression is another representation"


async def test_languages():
    """By header on the bare address, by path under the language's own; unknown ones are not found."""
    async with serving() as s:
        assert b"lang=fr" in (await ask(s.port, get("/", "Accept-Language: fr-CA")))[2]
        _, headers, body = await ask(s.port, get("/fr/history/", "Accept-Language: en"))
        assert b"lang=fr" in body
        assert headers["vary"] == "Accept-Encoding"
        assert (await ask(s.port, get("/xx/")))[0] == 404
        assert (await ask(s.port, get("/fr/status/text")))[0] == 404, "that one has no language"


@BOTH
async def test_security_headers(fast):
    """Every answer says what a browser may do with it."""
    async with serving(fast=fast) as s:
        for path in ("/", "/status/text", "/nothing"):
            await ask(s.port, get(path))
            _, headers, _ = await ask(s.port, get(path, "Accept: text/html"))
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "aiohttp" not in headers.get("server", "")
        _, headers, _ = await ask(s.port, get("/status/text"))
        assert headers["access-control-allow-origin"] == "*"


async def test_errors_for_machines_and_for_people():
    """JSON unless a browser asks."""
    async with serving() as s:
        status, headers, body = await ask(s.port, get("/nothing"))
        assert (status, headers["content-type"]) == (404, "application/json")
        assert set(json.loads(body)) == {"error", "detail"}
        status, headers, body = await ask(s.port, get("/nothing", "Accept: text/html,*/*"))
        assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "· Acme</title>" in body.decode()
        assert (await ask(s.port, get("/incidents/410")))[0] == 410


async def test_methods():
    """Documents are read; other methods are told so."""
    async with serving() as s:
        status, headers, _ = await ask(s.port, get("/", method="POST"))
        assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        status, headers, _ = await ask(s.port, get("/status/text", method="OPTIONS"))
        assert (status, headers["access-control-allow-methods"]) == (204, "GET, HEAD")


async def test_starting():
    """Until there is a view, clients are told when to come again."""
    async with serving(ready=False) as s:
        status, headers, _ = await ask(s.port, get("/"))
        assert (status, headers["retry-after"]) == (503, "5")


async def test_a_bug_of_ours_is_a_500_without_a_story():
    """What went wrong is in the log, not in the answer."""
    router = Router()

    async def broken(request, args):
        raise ZeroDivisionError("secret")

    async def refusing(request, args):
        raise Refused(418, "no coffee")

    router.add("GET", "/broken", broken)
    router.add("GET", "/refusing", refusing)
    async with serving(router=router) as s:
        status, _, body = await ask(s.port, get("/broken"))
        assert status == 500
        assert b"secret" not in body
        assert (await ask(s.port, get("/refusing")))[0] == 418


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(100)) + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_no_client_makes_a_5xx(raw):
    """Whatever comes in is answered with a 4xx, or the connection ends."""
    async with serving() as s:
        answer = await talk(s.port, raw, until_close=False)
        assert answer[:10] in {b"", b"HTTP/1.1 4", b"HTTP/1.0 4"}, answer[:200]
        assert (await ask(s.port, get("/")))[0] == 200


@BOTH
async def test_old_and_closing_clients(fast):
    """HTTP/1.0 and `Connection: close` get the same bytes, and the connection ends."""
    async with serving(fast=fast) as s:
        for request in (get("/", version="1.0"), get("/", "Connection: close")):
            raw = await talk(s.port, request, until_close=True)
            assert raw.startswith(b"HTTP/1.1 200")
            assert b"\r\nConnection: close\r\n" in raw
            assert raw.endswith(b"filler</b>")
        raw = await talk(s.port, get("/", "Connection: keep-alive", version="1.0"), pause=0.05, until_close=False)
        assert b"\r\nConnection: keep-alive\r\n" in raw


async def test_a_crowd_need_not_knock_twice():
    """Hundreds who come within one blink of the loop are all let in: who is dropped tries again a second later."""
    async with serving() as s:
        crowd = [socket.create_connection(("127.0.0.1", s.port), timeout=0.5) for _ in range(500)]
        for client in crowd:
            client.close()


async def test_a_trickling_client_is_cut_off():
    """A header block must be complete in time, however busily it is sent."""
    async with serving(limits=Limits(first_seconds=0.2)) as s, dial(s.port) as (_, writer), asyncio.timeout(60):
        try:
            for byte in get("/", "X: " + "y" * 500):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        else:
            pytest.fail("it was let through")


async def test_an_idle_client_is_let_go():
    """A connection on which nothing is asked any more ends."""
    async with serving(limits=Limits(idle_seconds=0.2)) as s, dial(s.port) as (reader, writer), asyncio.timeout(60):
        writer.write(get("/status/text"))
        await one(reader)
        await asyncio.sleep(0.1)
        writer.write(get("/status/text"))
        await one(reader)
        assert await reader.read() == b""


@BOTH
async def test_a_client_that_does_not_read_is_cut_off(fast):
    """Bytes that nobody fetches do not stay in our memory."""
    async with slow_reader(fast, Limits(stall_seconds=0.2)) as (sock, unread), asyncio.timeout(60):
        left = unread
        await asyncio.sleep(0.4)
        with suppress(ConnectionError):
            while more := await asyncio.get_running_loop().sock_recv(sock, 1 << 20):
                left -= len(more)
        assert left > 0


@BOTH
async def test_a_client_that_reads_again_in_time_stays(fast):
    """Who was slow for a while, and then read all, is a client like others."""
    async with slow_reader(fast, Limits(stall_seconds=3)) as (sock, unread), asyncio.timeout(60):
        left = unread
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.2)
        while left > 0:
            more = await loop.sock_recv(sock, left)
            assert more, "it was cut off"
            left -= len(more)
        await asyncio.sleep(3.5)

        await loop.sock_sendall(sock, get("/status/text"))
        assert (await loop.sock_recv(sock, 1000)).startswith(b"HTTP/1.1 200")


@asynccontextmanager
async def slow_reader(fast, limits):
    """A client that asked for more than fits between it and the server, and how many bytes it has not read."""
    async with serving(fast=fast, limits=limits) as s:
        await s.site.show(view("x" * 20_000_000))
        with socket.socket() as sock:
            sock.connect(("127.0.0.1", s.port))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, get("/", "Accept-Encoding: identity"))
            head, _, body = (await loop.sock_recv(sock, 4000)).partition(b"\r\n\r\n")
            yield sock, int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(body)


def doors():
    """A router with a door that takes a body, and one that takes its time."""
    router = Router()

    async def echo(request, args):
        return web.Response(body=await read(request))

    async def slow(request, args):
        await asyncio.sleep(0.05)
        return web.Response(text="late")

    router.add("POST", "/echo", echo)
    router.add("GET", "/slow", slow)
    return router


@BOTH
@pytest.mark.parametrize("pause", [0.0, 0.02])
@pytest.mark.parametrize(
    ("request_", "begins", "ends"),
    [
        (get(), b"HTTP/1.1 200", b"filler</b>"),
        (get(version="1.0"), b"HTTP/1.1 200", b"filler</b>"),
        (get("/history/", "X-Twice: a", "X-Twice: b"), b"HTTP/1.1 200", b"filler</b>"),
        (get("/nothing"), b"HTTP/1.1 404", b"}"),
        (get("/slow"), b"HTTP/1.1 200", b"late"),
        (get("/slow") + get("/status/text") + get("/slow"), b"HTTP/1.1 200", b"late"),
        (get("/echo", "Content-Length: 5", method="POST") + b"hello", b"HTTP/1.1 200", b"hello"),
        (
            get("/echo", "Transfer-Encoding: chunked", method="POST") + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            b"HTTP/1.1 200",
            b"hello",
        ),
        (b"NONSENSE\r\n\r\n", b"HTTP/1.0 400", b"}"),
    ],
)
async def test_a_client_that_says_no_more_is_answered(fast, pause, request_, begins, ends):
    """As `nc -N` does: the whole request, the end of sending, and then it waits; all its answers come, and the end."""
    async with serving(fast=fast, router=doors()) as s:
        raw = await talk(s.port, request_, pause=pause)

        assert raw.startswith(begins)
        assert raw.endswith(ends)
        assert raw.count(b"\r\nDate: ") == max(request_.count(b"GET "), 1)


@BOTH
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HT",
        get("/echo", "Content-Length: 5", method="POST"),
        get("/echo", "Content-Length: 5", method="POST") + b"hell",
        get("/echo", "Transfer-Encoding: chunked", method="POST") + b"2\r\nhe\r\n",
        get("/nothing", "Content-Length: 5", method="POST", version="1.0")[:-1],
    ],
)
async def test_a_request_that_is_never_complete_ends_at_once(fast, beginning):
    """Who says no more in the middle of a request gets nothing, and does not keep the connection."""
    async with serving(fast=fast, router=doors()) as s:
        assert await talk(s.port, beginning, pause=0.02, timeout=1) == b""


async def test_a_client_that_leaves_in_the_middle_is_no_line_of_the_log():
    """However it hangs up while its body is awaited; a connection of our own that breaks is one."""
    lines = io.StringIO()
    log.configure(stream=lines)
    router = doors()

    async def broken(request, args):
        raise ConnectionResetError("ours")

    router.add("GET", "/broken", broken)
    async with serving(router=router) as s, asyncio.timeout(60):
        part = get("/echo", "Content-Length: 5", method="POST") + b"hel"
        for beginning in (part, get("/echo", "Content-Length: 5", "Expect: 100-continue", method="POST")):
            await talk(s.port, beginning)
            await talk(s.port, beginning, pause=0.02)
            client = socket.create_connection(("127.0.0.1", s.port))
            client.sendall(beginning)
            await asyncio.sleep(0.02)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        while s.site.counters.connections:
            await asyncio.sleep(0.005)
        assert lines.getvalue() == ""

        assert (await ask(s.port, get("/broken")))[0] == 500
    assert "ours" in lines.getvalue()


async def test_connections_that_are_half_open_do_not_pile_up():
    """Idle ones end at once; one whose answer does not come, or is not fetched, after the time for those who stall."""
    router = Router()
    over = asyncio.Event()

    async def never(request, args):
        await over.wait()
        raise Refused(418, "nobody reads it")

    async def large(request, args):
        return web.Response(body=b"x" * 10_000_000)

    router.add("GET", "/never", never)
    router.add("GET", "/large", large)
    async with serving(router=router, limits=Limits(stall_seconds=0.3)) as s, asyncio.timeout(60):
        loop = asyncio.get_running_loop()
        clients = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(12)]
        for number, client in enumerate(clients):
            client.setblocking(False)
            await loop.sock_sendall(client, get(("/nothing", "/never", "/large")[number % 3]))
        for client in clients[::3]:
            assert (await loop.sock_recv(client, 12)) == b"HTTP/1.1 404"
        assert s.site.counters.connections == 12

        for client in clients:
            client.shutdown(socket.SHUT_WR)
        began = loop.time()
        while s.site.counters.connections > 8:
            await asyncio.sleep(0.005)
        assert loop.time() - began < 0.25, "nothing is owed to those who are idle"
        while s.site.counters.connections:
            await asyncio.sleep(0.01)
        over.set()
        for client in clients:
            client.close()


async def test_too_many_connections():
    """One more than the limit takes the place of the oldest that is idle."""
    async with serving(limits=Limits(connections=3)) as s, AsyncExitStack() as stack:
        pairs = []
        for _ in range(4):
            pairs.append(await stack.enter_async_context(dial(s.port)))
            pairs[-1][1].write(get("/status/text"))
            await one(pairs[-1][0])
        async with asyncio.timeout(60):
            assert await pairs[0][0].read() == b""
        pairs[3][1].write(get("/status/text"))
        assert (await one(pairs[3][0]))[0] == 200
        assert s.site.counters.connections_refused == 1


async def test_twice_in_one_process_and_again():
    """The server is a value: two at a time on port 0, and one again after its stop."""
    site = Site(table(), FakeClock())
    await site.show(view())
    first, second = (WebServer(site, Router(), ["127.0.0.1:0", "[::1]:0"]) for _ in range(2))
    await first.start()
    await second.start()
    assert len(set(first.bound + second.bound)) == 4
    await first.stop()
    assert first.bound == []
    await first.start()
    assert (await ask(int(first.bound[0].rpartition(":")[2]), get("/status/text")))[2] == b"healthy"
    await second.stop()
    await first.stop()
    site.close()


async def test_a_stop_finishes_what_is_asked():
    """A request in flight gets its answer, nobody new comes in."""
    router = Router()
    begun = asyncio.Event()

    async def slow(request, args):
        begun.set()
        await asyncio.sleep(0.1)
        raise Refused(418, "late")

    router.add("GET", "/slow", slow)
    async with serving(router=router) as s:
        asked = asyncio.create_task(ask(s.port, get("/slow")))
        await begun.wait()
        await s.server.stop(3)
        assert (await asked)[0] == 418
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", s.port)


async def test_a_port_in_use():
    """The sentence says which address, why, and what to do; nothing stays open."""
    async with serving() as s:
        server = WebServer(s.site, Router(), ["127.0.0.1:0", f"127.0.0.1:{s.port}"])
        with pytest.raises(ListenError) as caught:
            await server.start()

    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{s.port}: another program listens there; "
        "stop it, or set another port in server.listen"
    )


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("192.0.2.1:80", "this machine has no such address"),
        ("no.such.host.invalid:80", "the name no.such.host.invalid has no address"),
        ("unix:/no/such/folder/x.sock", "its folder does not exist"),
        ("systemd", "it has handed over no socket"),
        ("nonsense", "expected host:port"),
    ],
)
async def test_addresses_that_cannot_be(address, words):
    """Each with its reason."""
    site = Site(table(), FakeClock())
    with pytest.raises(ListenError, match=words):
        await WebServer(site, Router(), [address], inherited=list).start()
    site.close()


async def test_unix_sockets(tmp_path):
    """A socket that a killed daemon left is replaced, a living one is not, and ours is gone after the stop."""
    path = tmp_path / "http.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    site = Site(table(), FakeClock())
    await site.show(view())
    server = WebServer(site, Router(), [f"unix:{path}"])
    await server.start()
    assert path.stat().st_mode & 0o777 == 0o666
    with pytest.raises(ListenError, match="another program listens there"):
        await WebServer(site, Router(), [f"unix:{path}"]).start()
    async with dial(0, str(path)) as (reader, writer):
        writer.write(get("/status/text"))
        assert (await one(reader))[2] == b"healthy"
    await server.stop()
    assert not path.exists()
    path.write_text("not a socket")
    with pytest.raises(ListenError, match="a file that is not a socket"):
        await WebServer(site, Router(), [f"unix:{path}"]).start()
    assert path.read_text() == "not a socket"
    site.close()


async def test_sockets_from_systemd():
    """An inherited socket is served as it is."""
    inherited = socket.create_server(("127.0.0.1", 0))
    port = inherited.getsockname()[1]
    site = Site(table(), FakeClock())
    await site.show(view())
    server = WebServer(site, Router(), ["systemd"], inherited=lambda: [inherited])
    await server.start()
    assert server.bound == [f"127.0.0.1:{port}"]
    assert (await ask(port, get("/status/text")))[2] == b"healthy"
    await server.stop()
    site.close()


async def test_the_date_is_now():
    """The `Date` header follows the clock, also on bytes that were made before."""
    clock = FakeClock(now=0.0)
    site = Site(table(), clock)
    await site.show(view())
    async with serving(site=site) as s:
        await ask(s.port, get("/status/text"))
        assert (await ask(s.port, get("/status/text")))[1]["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        clock.advance(3600)
        s.site.dater._until = 0.0
        assert (await ask(s.port, get("/status/text")))[1]["date"] == "Thu, 01 Jan 1970 01:00:00 GMT"
    site.close()


@pytest.mark.parametrize(
    ("files", "connections"), [(20, 8), (64, 16), (256, 176), (1024, 192), (4096, 960), (65_536, 4096)]
)
def test_strangers_never_hold_the_last_file(files, connections):
    """Connections leave files for looks and the journal, whatever the limit is; a large limit changes nothing."""
    assert connections_allowed(4096, files) == connections
    assert connections < files - 8
