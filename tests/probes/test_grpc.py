"""gRPC health against the server of gRPC's own library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.probes.databases import free_port
from tests.probes.servers import Authority, blackhole, looked, refusing, saying, talking

STATES = health_pb2.HealthCheckResponse


@contextlib.asynccontextmanager
async def server(credentials: Any = None, *, with_health: bool = True) -> AsyncIterator[tuple[int, Any]]:
    """A real server, and what it says of its services."""
    found = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    if with_health:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, found)
    port = free_port()
    where = f"127.0.0.1:{port}"
    _ = found.add_secure_port(where, credentials) if credentials else found.add_insecure_port(where)
    await found.start()
    try:
        yield port, servicer
    finally:
        await found.stop(None)


async def test_the_library_s_own_server() -> None:
    """The whole server, one service, one that is down, one that nobody knows, none at all."""
    async with server() as (port, servicer):
        await servicer.set("shop.Cart", STATES.SERVING)
        await servicer.set("shop.Pay", STATES.NOT_SERVING)
        seen = {path: await looked(f"grpc://127.0.0.1:{port}{path}") for path in ("", "/shop.Cart", "/shop.Pay", "/x")}
    async with server(with_health=False) as (port, _):
        without = await looked(f"grpc://127.0.0.1:{port}")

    assert [look.outcome for look in seen.values()] == ["healthy", "healthy", "dead", "dead"], seen
    assert "says SERVING" in seen[""].lines()
    assert (seen["/shop.Pay"].reason.value, seen["/x"].reason.value) == ("NOT_SERVING", "NOT_FOUND")
    assert without.reason.text.endswith("answers UNIMPLEMENTED: it has no health service (grpc.health.v1)")


async def test_with_tls_and_a_certificate_of_ours(authority: Authority, tmp_path) -> None:
    """A server that wants a client certificate gets it; without one, and with a wrong authority, it is dead."""
    own = Authority(tmp_path, "Private Authority")
    file = own.certificate("127.0.0.1")
    pem = file.read_bytes()
    key = pem[pem.index(b"-----BEGIN PRIVATE") :]
    credentials = grpc.ssl_server_credentials([(key, pem)], own.file.read_bytes(), require_client_auth=True)
    given = {"ca_file": str(own.file), "client_cert": str(file)}
    async with server(credentials) as (port, _):
        url = f"grpcs://127.0.0.1:{port}"
        right = await looked(url, **given)
        nobody = await looked(url, ca_file=str(own.file))
        stranger = await looked(url, client_cert=str(file))

    assert right.outcome == "healthy", right.lines()
    assert (nobody.outcome, nobody.reason.code) == ("dead", "no_answer"), "it closes without an alert"
    assert stranger.reason.text == "certificate comes from an unknown authority (Private Authority)"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "error"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "no_answer"),
        (b"\x00\xff\xff\x09\xff" + b"\xff" * 400, "error"),
        (b"", "no_answer"),
    ],
)
async def test_what_is_no_grpc_is_dead(said: bytes, code: str) -> None:
    """HTTP/1.1, a server that says hello and leaves, nonsense, nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(24)
        writer.write(said)
        await writer.drain()

    async with talking(talk) as found:
        seen = await looked(f"grpc://{found.address}")

    assert (seen.outcome, seen.reason.code) == ("dead", code), seen.reason.text


async def test_refused_and_silent() -> None:
    """As everywhere."""
    assert (await looked(f"grpc://{refusing()}")).reason.code == "refused"
    with blackhole() as address:
        assert (await looked(f"grpc://{address}", delay_dead=0.3)).reason.code == "no_answer"
    async with talking(saying(after_head=False, stay=True)) as found:
        seen = await looked(f"grpc://{found.address}", delay_dead=0.3)
    assert seen.reason.text.startswith(f"no answer to a health check by {found.address}")
