"""Witnesses: silence of all that have ever answered means that our network is gone; any answer means that it works."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from crisp_status.clock import SystemClock
from crisp_status.config.sections import GATEWAY
from crisp_status.core.model import Health, ReasonCode
from crisp_status.look.once import Policy
from crisp_status.look.policy import look
from crisp_status.look.witness import Network, Witnesses, gateway
from crisp_status.net.errors import ProbeError, Unknowable
from crisp_status.probes import Reading
from tests.probes.servers import blackhole, refusing, saying, talking

CLOCK = SystemClock()


def asked(*urls: str, live: bool = True, wait: float = 0.1) -> Witnesses:
    """Witnesses, all of which have answered before unless said otherwise."""
    made = Witnesses(urls, CLOCK, wait=wait)
    if live:
        made._answered.update(urls)
    return made


class TestTheNetwork:
    async def test_works_by_one_answer(self) -> None:
        """The silent ones are not waited for."""
        async with talking(saying()) as server:
            with blackhole() as hole:
                witnesses = asked(f"tcp://{hole}", f"tcp://{server.address}", wait=5)
                assert await witnesses.network() is Network.WORKS

    async def test_works_by_a_refusal(self) -> None:
        """It came through the network."""
        assert await asked(f"tcp://{refusing()}", wait=5).network() is Network.WORKS

    async def test_is_gone_when_all_are_silent(self) -> None:
        """Nothing comes back from anywhere."""
        with blackhole() as one, blackhole() as other:
            assert await asked(f"tcp://{one}", f"tcp://{other}").network() is Network.SILENT

    @pytest.mark.parametrize("urls", [[], ["dns://127.0.0.1/?type=A"]])
    async def test_is_unsure_by_whom_we_cannot_ask(self, urls: list[str]) -> None:
        """No witness, or one that cannot be asked, proves nothing."""
        assert await asked(*urls).network() is Network.UNSURE


class TestAWitness:
    async def test_counts_only_after_it_has_answered_once(self) -> None:
        """On an isolated network none ever answers, and nothing may be held for that."""
        with blackhole() as hole:
            witnesses = asked(f"tcp://{hole}", live=False)
            await witnesses.introduce()
            assert (witnesses.live, await witnesses.network()) == (False, Network.UNSURE)

    async def test_is_live_from_its_first_answer(self) -> None:
        """Also when that comes later than the start; then its silence counts."""
        async with talking(saying()) as server:
            witnesses = asked(f"tcp://{server.address}", live=False, wait=5)
            await witnesses.introduce()
            assert witnesses.live

    async def test_that_is_silent_now_counts_when_another_never_answered(self) -> None:
        """A firewall drops our packets to one of them for ever: the other decides."""
        with blackhole() as dropped, blackhole() as gone:
            witnesses = asked(f"tcp://{dropped}", f"tcp://{gone}", live=False)
            witnesses._answered.add(f"tcp://{gone}")
            assert await witnesses.network() is Network.SILENT


class TestTheGateway:
    def routes(self, folder: Path, address: str) -> str:
        """As /proc/net/route shows a default route."""
        file = folder / "route"
        number = int.from_bytes(socket.inet_aton(address), "little")
        lines = ["Iface Destination Gateway Flags", "eth0 0000FEA9 00000000 0001", f"eth0 00000000 {number:08X} 0003"]
        file.write_text("\n".join(lines) + "\n", "ascii")
        return str(file)

    def test_is_that_of_the_default_route(self, tmp_path: Path) -> None:
        """And there may be none."""
        assert gateway(self.routes(tmp_path, "192.0.2.1")) == "192.0.2.1"
        assert gateway(str(tmp_path / "none")) == ""

    async def test_says_nothing_of_the_line_behind_it(self, tmp_path: Path) -> None:
        """It answers while all others, which did answer before, are silent: our line is cut."""
        with blackhole() as hole:
            witnesses = Witnesses(
                (f"tcp://{hole}", GATEWAY), CLOCK, wait=0.3, routes=self.routes(tmp_path, "127.0.0.1")
            )
            await witnesses.introduce()
            assert witnesses._answered == {GATEWAY}
            assert await witnesses.network() is Network.WORKS  # nobody else has ever answered

            witnesses._answered.add(f"tcp://{hole}")
            assert await witnesses.network() is Network.SILENT


class Silent:
    """A kind whose targets keep silent, or refuse."""

    def __init__(self, code: str = "no_answer") -> None:
        self.code = code
        self.attempts = 0

    async def probe(self, target: str, options: object) -> Reading:
        self.attempts += 1
        raise ProbeError(ReasonCode(self.code), "nothing came")


class TestALook:
    """`look` with witnesses, whose network this test cuts."""

    @pytest.fixture
    def cut(self):
        return FakeWitnesses(Network.SILENT)

    @pytest.mark.parametrize("retry", [0, 2])
    async def test_at_a_silent_target_is_unknown_while_our_network_is_gone(self, cut, shared, retry: int) -> None:
        """It is not called dead, and the last attempt is not made."""
        kind = Silent()
        seen = await look(kind, "x", None, Policy(retry, 0.0), CLOCK, witnesses=cut)
        assert (seen.health, seen.cause, kind.attempts) == (None, "witness", max(1, retry))

    @pytest.mark.parametrize(("retry", "attempts"), [(0, 2), (2, 3)])
    async def test_is_dead_by_an_attempt_after_a_witness_answered(self, shared, retry: int, attempts: int) -> None:
        """Whoever has only one attempt gets another."""
        kind, works = Silent(), FakeWitnesses(Network.WORKS)
        seen = await look(kind, "x", None, Policy(retry, 0.0), CLOCK, witnesses=works)
        assert (seen.health, kind.attempts, works.proofs) == (Health.DEAD, attempts, 1)

    async def test_at_a_target_that_was_dead_asks_for_no_proof(self, shared) -> None:
        """A recent answer will do."""
        kind, works = Silent(), FakeWitnesses(Network.WORKS)
        seen = await look(kind, "x", None, Policy(0, 0.0), CLOCK, witnesses=works, was_dead=True)
        assert (seen.health, kind.attempts, works.proofs, works.recents) == (Health.DEAD, 1, 0, 1)

    async def test_without_a_live_witness_asks_nobody(self, shared) -> None:
        """There is nobody whose silence would mean anything."""
        kind, none = Silent(), FakeWitnesses(Network.SILENT, live=False)
        seen = await look(kind, "x", None, Policy(0, 0.0), CLOCK, witnesses=none)
        assert (seen.health, none.proofs, none.recents) == (Health.DEAD, 0, 0)

    async def test_tells_of_its_first_failure_at_once(self, shared) -> None:
        """Before any retry: neighbours are looked at from then on."""
        kind, failures = Silent("refused"), []
        task = asyncio.create_task(
            look(kind, "x", None, Policy(2, 60.0), CLOCK, on_failure=lambda failure, ip: failures.append((failure, ip)))
        )
        while not failures:
            await asyncio.sleep(0)
        assert (kind.attempts, failures[0][0].reason.code, failures[0][1]) == (1, "refused", "")
        task.cancel()


class FakeWitnesses:
    """Mirrors `Witnesses`: all of them find the same."""

    def __init__(self, finds: Network, *, live: bool = True) -> None:
        self.finds = finds
        self.live = live
        self.proofs = 0
        self.recents = 0

    async def prove(self) -> None:
        self.proofs += 1
        if self.finds is Network.SILENT:
            raise Unknowable("our own network is gone", "witness")

    async def recent(self) -> Network:
        self.recents += 1
        return self.finds
