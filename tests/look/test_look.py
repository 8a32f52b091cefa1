"""`look`: deadline, retries, back-dating, what is ours and what is theirs, the story."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crisp_status import kinds
from crisp_status.clock import SystemClock
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.look.batch import LookJob, look_all
from crisp_status.look.once import Policy
from crisp_status.look.policy import look as look_at
from crisp_status.look.result import Look
from crisp_status.net import tools as net_tools
from crisp_status.net.errors import explain, has_route
from crisp_status.net.limits import raise_file_limit, sockets_allowed
from crisp_status.net.resolve import Resolver, nameservers
from crisp_status.probes import ProbeError, Reading, Unknowable, expect, note, tcp
from tests.fakes import FakeClock
from tests.probes.servers import blackhole, looked, saying, talking

EAI_NODATA = -5
"""netdb.h; Python has a name for it on some systems only."""


class FakeProbe:
    """Mirrors a kind: plays one act after the other, the last again and again."""

    def __init__(self, *acts: Callable[[], Reading] | Exception | Reading | float) -> None:
        self.acts = list(acts)
        self.played = 0

    async def probe(self, target: str, options: Any) -> Reading:
        act = self.acts[min(self.played, len(self.acts) - 1)]
        self.played += 1
        if isinstance(act, Exception):
            raise act
        if isinstance(act, float):
            await asyncio.sleep(act)
            return Reading()
        return act if isinstance(act, Reading) else act()


async def look(probe: FakeProbe, *, clock: Any = None, **given: Any) -> Look:
    policy = {"retry": 2, "retry_wait": 0.0, "delay_dead": 1.0, "delay_sick": 0.5} | given
    return await look_at(probe, "test://", None, Policy(**policy), clock or SystemClock())


class TestVerdicts:
    async def test_the_first_success_decides(self) -> None:
        """Two failures, then an answer: healthy, after three attempts."""
        seen = await look(
            FakeProbe(ProbeError(ReasonCode.REFUSED, "no"), ProbeError(ReasonCode.REFUSED, "no"), Reading())
        )

        assert (seen.health, seen.attempts) == (Health.HEALTHY, 3)

    async def test_all_failed_is_dead_since_the_first_failure(self) -> None:
        """Back-dated to when the first failed attempt began; the last reason stands."""
        clock = FakeClock(now=5000.0)

        def fail() -> Reading:
            clock.advance(7)
            raise ProbeError(ReasonCode.STATUS, "answered 500", "500")

        probe = FakeProbe(fail)
        seen = await look(probe, clock=clock)

        assert (seen.health, seen.since, seen.attempts) == (Health.DEAD, 5000.0, 3)
        assert seen.reason == Reason(ReasonCode.STATUS, "answered 500", "500")
        assert probe.played == 3

    async def test_sick_is_taken_at_once(self) -> None:
        """A slow answer is not asked for again; at the limit is sick."""
        clock = FakeClock()

        def slowly() -> Reading:
            clock.advance(0.5)
            return Reading()

        probe = FakeProbe(slowly)
        seen = await look(probe, clock=clock)

        assert (seen.health, seen.reason.code, probe.played, seen.latency_ms) == (Health.SICK, "slow", 1, 500)

    async def test_what_the_probe_calls_sick_stays_sick(self) -> None:
        """The reason of the probe goes before slowness."""
        seen = await look(FakeProbe(Reading(Health.SICK, Reason(ReasonCode.CERTIFICATE, "ends soon"), latency=0.9)))

        assert (seen.health, seen.reason.code, seen.latency_ms) == (Health.SICK, "certificate", 900)

    async def test_each_attempt_has_its_own_deadline(self) -> None:
        """And the time of all together is bounded."""
        began = time.monotonic()
        seen = await look(FakeProbe(30.0), delay_dead=0.05, retry_wait=0.02)

        assert (seen.health, seen.reason.text) == (Health.DEAD, "no answer within 0.05 s")
        assert 0.19 <= time.monotonic() - began < 2

    async def test_the_story_tells_everything(self) -> None:
        """What was tried, what was waited for, what failed."""

        def tell() -> Reading:
            note("resolved {name} to {addresses}", name="a.example", addresses=["192.0.2.1", "192.0.2.2"])
            expect("no music")
            raise ProbeError(ReasonCode.ERROR, "silence")

        seen = await look(FakeProbe(tell, Reading()))

        assert [step.text for step in seen.story] == [
            "resolved a.example to 192.0.2.1, 192.0.2.2",
            "failed: silence",
        ]
        assert seen.story[0].facts["addresses"] == ["192.0.2.1", "192.0.2.2"]


class TestOurOwnFailures:
    async def test_are_unknown_at_once(self) -> None:
        """An error of ours is not tried again and not dead."""
        probe = FakeProbe(Unknowable("too many open files"))
        seen = await look(probe)

        assert (seen.health, seen.reason.text, probe.played) == (None, "too many open files", 1)

    async def test_a_bug_is_unknown(self) -> None:
        """Whatever it is, the daemon goes on."""
        seen = await look(FakeProbe(ZeroDivisionError("oops")))

        assert (seen.outcome, seen.cause) == ("unknown", "bug")
        assert "oops" in seen.reason.text

    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EPERM])
    async def test_of_the_system_are_unknown(self, number: int) -> None:
        """Limits of this host say nothing of the target."""
        assert (await look(FakeProbe(OSError(number, "x")))).outcome == "unknown"

    @pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ECONNRESET, errno.ETIMEDOUT])
    async def test_of_the_target_are_dead(self, number: int) -> None:
        """The rest is theirs."""
        assert (await look(FakeProbe(OSError(number, "x")))).outcome == "dead"

    @pytest.mark.parametrize(
        "number",
        [
            errno.EHOSTDOWN,
            errno.ENONET,
            errno.ENOPROTOOPT,
            errno.EPROTO,
            errno.EOPNOTSUPP,
            errno.EMSGSIZE,
            errno.EACCES,
            errno.ENETUNREACH,
        ],
    )
    def test_what_a_router_can_send_is_not_ours(self, number: int) -> None:
        """All that Linux makes of ICMP complaints, while the way out of this host is open."""
        error = explain(OSError(number, "x"), "127.0.0.1:1", ("127.0.0.1", 1))

        assert isinstance(error, ProbeError)
        assert error.reason.code == "unreachable"

    def test_no_tls_error_is_taken_for_one_of_the_system(self) -> None:
        """SSL_ERROR_SSL is 1, and so is EPERM: their numbers have nothing to do with each other."""
        for number in range(1, 14):
            error = explain(ssl.SSLError(number, "[SSL] whatever"), "127.0.0.1:1", ("127.0.0.1", 1))
            assert isinstance(error, ProbeError)
            assert error.reason.code == "tls"

    async def test_a_cancellation_is_passed_on(self) -> None:
        """The daemon stops when it is told to."""
        task = asyncio.ensure_future(look(FakeProbe(30.0)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_a_process_that_stood_still_proves_nothing(self) -> None:
        """Blocked for most of the deadline: the target may have answered long ago."""

        async def block() -> None:
            await asyncio.sleep(0.05)
            time.sleep(0.5)  # noqa: ASYNC251 - that is the point

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(block())
            looking = tasks.create_task(look(FakeProbe(30.0), delay_dead=0.4, retry=0))

        assert (looking.result().outcome, looking.result().cause) == ("unknown", "stall")

    async def test_time_stood_still_is_not_latency(self) -> None:
        """A target is not called slow because we were, and none that may have been slow is called healthy."""

        async def block() -> None:
            await asyncio.sleep(0.02)
            time.sleep(0.5)  # noqa: ASYNC251 - that is the point

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(block())
            looking = tasks.create_task(look(FakeProbe(0.05), delay_dead=5, delay_sick=0.4))

        assert (looking.result().outcome, looking.result().cause) == ("unknown", "stall")

    def test_a_route_is_told_from_an_unreachable_network(self) -> None:
        """ENETUNREACH with a route of ours is a complaint from the way; without, our own network is gone."""
        assert has_route(("127.0.0.1", 1))
        theirs = explain(OSError(errno.ENETUNREACH, "x"), "127.0.0.1:1", ("127.0.0.1", 1))
        ours = explain(OSError(errno.ENETUNREACH, "x"), "somewhere")

        assert isinstance(theirs, ProbeError)
        assert isinstance(ours, Unknowable)
        assert ours.cause == "network"


class TestFiles:
    @pytest.fixture
    def scarce(self) -> Iterator[None]:
        """No file can be opened any more in this process; modules are there, as in a daemon that has looked before."""
        from crisp_status.net import ping  # noqa: F401

        for kind in kinds.probes().values():
            kind.Options.model_rebuild()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 1, hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.parametrize(
        ("target", "given"),
        [
            ("http://127.0.0.1:{port}/", {}),
            ("http://127.0.0.1:{port}/", {"healthy_match": "x"}),
            ("tcp://127.0.0.1:{port}", {}),
            ("ssh://127.0.0.1:{port}", {}),
            ("icmp://127.0.0.1", {}),
            ("dns://127.0.0.1:{port}/a.example", {}),
            ("tcp://localhost:{port}", {}),
        ],
    )
    async def test_too_many_open_is_unknown_not_dead(self, target: str, given: dict[str, Any], scarce: None) -> None:
        """For every kind that opens something, and for the lookup of names."""
        target = target.format(port=1)
        seen = await looked(target, **given)

        assert (seen.outcome, seen.cause) == ("unknown", "limit"), seen.reason.text

    async def test_a_script_that_cannot_be_started_is_unknown(self, scarce: None) -> None:
        """The same for scripts."""
        assert (await looked("true", "script")).outcome == "unknown"

    def test_the_soft_limit_is_raised(self) -> None:
        """As far as the hard one allows."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
        try:
            raised = raise_file_limit()
            assert raised == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            assert raised == min(hard, 65_536)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.parametrize(("files", "sockets"), [(64, 16), (1024, 768), (65_536, 20_000)])
    def test_looks_get_a_share(self, files: int, sockets: int) -> None:
        """Visitors and the journal keep theirs."""
        assert sockets_allowed(files) == sockets

    async def test_waiting_for_the_limit_does_not_count(self, shared: net_tools.Tools) -> None:
        """One at a time: the last waits for all others and is healthy all the same."""
        shared.limits["sockets"] = asyncio.Semaphore(1)
        seen = await asyncio.gather(*(look(FakeProbe(0.05), delay_dead=0.4, delay_sick=0.3) for _ in range(9)))

        assert [one.outcome for one in seen] == ["healthy"] * 9
        assert not shared.limits["sockets"].locked()


