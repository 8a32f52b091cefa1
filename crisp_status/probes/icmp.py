"""`icmp://host` is healthy when every address of the host answers a ping; the worst round trip counts."""

from __future__ import annotations

import asyncio

from crisp_status.net.connect import of_family
from crisp_status.net.errors import has_route
from crisp_status.net.resolve import Address
from crisp_status.net.target import known, plain
from crisp_status.net.tools import tools
from crisp_status.probes import Reading, Unknowable, expect, note
from crisp_status.probes._connection import FamilyOptions

SCHEMES = ("icmp",)
LIMIT = "pings"


class Options(FamilyOptions):
    """The table `[services.nodes.icmp]`."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    if plain(target, -1).port != -1:
        raise ValueError("a ping has no port")


async def probe(target: str, options: Options) -> Reading:
    """Ping all addresses at once; all must answer. Those of a family without any route from here are left out."""
    host = known(target, -1).host
    addresses = of_family(await tools().resolver.resolve(host, 0), options.way, host)
    if len(addresses) > 1:
        addresses = tuple(address for address in addresses if has_route(address.sockaddr))
        if not addresses:
            raise Unknowable(f"this host has no route to any address of {host}", "network")
    if len(addresses) == 1:
        expect("no answer from {peer}", peer=addresses[0])
        _, seconds = await _ping(addresses[0])
        return Reading(latency=seconds)
    return Reading(latency=await _worst(addresses))


async def _worst(addresses: tuple[Address, ...]) -> float:
    """Ping all of them; the longest round trip when all have answered."""
    worst = 0.0
    pings = {asyncio.ensure_future(_ping(address)): address for address in addresses}
    silent = dict.fromkeys(addresses)
    _expect(silent)
    try:
        for answer in asyncio.as_completed(pings):
            address, seconds = await answer
            del silent[address]
            _expect(silent)
            worst = max(worst, seconds)
    finally:
        for ping in pings:
            ping.cancel()
        await asyncio.gather(*pings, return_exceptions=True)
    return worst


async def _ping(address: Address) -> tuple[Address, float]:
    seconds = await tools().pingers.ping(address)
    note("{address} answered after {ms:.3f} ms", address=address, ms=seconds * 1000)
    return address, seconds


def _expect(silent: dict[Address, None]) -> None:
    if silent:
        expect("no answer from {peer}", peer=", ".join(map(str, silent)))
