"""Look at every replica in its own time: the loop of the daemon and of the agent. It decides no health.

Laws
- A look starts at its planned time whatever the others do; never two at one replica at once.
- An error of ours, and a failure that our own network may be the reason of, is unknown: it makes nobody dead.
- The first failed attempt makes us look at once at what stands beside that replica, so that one message can say it all.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from crisp_status import kinds, log
from crisp_status.config.addresses import PLAIN
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.core.schedule import Schedule
from crisp_status.look.policy import look
from crisp_status.look.witness import Network, Witnesses
from crisp_status.loops import finish
from crisp_status.loops.beside import Beside
from crisp_status.loops.lateness import Lateness
from crisp_status.loops.network_doubt import NetworkDoubt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from crisp_status.clock import Clock
    from crisp_status.formats.exposition import Counters
    from crisp_status.look.once import Policy
    from crisp_status.look.result import Look
    from crisp_status.net.errors import ProbeError

Key = tuple[str, str]
"""Node key and replica id."""

DRAIN_SECONDS: Final = 0.02
"""The schedule is drained this often: less would cost more than the lateness is worth."""

BURST: Final = 100
"""Looks begun without giving way: some 10 ms of work."""

JOINING: Final = 1000
"""Replicas taken into the schedule without giving way: some 3 ms. With 100,000 of them a start serves its page 0.3 s
sooner, and a reload holds up nobody."""

CALL_SECONDS: Final = 5.0
"""How often it is tried whether our own network is back."""

INTRODUCE_SECONDS: Final = 300.0
"""How often witnesses are asked that have not answered since the start."""


HOLD_MAX: Final = 60.0
"""Seconds that every health is held at most while no live witness can say whether our network works."""

TRIED_AGAIN: Final = 10
"""Of the held replicas, how many are looked at again meanwhile: one that answers ends the hold."""

IN_DOUBT: Final = Reason(
    ReasonCode.ERROR, "targets of several networks fell silent at once; our own network may be gone"
)


class PollTarget(NamedTuple):
    """One replica to look at."""

    kind: str
    """Probe kind by name."""
    url: str
    options: Any
    interval: float
    """Seconds from one look to the next."""
    policy: Policy
    depends_on: tuple[str, ...] = ()
    """Keys of nodes, or ids of services, that this one needs."""


class PollReceiver(Protocol):
    """Whose replicas these are, and who wants to know what the loop sees: the daemon's engine, or the agent."""

    def target(self, key: Key) -> PollTarget:
        """What to look at for that replica, as it is configured now."""

    def is_dead(self, key: Key) -> bool:
        """Whether the last look found that replica dead."""

    async def seen(self, key: Key, found: Look) -> None:
        """A look at that replica is over."""

    async def looks_begun(self, key: Key, until: float) -> None:
        """An attempt at that replica failed: its neighbours are looked at now, until `until` at the latest (epoch)."""

    async def looks_ended(self, key: Key) -> None:
        """These looks are over; what they found was handed over before this."""

    async def network_lost(self) -> None:
        """Our own network is gone: every health is held."""

    async def network_back(self) -> None:
        """Our own network works again."""