class TestNames:
    @pytest.mark.parametrize("host", ["a..b", "x" * 70])
    async def test_that_cannot_exist_are_dead(self, host: str) -> None:
        """Labels that are empty or too long."""
        assert (await looked(f"tcp://{host}:80")).outcome in {"dead", "unknown"}

    @pytest.fixture
    def unsure(self, tmp_path) -> Iterator[Callable[..., Resolver]]:
        """Resolvers that answer "try again", with a nameserver of ours that says so or says nothing."""

        def again(*_: Any) -> Any:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        def made(server: str, lookup: Any = again) -> Resolver:
            file = tmp_path / "resolv.conf"
            file.write_text(f"# ours\nnameserver {server}\n", "utf-8")
            return Resolver(lookup, str(file))

        return made

    async def test_are_unknown_while_our_nameservers_are_silent(self, unsure, shared: net_tools.Tools) -> None:
        """Nobody listens on port 53 of 127.0.0.99."""
        shared.resolver.close()
        shared.resolver = unsure("127.0.0.99")
        seen = await looked("tcp://a.example:80")

        assert (seen.outcome, seen.cause) == ("unknown", "resolver")

    async def test_are_dead_when_our_nameservers_work(self, unsure, shared: net_tools.Tools) -> None:
        """Then it is theirs that do not answer."""
        shared.resolver.close()
        shared.resolver = unsure("127.0.0.98")
        with _nameserver("127.0.0.98", rcode=0):
            seen = await looked("tcp://a.example:80")

        assert (seen.outcome, seen.reason.code) == ("dead", "name")

    @pytest.mark.parametrize("error", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_NONAME, EAI_NODATA])
    @pytest.mark.parametrize("rcode", range(1, 12))
    async def test_are_unknown_when_our_nameserver_does_not_even_know_the_root(
        self, unsure, shared: net_tools.Tools, rcode: int, error: int
    ) -> None:
        """REFUSED, NOTIMP, SERVFAIL, NXDOMAIN for everything: whatever getaddrinfo makes of it, only NOERROR for the root
        is a resolver that works.
        """

        def nothing(*_: Any) -> Any:
            raise socket.gaierror(error, "as the system says it")

        shared.resolver.close()
        shared.resolver = unsure("127.0.0.97", nothing)
        with _nameserver("127.0.0.97", rcode=rcode):
            seen = await looked("tcp://a.example:80")

        assert (seen.outcome, seen.cause) == ("unknown", "resolver")

    async def test_that_do_not_exist_are_dead_once_our_nameserver_has_shown_that_it_works(
        self, unsure, shared: net_tools.Tools
    ) -> None:
        """A sure no."""

        def nothing(*_: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        shared.resolver.close()
        shared.resolver = unsure("127.0.0.96", nothing)
        with _nameserver("127.0.0.96", rcode=0):
            seen = await looked("tcp://a.example:80")

        assert (seen.outcome, seen.reason.code) == ("dead", "name")

    @pytest.mark.parametrize("kind", ["tcp://{}:1", "ssh://{}", "icmp://{}", "http://{}/", "dns://{}/a.example"])
    async def test_are_looked_up_as_browsers_write_them(self, unsure, shared: net_tools.Tools, kind: str) -> None:
        """UTS 46, non-transitional, whatever the kind."""
        asked: list[str] = []

        def nothing(host: str, *_: Any) -> Any:
            asked.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        shared.resolver.close()
        shared.resolver = unsure("127.0.0.96", nothing)
        with _nameserver("127.0.0.96", rcode=0):
            await looked(kind.format("straße.example"))

        assert set(asked) == {"xn--strae-oqa.example"}

    async def test_that_hang_do_not_hold_up_others(self, unsure, shared: net_tools.Tools) -> None:
        """Sixty hanging lookups; the sixty-first answers at once. More than the threads wait without dying of it."""
        running = True

        def lookup(host: str, port: int, *_: Any) -> Any:
            while running and host.startswith("hang"):
                time.sleep(0.01)
            return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

        shared.resolver.close()
        shared.resolver = unsure("127.0.0.99", lookup)
        async with talking(saying()) as server:
            hanging = [asyncio.ensure_future(looked(f"tcp://hang{n}:1", delay_dead=0.4)) for n in range(60)]
            await asyncio.sleep(0)
            seen = await looked(f"tcp://good.example:{server.port}", delay_dead=2)
            assert seen.outcome == "healthy"

            hanging += [asyncio.ensure_future(looked(f"tcp://hangmore{n}:1", delay_dead=0.4)) for n in range(10)]
            await asyncio.sleep(0)
            waiting = asyncio.ensure_future(looked(f"tcp://late.example:{server.port}", delay_dead=0.3))
            await asyncio.sleep(0.5)
            running = False
            assert (await waiting).outcome == "healthy"
            await asyncio.gather(*hanging)

    def test_that_hang_do_not_hold_up_the_end(self) -> None:
        """A process with lookups that hang still ends at once."""
        program = (
            "import asyncio, time\n"
            "from crisp_status.net.resolve import Resolver\n"
            "async def main():\n"
            "    asked = Resolver(lambda *_: time.sleep(60)).resolve('a.example', 1)\n"
            "    await asyncio.wait_for(asked, 0.05)\n"
            "try: asyncio.run(main())\n"
            "except TimeoutError: print('gave up')\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)

        assert done.stdout == "gave up\n"

    async def test_asked_at_the_same_time_share_one_lookup(self, unsure, shared: net_tools.Tools) -> None:
        """And the next look asks anew."""
        asked: list[str] = []

        def lookup(host: str, port: int, *_: Any) -> Any:
            asked.append(host)
            time.sleep(0.02)
            return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

        resolver = unsure("127.0.0.99", lookup)
        await asyncio.gather(*(resolver.resolve("a.example", 1) for _ in range(5)))
        assert asked == ["a.example"]
        await resolver.resolve("a.example", 1)
        assert asked == ["a.example"] * 2
        resolver.close()

    def test_nameservers_come_from_the_file(self, tmp_path) -> None:
        """Or from this host when there is none."""
        file = tmp_path / "resolv.conf"
        file.write_text("search x\nnameserver 192.0.2.1\nnameserver ::1\n", "utf-8")

        assert nameservers(str(file)) == ["192.0.2.1", "::1"]
        assert nameservers(str(tmp_path / "none")) == ["127.0.0.1"]


class TestLookAll:
    async def test_nobody_waits_for_anybody(self) -> None:
        """Swallowed ones do not delay the answers of the others; the index says whose look it is."""
        tcp, options = "tcp", kinds.probes()["tcp"].Options()
        async with talking(saying()) as server:
            with blackhole() as hole:
                jobs = [
                    LookJob(
                        "web/a",
                        str(n),
                        tcp,
                        f"tcp://{hole if n % 2 else server.address}",
                        options,
                        Policy(0, 0, 0.5, 5),
                    )
                    for n in range(60)
                ]
                began = time.monotonic()
                order = []
                async for index, seen in look_all(jobs, SystemClock()):
                    order.append(index)
                    assert seen.outcome == ("dead" if index % 2 else "healthy")

        assert sorted(order) == list(range(60))
        assert all(index % 2 == 0 for index in order[:30])
        assert time.monotonic() - began < 5

    async def test_may_be_left_early(self) -> None:
        """What still runs is stopped."""
        with blackhole() as hole:
            jobs = [LookJob("a/b", "", "tcp", f"tcp://{hole}", tcp.Options(), Policy(0, 0, 0.05, 5))] * 3
            jobs.append(LookJob("a/b", "", "tcp", f"tcp://{hole}", tcp.Options(), Policy(0, 0, 60, 5)))
            found = look_all(jobs, SystemClock())
            await anext(found)
            await found.aclose()

        assert asyncio.all_tasks() == {asyncio.current_task()}


class TestTools:
    async def test_are_shared_and_close_with_the_last(self) -> None:
        """Two apps in one process use the same limits; the first to stop does not pull the rug from the other."""
        outer = net_tools.tools()
        async with net_tools.opened() as first, net_tools.opened() as second:
            assert first is second is outer
        assert net_tools.tools() is outer


class _nameserver:  # noqa: N801 - reads as a word at the `with`
    """Answers every question with one code and no records."""

    def __init__(self, address: str, rcode: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 53))
        self._sock.setblocking(False)
        self._rcode = rcode

    def __enter__(self) -> None:
        asyncio.get_running_loop().add_reader(self._sock, self._answer)

    def _answer(self) -> None:
        data, peer = self._sock.recvfrom(512)
        self._sock.sendto(data[:2] + bytes([0x81, 0x80 | self._rcode]) + data[4:], peer)

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()
