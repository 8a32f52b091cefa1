"""What must not answer: a look turned around."""

from __future__ import annotations

import pytest

from crisp_status.clock import SystemClock
from crisp_status.look.once import Policy
from crisp_status.look.policy import look
from crisp_status.look.witness import Witnesses
from crisp_status.net import tools as net_tools
from crisp_status.probes import tcp
from tests.probes.databases import redis
from tests.probes.servers import answering, blackhole, http, looked, talking

TURNED = Policy(retry=1, retry_wait=0.0, delay_dead=0.3, delay_sick=0.3, expect_dead=True)


async def test_what_answers_is_dead_and_what_does_not_is_healthy(shared: net_tools.Tools) -> None:
    """A real server that must be closed: while it runs, dead with every attempt; refused at once when it does not."""
    async with redis() as port:
        opened = await look(tcp, f"tcp://127.0.0.1:{port}", tcp.Options(), TURNED, SystemClock())
    closed = await look(tcp, f"tcp://127.0.0.1:{port}", tcp.Options(), TURNED, SystemClock())

    assert (opened.outcome, opened.attempts, opened.reason.code) == ("dead", 2, "match")
    assert opened.reason.text == "it answers as it must not: expect_dead is set"
    assert (closed.outcome, closed.attempts) == ("healthy", 1)
    assert "failed as it should" in closed.lines()


@pytest.mark.parametrize(("body", "outcome"), [(b"all is well", "healthy"), (b"out of stock", "dead")])
async def test_a_page_may_have_to_lack_a_word(shared: net_tools.Tools, body: bytes, outcome: str) -> None:
    """Whatever an option asks for must not be so."""
    async with talking(answering({"GET /": http("200 OK", body)})) as server:
        seen = await looked(server.url(), healthy_match="out of stock", expect_dead=True)

    assert seen.outcome == outcome


@pytest.mark.parametrize(("alive", "outcome"), [(True, "healthy"), (False, "unknown")])
async def test_silence_is_well_only_while_our_network_works(shared: net_tools.Tools, alive: bool, outcome: str) -> None:
    """A cut cable closes no port: with silent witnesses nothing is known."""
    with blackhole() as silent:
        async with talking(answering({})) as server:
            witnesses = Witnesses([f"tcp://{server.address}"], SystemClock(), wait=0.3)
            await witnesses.introduce()
            if alive:
                seen = await look(tcp, f"tcp://{silent}", tcp.Options(), TURNED, SystemClock(), witnesses=witnesses)
        if not alive:
            witnesses.urls = [f"tcp://{silent}"]
            witnesses._answered = {f"tcp://{silent}"}
            seen = await look(tcp, f"tcp://{silent}", tcp.Options(), TURNED, SystemClock(), witnesses=witnesses)

    assert seen.outcome == outcome


async def test_what_we_cannot_know_stays_unknown(shared: net_tools.Tools) -> None:
    """A failure of ours is no proof."""
    async with talking(answering({})) as server:
        seen = await looked(server.url(scheme="https"), ca_file="/missing.pem", expect_dead=True)

    assert seen.outcome == "unknown"
