"""The loop that looks: each in its own time, never two looks at one replica at once, neighbours at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crisp_status import kinds
from crisp_status.clock import SystemClock
from crisp_status.core.model import Health, ReasonCode
from crisp_status.formats.exposition import Counters
from crisp_status.look.once import Policy
from crisp_status.look.result import Look
from crisp_status.loops.poll import Key, PollLoop, PollTarget
from crisp_status.net import tools as net_tools
from crisp_status.net.resolve import Address
from crisp_status.probes import ProbeError, Reading, expect

LONG = 3600.0
"""Seconds: nothing happens because such an interval is over."""


class Targets:
    """A probe kind whose targets answer, fail or wait as the test says, and which sees who looks at them."""

    SCHEMES = ()
    Options = None

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self.ips: dict[str, str] = {}
        self.waiting: asyncio.Event | None = None
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()

    async def probe(self, target: str, options: Any) -> Reading:
        self.attempts[target] += 1
        self.inside[target] += 1
        self.most[target] = max(self.most[target], self.inside[target])
        try:
            if self.waiting is not None:
                await self.waiting.wait()
            if target in self.ips:
                expect("no answer", peer=Address(socket.AF_INET, (self.ips[target], 80)))
            if target in self.silent:
                raise ProbeError(ReasonCode.NO_ANSWER, "no answer")
            if target in self.failing:
                raise ProbeError(ReasonCode.REFUSED, "connection refused")
            return Reading()
        finally:
            self.inside[target] -= 1


class Receiver:
    """Mirrors `PollReceiver`."""

    def __init__(self, targets: dict[Key, PollTarget]) -> None:
        self.targets = targets
        self.looks: list[tuple[Key, Look]] = []
        self.events: list[str] = []

    def target(self, key: Key) -> PollTarget:
        return self.targets[key]

    def is_dead(self, key: Key) -> bool:
        last = [found for seen, found in self.looks if seen == key]
        return bool(last) and last[-1].health is Health.DEAD

    async def seen(self, key: Key, found: Look) -> None:
        self.looks.append((key, found))

    async def looks_begun(self, key: Key, until: float) -> None:
        self.events.append(f"begun {key[0]}")

    async def looks_ended(self, key: Key) -> None:
        self.events.append(f"ended {key[0]} after {len(self.looks)}")

    async def network_lost(self) -> None:
        self.events.append("lost")

    async def network_back(self) -> None:
        self.events.append("back")

    def seen_of(self, key: Key) -> list[Look]:
        return [found for seen, found in self.looks if seen == key]


class World:
    """A loop at work, its targets and its receiver."""

    def __init__(self, kind: Targets, receiver: Receiver, loop: PollLoop) -> None:
        self.kind = kind
        self.receiver = receiver
        self.loop = loop

    async def until(self, fact: Any) -> None:
        """Wait for a fact."""
        while not fact():
            await asyncio.sleep(0.005)


def replica(
    number: int, *, host: str = "", service: str = "web", interval: float = LONG, **more: Any
) -> tuple[Key, PollTarget]:
    policy = more.pop("policy", Policy(retry=1, retry_wait=0.3))
    target = PollTarget("fake", f"fake://{host or f'h{number}'}/{number}", None, interval, policy, **more)
    return (f"{service}/n{number}", str(number)), target


@contextlib.asynccontextmanager
async def polled(*replicas: tuple[Key, PollTarget]) -> AsyncIterator[World]:
    """Look at these until the block ends; every first look is over when it begins."""
    kind = Targets()
    room: Any = kinds.probes()
    room._loaded["fake"] = kind
    room._names = (*room._names, "fake")
    receiver = Receiver(dict(replicas))
    loop = PollLoop(receiver, SystemClock(), Counters(), call_seconds=0.05)
    async with net_tools.opened():
        loop.configure(receiver.targets, ())
        for key, target in replicas:  # first looks are spread over seconds; tests do not wait for that
            loop._schedule.add(key, target.interval, 0.0)
        running = asyncio.create_task(loop.run())
        world = World(kind, receiver, loop)
        try:
            await world.until(lambda: len({key for key, _ in receiver.looks}) == len(replicas))
            receiver.looks.clear()
            yield world
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            room._names = room._names[:-1]
            del room._loaded["fake"]


async def test_never_two_looks_at_one_replica_at_once() -> None:
    """It is due again, and its neighbours fail, and everybody is to be looked at again, while its look is under way."""
    slow, other = replica(1, interval=0.05), replica(2, interval=0.05)
    async with polled(slow, other) as world:
        release = world.kind.waiting = asyncio.Event()
        url = slow[1].url
        await world.until(lambda: world.kind.inside[url] == 1)
        for _ in range(20):
            world.loop._beside.all_again([slow[0]])
            world.loop._beside._put(slow[0])
            world.loop._schedule.advance(slow[0], 0.0)
            world.loop._wake.set()
            await asyncio.sleep(0.03)
        assert world.kind.inside[url] == 1
        release.set()
        before = world.kind.attempts[url]
        await world.until(lambda: world.kind.attempts[url] > before + 2)
        assert world.kind.most[url] == 1


async def test_a_first_failed_attempt_looks_at_once_at_what_stands_beside_it() -> None:
    """All that are on the same host, in the same service, or depend on the same; nobody else; and it is announced before
    the first of them is known to be dead.
    """
    failing = replica(1, host="a", service="s1", depends_on=("net/router",))
    beside = [
        replica(2, host="a", service="s2"),
        replica(3, host="c", service="s1"),
        replica(4, host="d", service="s4", depends_on=("net/router",)),
        (("net/router", "5"), replica(5, host="e")[1]),
    ]
    far = replica(6, host="f", service="s6")
    async with polled(failing, *beside, far) as world:
        world.kind.failing = {target.url for _, target in (failing, *beside, far)}
        world.loop._schedule.advance(failing[0], 0.0)
        world.loop._wake.set()
        await world.until(lambda: len(world.receiver.looks) == 5)

        assert {key for key, _ in world.receiver.looks} == {failing[0], *(key for key, _ in beside)}
        await world.until(lambda: len(world.receiver.events) == 2)
        begun, ended = world.receiver.events
        assert begun == f"begun {failing[0][0]}"
        assert ended.startswith(f"ended {failing[0][0]} after ")
        assert int(ended.rpartition(" ")[2]) >= len(beside)
        assert not world.receiver.seen_of(far[0])


async def test_three_hundred_that_die_together_are_all_seen_within_one_look() -> None:
    """300 nodes on one host with the usual interval: whoever is due first finds them all, each by one look."""
    nodes = [replica(n, host="a", service=f"s{n}") for n in range(300)]
    async with polled(*nodes) as world:
        world.kind.failing = {target.url for _, target in nodes}
        world.kind.attempts.clear()
        world.loop._schedule.advance(nodes[7][0], 0.0)
        world.loop._wake.set()
        await world.until(lambda: len(world.receiver.looks) >= 300)
        await asyncio.sleep(0)

        assert Counter(key for key, _ in world.receiver.looks) == Counter(key for key, _ in nodes)
        assert all(found.health is Health.DEAD for _, found in world.receiver.looks)
        assert set(world.kind.attempts.values()) == {2}


async def test_a_replica_that_was_dead_asks_for_no_neighbours() -> None:
    """They were looked at when it died."""
    dead, beside = replica(1, host="a"), replica(2, host="a")
    async with polled(dead, beside) as world:
        world.kind.failing = {dead[1].url}
        for _ in range(3):
            count = len(world.receiver.seen_of(dead[0]))
            world.loop._schedule.advance(dead[0], 0.0)
            world.loop._wake.set()
            await world.until(lambda count=count: len(world.receiver.seen_of(dead[0])) > count)

        assert len(world.receiver.seen_of(beside[0])) == 1


async def test_a_look_in_flight_that_began_before_the_failure_is_repeated() -> None:
    """It may have found its target well a moment before that fell."""
    failing, slow = replica(1, host="a"), replica(2, host="a")
    async with polled(failing, slow) as world:
        release = world.kind.waiting = asyncio.Event()
        world.loop._schedule.advance(slow[0], 0.0)
        world.loop._wake.set()
        await world.until(lambda: world.kind.inside[slow[1].url])
        world.kind.waiting = None
        world.kind.failing = {failing[1].url}
        world.loop._schedule.advance(failing[0], 0.0)
        world.loop._wake.set()
        await world.until(lambda: world.receiver.seen_of(failing[0]))
        assert not world.receiver.seen_of(slow[0])
        release.set()
        await world.until(lambda: len(world.receiver.seen_of(slow[0])) == 2)
        assert world.kind.most[slow[1].url] == 1


@pytest.mark.parametrize("removed", [True, False])
async def test_a_replica_that_left_the_configuration_is_not_spoken_of(removed: bool) -> None:
    """Its look in flight ends, and nobody hears of it."""
    node = replica(1)
    async with polled(node) as world:
        release = world.kind.waiting = asyncio.Event()
        world.loop._schedule.advance(node[0], 0.0)
        world.loop._wake.set()
        await world.until(lambda: world.kind.inside[node[1].url])
        if removed:
            world.loop.configure({}, ())
        release.set()
        await world.until(lambda: not world.loop._looking)
        assert len(world.receiver.looks) == (not removed)


async def test_silence_of_several_networks_is_held_until_one_answers() -> None:
    """Without a live witness, and whatever the interval is; then everybody is looked at again."""
    nodes = [replica(n, service=f"s{n}", policy=Policy(1, 0.3)) for n in range(3)]
    async with polled(*nodes) as world:
        urls = [target.url for _, target in nodes]
        world.kind.ips = dict(zip(urls, ("192.0.2.1", "198.51.100.1", "203.0.113.1"), strict=True))
        world.kind.silent = set(urls)
        release = world.kind.waiting = asyncio.Event()  # all three have begun before one of them fails
        for key, _ in nodes:
            world.loop._schedule.advance(key, 0.0)
        world.loop._wake.set()
        await world.until(lambda: all(world.kind.inside[url] for url in urls))
        release.set()
        await world.until(lambda: len(world.receiver.looks) >= 3)
        assert {found.cause for _, found in world.receiver.looks} == {"witness"}
        assert world.receiver.events == ["lost"]

        world.kind.silent = set(urls[:1])
        await world.until(lambda: world.receiver.events == ["lost", "back"])
        await world.until(lambda: world.receiver.is_dead(nodes[0][0]))
        assert not world.receiver.is_dead(nodes[1][0])
