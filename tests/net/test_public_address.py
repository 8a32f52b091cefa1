"""Addresses that strangers gave us: which are public, and that no connection is made to the others."""

import asyncio

import aiohttp
import pytest

from crisp_status.net import public_address
from crisp_status.net.public_address import is_public, refuse_private_literal

PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "::a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "100::1",
    "localhost",
    "name.example",
]

PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_in_any_form(ip):
    """The loopback, private and shared networks, link-local ones (where clouds keep secrets), and forms that carry them."""
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_in_any_form(ip):
    """What the internet routes, also where an IPv6 address carries an IPv4 one."""
    assert is_public(ip)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "10.0.0.1",
    ],
)
def test_literals_are_refused_without_a_look_up(host):
    """In every spelling that the system would take for such an address."""
    with pytest.raises(ValueError, match="is not a public address"):
        refuse_private_literal(f"https://{host}:8443/x")


@pytest.mark.parametrize("host", ["push.example", "1.1.1.1", "[2606:4700::1111]", "1.example"])
def test_other_hosts_are_checked_when_they_are_resolved(host):
    """A name says nothing yet."""
    refuse_private_literal(f"https://{host}/x")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1"])
async def test_no_connection_is_made(host):
    """Whatever the URL says, nothing is sent to a server on the loopback."""
    came = []
    server = await asyncio.start_server(lambda reader, writer: came.append(writer.close()), ["127.0.0.1", "::1"], 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession(connector=public_address.connector()) as session:
        with pytest.raises(aiohttp.ClientError, match=r"is not a (public|canonical)"):
            await session.get(f"http://{host}:{port}/")

    assert came == []


async def test_what_may_be_reached_is_reached():
    """The guard of a test lets the loopback through, and the connector then works as any other."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    guard = public_address.connector(lambda ip: ip == "127.0.0.1")
    async with (
        server,
        aiohttp.ClientSession(connector=guard) as session,
        session.get(f"http://127.0.0.1:{port}/") as response,
    ):
        assert response.status == 204
