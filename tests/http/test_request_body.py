"""Bodies: within their size, within their time, in every way that HTTP can carry them."""

import asyncio
import gzip
import json
from contextlib import asynccontextmanager

import pytest

from crisp_status.api.submit import reply
from crisp_status.http import request_body
from crisp_status.http.router import Router
from tests.http.site_fakes import dial, one, serving

HEAD = b"POST /take HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def taker():
    """A door that says what it got."""
    router = Router()

    async def take(request, args):
        return reply({"got": (await request_body.read(request, limit=1000, seconds=0.3)).decode("latin-1")})

    router.add("POST", "/take", take)
    async with serving(router=router) as server, dial(server.port) as (reader, writer):

        async def send(*chunks):
            for chunk in chunks:
                writer.write(chunk)
                await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                status, headers, answer = await one(reader)
            return status, headers, json.loads(answer)

        yield send


@pytest.mark.parametrize(
    "chunks",
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello",),
        (HEAD + b"Content-Length: 5\r\n\r\n", b"he", b"llo"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"hello", mtime=0),),
    ],
)
async def test_taken(chunks):
    """With a length, in parts, chunked, compressed."""
    async with taker() as send:
        assert (await send(*chunks))[2] == {"got": "hello"}
        assert (await send(*chunks))[2] == {"got": "hello"}, "the connection goes on"


async def test_none():
    """No body is an empty one."""
    async with taker() as send:
        assert (await send(HEAD + b"\r\n"))[2] == {"got": ""}


async def test_asked_before_sent():
    """curl asks with `Expect: 100-continue` before it sends a larger body."""
    async with taker() as send:
        async with asyncio.timeout(5):
            status, _, _ = await send_first(send)
        assert status == 200


async def send_first(send):
    """The interim answer comes first; `one` reads it as an answer without a body."""
    try:
        await send(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    except json.JSONDecodeError:
        return await send(b"hello")
    raise AssertionError("the client was not told to go on")


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Length: 5000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5dc\r\n" + b"x" * 1500,
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(gzip.compress(b"x" * 50_000)), gzip.compress(b"x" * 50_000)),
    ],
)
async def test_too_large(raw):
    """Announced, sent or unpacked: more than the limit is refused, and the connection ends."""
    async with taker() as send:
        status, headers, _ = await send(HEAD + raw)
        assert (status, headers["connection"]) == (413, "close")


async def test_too_slow():
    """A body that trickles does not hold a handler."""
    async with taker() as send:
        status, headers, _ = await send(HEAD + b"Content-Length: 5\r\n\r\nh")
        assert (status, headers["connection"]) == (408, "close")


async def test_badly_packed():
    """What is no gzip although it says so is the client's mistake."""
    async with taker() as send:
        assert (await send(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"))[0] == 400
