"""TCP looks: any address will do, and each way not to get a connection has its words."""

from __future__ import annotations

import asyncio
import socket

import pytest

from crisp_status.net import tools as net_tools
from crisp_status.net.resolve import Resolver
from crisp_status.probes.tcp import check
from tests.probes import databases
from tests.probes.servers import blackhole, looked, refusing, saying, talking


def named(*addresses: tuple[str, int]) -> Resolver:
    """A resolver that knows one name with these addresses, whatever the port."""

    def lookup(host, port, family=0, kind=0, proto=0, flags=0):
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, given)) for ip, given in addresses]

    return Resolver(lookup)


async def test_accepted_is_healthy() -> None:
    """A connection is all that is asked for, over IPv4 and IPv6."""
    async with talking(saying()) as four, talking(saying(), host="::1") as six:
        assert (await looked(f"tcp://{four.address}")).outcome == "healthy"
        assert (await looked(f"tcp://{six.address}")).outcome == "healthy"


async def test_refused_is_dead() -> None:
    """The address that refused is named."""
    address = refusing()
    seen = await looked(f"tcp://{address}")

    assert (seen.outcome, seen.reason.text) == ("dead", f"connection refused by {address}")


async def test_swallowed_is_dead() -> None:
    """A full queue, a firewall that drops: no connection in time."""
    with blackhole() as address:
        seen = await looked(f"tcp://{address}", delay_dead=0.1)

    assert (seen.outcome, seen.reason.text) == ("dead", f"no connection to {address} within 0.1 s")


async def test_any_address_will_do(shared: net_tools.Tools) -> None:
    """The first refuses, the second swallows, the third accepts: healthy, without waiting for the second."""
    refuser = refusing()
    async with talking(saying()) as server:
        with blackhole() as hole:
            ports = [int(a.rpartition(":")[2]) for a in (refuser, hole, server.address)]
            shared.resolver.close()
            shared.resolver = named(*(("127.0.0.1", port) for port in ports))
            seen = await looked("tcp://many.example:1", delay_dead=3)

    assert seen.outcome == "healthy"
    assert seen.latency_ms < 1000


async def test_all_addresses_refuse(shared: net_tools.Tools) -> None:
    """One is named, the others are counted."""
    first, second = refusing(), refusing()
    shared.resolver.close()
    shared.resolver = named(*(("127.0.0.1", int(a.rpartition(":")[2])) for a in (first, second)))
    seen = await looked("tcp://many.example:1")

    assert (seen.outcome, seen.reason.code) == ("dead", "refused")
    assert seen.reason.text == f"connection refused by {first}, and no better by 1 more address"


async def test_losers_of_the_race_are_closed(shared: net_tools.Tools) -> None:
    """Whoever connects second is hung up on; nothing stays open."""
    held: list[asyncio.StreamReader] = []

    async def hold(reader, writer):
        held.append(reader)
        assert await reader.read() == b""

    async with talking(hold) as server:
        shared.resolver.close()
        shared.resolver = named(("127.0.0.1", server.port), ("127.0.0.1", server.port))
        assert (await looked("tcp://many.example:1")).outcome == "healthy"
        for _ in range(20):
            await asyncio.sleep(0.005)

    assert held
    assert all(reader.at_eof() for reader in held)


@pytest.mark.parametrize("target", ["tcp://a", "tcp://a:80/path", "tcp://:80", "tcp://a:b"])
def test_addresses_are_checked(target: str) -> None:
    """A host and a port, nothing else."""
    with pytest.raises(ValueError, match=r"."):
        check(target)


async def test_what_is_sent_and_what_must_come_back() -> None:
    """A real server: Redis answers PONG to PING; another answer is dead, with what was said."""
    async with databases.redis() as port:
        right = await looked(f"tcp://127.0.0.1:{port}", send="PING\r\n", expect=r"^\+PONG")
        wrong = await looked(f"tcp://127.0.0.1:{port}", send="QUIT\r\n", expect=r"^\+PONG")

    assert right.outcome == "healthy"
    assert (wrong.outcome, wrong.reason.code) == ("dead", "match")
    assert "+OK" in wrong.reason.text


@pytest.mark.parametrize(
    ("said", "outcome"),
    [([b"220 ma", b"il ready\r\n"], "healthy"), ([b"554 no\r\n"], "dead"), ([], "dead"), ([b"x" * 40_000] * 3, "dead")],
)
async def test_an_answer_may_come_in_pieces_and_has_an_end(said: list[bytes], outcome: str) -> None:
    """Without `send` the server speaks first; closing, and 64 kB of something else, are dead."""
    async with talking(saying(*said, after_head=False)) as server:
        assert (await looked(f"tcp://{server.address}", expect="^220 mail")).outcome == outcome


async def test_an_answer_that_does_not_come() -> None:
    """Silence is dead at the deadline, and names the expression."""
    async with talking(saying(after_head=False, stay=True)) as server:
        seen = await looked(f"tcp://{server.address}", send="hello", expect="^220", delay_dead=0.2)

    assert "no answer that matches ^220" in seen.reason.text
