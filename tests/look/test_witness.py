"""Witnesses: silence of all means that our network is gone; any answer means that it works."""

from __future__ import annotations

import pytest

from crisp_status.clock import SystemClock
from crisp_status.look.witness import Network, network
from tests.probes.servers import blackhole, refusing, saying, talking

CLOCK = SystemClock()


async def test_one_answer_is_enough() -> None:
    """The silent ones are not waited for."""
    async with talking(saying()) as server:
        with blackhole() as hole:
            assert await network([f"tcp://{hole}", f"tcp://{server.address}"], CLOCK, wait=5) is Network.WORKS


async def test_a_refusal_came_through_the_network() -> None:
    """So does an error status."""
    assert await network([f"tcp://{refusing()}"], CLOCK) is Network.WORKS


async def test_all_silent() -> None:
    """Nothing comes back from anywhere."""
    with blackhole() as one, blackhole() as other:
        assert await network([f"tcp://{one}", f"tcp://{other}"], CLOCK, wait=0.1) is Network.SILENT


@pytest.mark.parametrize("urls", [[], ["dns://127.0.0.1/?type=A"]])
async def test_who_could_not_ask_knows_nothing(urls: list[str]) -> None:
    """No witness, or one that cannot be asked, proves nothing."""
    assert await network(urls, CLOCK) is Network.UNSURE