class PollLoop:
    """Looks until it is cancelled. `configure` may be called again at any time."""

    def __init__(
        self, receiver: PollReceiver, clock: Clock, counters: Counters, *, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._counters = counters
        self._schedule: Schedule[Key] = Schedule()
        self._keys: Collection[Key] = ()
        self._beside = Beside()
        self._doubt = NetworkDoubt()
        self._witnesses = Witnesses((), clock)
        self._introducing: asyncio.Task[None] | None = None
        self._introduced_at = 0.0
        self._joining: Iterator[Key] = iter(())
        self._looking: dict[Key, asyncio.Task[None]] = {}
        self._lateness = Lateness()
        self._suspects: dict[Key, set[Key]] = {}
        """Whose neighbours are looked at because an attempt failed, and which of these looks are not over yet."""
        self._unannounced: list[Key] = []
        self._held: dict[Key, None] = {}
        """Silent while no live witness can say whether our network works."""
        self._call_seconds = call_seconds
        self._wake = asyncio.Event()
        self._calling: asyncio.Task[None] | None = None

    def configure(self, keys: Collection[Key], witnesses: Sequence[str]) -> None:
        """Look at these replicas from now on; those that stay with the same interval keep their phase.

        `keys` is a set or the like: the loop asks whether a key is in it, and keeps it.
        """
        for key in self._keys:
            if key not in keys:
                self._schedule.remove(key)
        self._keys = keys
        self._beside = Beside()
        self._suspects.clear()  # what was said of them ends by itself
        if witnesses != self._witnesses.urls:
            self._witnesses = Witnesses(witnesses, self._clock)
            self._introducing = None
        self._joining = iter(keys)
        self._wake.set()

    def look_now(self, keys: Collection[Key]) -> None:
        """Look at these replicas at once; at all when none is named. What is being looked at already is left alone."""
        self._beside.all_again(key for key in keys or self._keys if key in self._keys)
        self._wake.set()

    async def run(self) -> None:
        """Look until cancelled; then those in flight have `FINISH_SECONDS`."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                now = loop.time()
                self._introduce(now)
                joining = list(islice(self._joining, JOINING))
                for key in joining:
                    target = self._receiver.target(key)
                    self._schedule.add(key, target.interval, now)
                    self._beside.add(key, host_of(target.url), target.depends_on)
                due = self._schedule.pop_due(now, BURST)
                for key, planned in due:
                    self._start(key, now - planned)
                for key in self._beside.take(BURST - len(due)):
                    self._start(key, 0.0)
                if self._unannounced:
                    await self._announce()
                self._wake.clear()
                await self._rest(loop, busy=bool(joining) or self._beside.waiting)
        finally:
            tasks = [task for task in (self._introducing, self._calling) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await finish(self._looking.values())

    async def _rest(self, loop: asyncio.AbstractEventLoop, *, busy: bool) -> None:
        """Until the next look is due, or something else is to be done; at least a moment, so that others get on."""
        due = self._schedule.next_due()
        wait = 1.0 if due is None else min(1.0, max(DRAIN_SECONDS, due - loop.time()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.0 if busy else wait):
                await self._wake.wait()

    def _start(self, key: Key, late: float) -> None:
        if key in self._looking or key not in self._keys:
            return
        late_ms = int(late * 1000)
        self._counters.late_ms_total += late_ms
        self._lateness.add(late_ms, asyncio.get_running_loop().time())
        self._counters.late_ms_max = self._lateness.most
        task = asyncio.create_task(self._look(key))
        self._looking[key] = task
        self._counters.looks_running = len(self._looking)
        task.add_done_callback(partial(self._done, key))

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._looking.get(key) is task:
            del self._looking[key]
        self._counters.looks_running = len(self._looking)
        self._beside.ended(key)
        if self._beside.waiting:
            self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.get().error("a look broke; this is a bug, please report it", node=key[0], exc_info=task.exception())

    async def _look(self, key: Key) -> None:
        target, receiver = self._receiver.target(key), self._receiver
        began = asyncio.get_running_loop().time()
        self._beside.began(key, began)
        was_dead = receiver.is_dead(key)
        found = await look(
            kinds.probes()[target.kind],
            target.url,
            target.options,
            target.policy,
            self._clock,
            witnesses=self._witnesses,
            was_dead=was_dead,
            on_failure=partial(self._suspect, key, began, was_dead=was_dead),
        )
        self._counters.looks += 1
        if found.ip and found.ip not in target.url:
            self._beside.located(key, found.ip)
        if found.health is not None and not found.silent:
            self._doubt.answered(found.ip, began)
        if found.health is Health.DEAD and found.silent and not was_dead and self._in_doubt():
            found = msgspec.structs.replace(found, health=None, cause="witness", reason=IN_DOUBT)
            self._held[key] = None
        self._counters.looks_failed += found.health is Health.DEAD
        self._counters.looks_unknown += found.health is None
        if found.cause == "witness":
            await self._network_lost()
        if key in self._keys:
            await receiver.seen(key, found)
        await self._looked(key)

    def _suspect(self, key: Key, began: float, failure: ProbeError, ip: str, *, was_dead: bool) -> None:
        """The first attempt failed: look at what stands beside it, before anybody is told of it alone."""
        if was_dead or key not in self._keys:
            return
        if failure.silent:
            self._doubt.failed(ip, began)
        target = self._receiver.target(key)
        found = self._beside.after_failure(
            key,
            host_of(target.url),
            ip,
            target.depends_on,
            interval=target.interval,
            began=began,
            now=asyncio.get_running_loop().time(),
        )
        waits_for = {k for k in found if k in self._keys and not self._receiver.is_dead(k)}
        if waits_for:
            self._suspects[key] = waits_for
            self._unannounced.append(key)
        self._wake.set()

    async def _announce(self) -> None:
        """Say which looks the grouping of notices waits for."""
        keys, self._unannounced = self._unannounced, []
        for key in keys:
            budgets = [self._receiver.target(k).policy.budget for k in self._suspects.get(key, ()) if k in self._keys]
            if budgets:
                await self._receiver.looks_begun(key, self._clock.now() + max(budgets))

    async def _looked(self, key: Key) -> None:
        """That look is over: nobody waits for it any more."""
        over = []
        for suspect, waits_for in self._suspects.items():
            waits_for.discard(key)
            if not waits_for:
                over.append(suspect)
        for suspect in over:
            del self._suspects[suspect]
            await self._receiver.looks_ended(suspect)

    def _introduce(self, now: float) -> None:
        """Ask witnesses that have not answered since the start, now and then."""
        if self._introducing is None or (self._introducing.done() and now - self._introduced_at > INTRODUCE_SECONDS):
            self._introduced_at = now
            self._introducing = asyncio.create_task(self._witnesses.introduce())

    def _in_doubt(self) -> bool:
        """Whether silence may be our own network's although no witness can say so."""
        return not self._witnesses.live and self._doubt.ours(asyncio.get_running_loop().time())

    async def _network_lost(self) -> None:
        """Hold everything until our network works again."""
        if self._calling is None or self._calling.done():
            log.get().warning("our own network is gone; every health is held")
            await self._receiver.network_lost()
            self._calling = asyncio.create_task(self._call())

    async def _call(self) -> None:
        """Wait for a witness to answer; without a live one, for any target, but no longer than `HOLD_MAX`."""
        loop = asyncio.get_running_loop()
        lost_at = loop.time()
        while True:
            await asyncio.sleep(self._call_seconds)
            if self._witnesses.live:
                if await self._witnesses.network() in {Network.WORKS, Network.UNSURE}:
                    break
                continue
            if self._doubt.answered_since(lost_at):
                break
            if loop.time() - lost_at >= HOLD_MAX:
                self._doubt.believe()
                break
            self._beside.all_again(islice((key for key in self._held if key in self._keys), TRIED_AGAIN))
            self._wake.set()
        self._held.clear()
        log.get().info("the hold is over: our own network works, or nothing says that it does not")
        await self._receiver.network_back()
        self._beside.all_again(self._keys)
        self._wake.set()


def host_of(url: str) -> str:
    """The host of an address, as far as that is needed to find its neighbours; "" of a script."""
    plain = PLAIN.fullmatch(url)
    if plain:
        return plain[2]
    try:
        return (urlsplit(url).hostname or "") if "://" in url[:32] else ""
    except ValueError:
        return ""
