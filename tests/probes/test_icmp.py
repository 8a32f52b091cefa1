"""Pings: every address must answer, one socket for all, and silence of strangers does no harm."""

from __future__ import annotations

import asyncio
import socket
import struct
import time

import pytest

from crisp_status import probes
from crisp_status.net import ping
from crisp_status.net import tools as net_tools
from crisp_status.net.ping import Pinger, may_ping
from crisp_status.net.resolve import Address, Resolver
from crisp_status.probes.icmp import check
from tests.probes.servers import looked


def both(host, port, family=0, kind=0, proto=0, flags=0):
    return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 0)), (socket.AF_INET6, 1, 6, "", ("::1", 0, 0, 0))]


@pytest.mark.parametrize("target", ["icmp://127.0.0.1", "icmp://[::1]", "icmp://127.0.0.77"])
async def test_an_answer_is_healthy(target: str) -> None:
    """Over IPv4 and IPv6."""
    seen = await looked(target)

    assert seen.outcome == "healthy"
    assert 1 <= seen.latency_ms < 1000


async def test_all_addresses_must_answer(shared: net_tools.Tools) -> None:
    """Both of a name are pinged, and the worst round trip counts."""
    shared.resolver.close()
    shared.resolver = Resolver(both)
    seen = await looked("icmp://both.example")

    assert seen.outcome == "healthy"
    assert "127.0.0.1 answered after" in seen.lines()
    assert "::1 answered after" in seen.lines()


async def test_thousands_at_once_over_one_socket() -> None:
    """None is lost, and no file is opened for each."""
    addresses = [Address(socket.AF_INET, (f"127.0.{n // 250}.{n % 250 + 1}", 0)) for n in range(4000)]
    pingers = net_tools.tools().pingers
    began = time.monotonic()
    times = await asyncio.wait_for(asyncio.gather(*map(pingers.ping, addresses)), 10)

    assert len(times) == 4000
    assert all(0 < seconds < 5 for seconds in times)
    assert time.monotonic() - began < 8


async def test_only_its_own_answer_counts() -> None:
    """Answers with another token, another number, from errors or noise are passed over."""
    pinger = Pinger(socket.AF_INET)
    waiting = asyncio.ensure_future(pinger.ping(Address(socket.AF_INET, ("127.0.0.1", 0))))
    await asyncio.sleep(0)
    pinger._loop.remove_reader(pinger._sock)
    (waiter,) = pinger._waiting.values()
    header = bytes(20)
    strangers = [
        b"",
        header,
        header + struct.pack("!2B3H", 0, 0, 0, pinger._id, waiter.sequence) + b"otherone",
        header + struct.pack("!2B3H", 0, 0, 0, pinger._id, waiter.sequence ^ 1) + waiter.token,
        header + struct.pack("!2B3H", 0, 0, 0, pinger._id ^ 1, waiter.sequence) + waiter.token,
        header + struct.pack("!2B3H", 3, 1, 0, 0, 0) + bytes(12),
    ]
    for packet in strangers:
        pinger._hear(packet, ("192.0.2.1", 0))
    assert not waiter.answered.done()

    pinger._hear(header + struct.pack("!2B3H", 0, 0, 0, pinger._id, waiter.sequence) + waiter.token, ("127.0.0.1", 0))
    assert await waiting >= 0
    pinger.close()


async def test_a_router_that_complains_is_believed() -> None:
    """ "Host unreachable" about our own packet ends the wait; about another address it does not."""
    pinger = Pinger(socket.AF_INET)
    waiting = asyncio.ensure_future(pinger.ping(Address(socket.AF_INET, ("127.0.0.9", 0))))
    await asyncio.sleep(0)
    pinger._loop.remove_reader(pinger._sock)
    (waiter,) = pinger._waiting.values()

    def complaint(target: bytes) -> bytes:
        quoted = bytes(16) + target + struct.pack("!2B3H", 8, 0, 0, pinger._id, waiter.sequence)
        return bytes(20) + struct.pack("!2B3H", 3, 1, 0, 0, 0) + quoted

    pinger._hear(complaint(b"\x7f\0\0\x01"), ("192.0.2.1", 0))
    assert not waiter.answered.done()
    pinger._hear(complaint(b"\x7f\0\0\x09"), ("192.0.2.1", 0))
    with pytest.raises(probes.ProbeError, match=r"127\.0\.0\.9 is unreachable, says 192\.0\.2\.1"):
        await waiting
    pinger.close()


async def test_silence_is_dead_and_names_who_is_silent() -> None:
    """An answer that never comes: here our own socket is deaf."""
    net_tools.tools().pingers  # noqa: B018 - opens them
    await looked("icmp://127.0.0.1")
    pinger = net_tools.tools().pingers._open[socket.AF_INET]
    pinger._loop.remove_reader(pinger._sock)
    seen = await looked("icmp://127.0.0.1", delay_dead=0.1)

    assert (seen.outcome, seen.reason.text) == ("dead", "no answer from 127.0.0.1 within 0.1 s")


async def test_without_permission_it_is_unknown_and_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not dead: we may not ask."""

    class Forbidden:
        def __init__(self, privileged: bool) -> None:
            raise ping.SocketPermissionError(privileged)

    monkeypatch.setattr(ping, "ICMPv4Socket", Forbidden)
    seen = await looked("icmp://127.0.0.1")

    assert (seen.outcome, seen.cause) == ("unknown", "permission")
    assert "ping_group_range" in seen.reason.text
    assert "CAP_NET_RAW" in seen.reason.text
    assert may_ping() == seen.reason.text


def test_here_it_is_allowed() -> None:
    """The sentence is empty when there is nothing to set."""
    assert may_ping() == ""


@pytest.mark.parametrize("target", ["icmp://a:80", "icmp://a/path", "icmp://"])
def test_addresses_are_checked(target: str) -> None:
    """A host and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        check(target)
