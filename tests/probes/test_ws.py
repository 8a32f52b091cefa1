"""WebSocket looks, against aiohttp's server and against servers that break the protocol."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from tests.probes.servers import Authority, looked, refusing, saying, talking


@contextlib.asynccontextmanager
async def sockets(handler: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """aiohttp's WebSocket server on a port of this machine."""
    app = web.Application()
    app.router.add_get("/ws", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Opens, and answers each text with its capitals."""
    answer = web.WebSocketResponse(protocols=("chat",))
    await answer.prepare(request)
    async for message in answer:
        if message.type is WSMsgType.TEXT:
            await answer.send_str(f"{request.headers.get('X-Key', '')} {message.data.upper()}")
    return answer


async def test_a_ping_is_answered() -> None:
    """Open, ping, pong: healthy, and the story says so."""
    async with sockets(echo) as port:
        seen = await looked(f"ws://127.0.0.1:{port}/ws")

    assert seen.outcome == "healthy"


@pytest.mark.parametrize(("match", "outcome"), [("secret HELLO", "healthy"), ("bye", "dead")])
async def test_a_message_and_its_answer(match: str, outcome: str) -> None:
    """A text is sent with the fields of the handshake, and what comes back must fit."""
    async with sockets(echo) as port:
        seen = await looked(
            f"ws://127.0.0.1:{port}/ws", send="hello", healthy_match=match, headers={"X-Key": "secret"}, delay_dead=0.5
        )

    assert seen.outcome == outcome
    assert outcome == "healthy" or "no message" in seen.reason.text


@pytest.mark.parametrize(("offered", "outcome"), [("chat", "healthy"), ("mqtt", "dead")])
async def test_subprotocols(offered: str, outcome: str) -> None:
    """One of those that are offered must be chosen."""
    async with sockets(echo) as port:
        assert (await looked(f"ws://127.0.0.1:{port}/ws", subprotocols=(offered,))).outcome == outcome


async def test_a_refusal_has_its_status() -> None:
    """Another path, and a server that wants a sign-in."""
    async with sockets(echo) as port:
        seen = await looked(f"ws://127.0.0.1:{port}/elsewhere")

    assert (seen.outcome, seen.reason.code, seen.reason.value) == ("dead", "status", "404")


async def test_tls_and_its_certificate(authority: Authority) -> None:
    """wss:// refuses a certificate that a browser would refuse, and watches its end."""
    async with sockets(echo, authority.context(own=True)) as port:
        refused = await looked(f"wss://127.0.0.1:{port}/ws")
        taken = await looked(f"wss://127.0.0.1:{port}/ws", verify_tls=False)
        sick = await looked(f"wss://127.0.0.1:{port}/ws", verify_tls=False, certificate_sick_days=3650)

    assert (refused.outcome, refused.reason.code) == ("dead", "certificate")
    assert (taken.outcome, sick.outcome, sick.reason.code) == ("healthy", "sick", "certificate")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "no_answer"),
        (b"220 smtp ready\r\n", "banner"),
        ((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Sec-WebSocket-Accept: d3Jvbmc=\r\n\r\n"), "banner"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "status"),
    ],
)  # fmt: skip
async def test_what_is_no_websocket_is_dead(said: bytes, code: str) -> None:
    """Nothing, another protocol, a wrong key, an ordinary page."""
    async with talking(saying(said)) as server:
        seen = await looked(f"ws://{server.address}/ws")

    assert (seen.outcome, seen.reason.code) == ("dead", code)


async def test_silence_and_refusal() -> None:
    """Nothing in time, nobody there."""
    async with talking(saying(stay=True)) as server:
        assert "no WebSocket opened" in (await looked(f"ws://{server.address}/", delay_dead=0.2)).reason.text
    assert (await looked(f"ws://{refusing()}/")).reason.code == "refused"


async def test_a_server_that_never_ends_is_stopped() -> None:
    """A megabyte without an answer is enough."""
    async with talking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", *[b"x" * 65536] * 40)) as server:
        assert (await looked(f"ws://{server.address}/")).outcome == "dead"
