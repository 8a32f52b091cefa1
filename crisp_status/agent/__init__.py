"""The agent for private networks: fetches its list, looks with the same probes as the daemon, reports what it saw.

Three loops that wait for nobody but the clock: the list, the looks (`loops/poll.py`, as in the daemon), the reports. What
could not be reported stays as the last reading of its replica until a newer look replaces it, so that after a cut everything
that is still true is reported, with its age.
The last list is kept in a file: it is what an agent looks at that starts while the server is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Final

from crisp_status import log, sdnotify
from crisp_status.agent.list_file import ListFile
from crisp_status.agent.upstream import Upstream, UpstreamError
from crisp_status.agent.watch_list import AgentReading, WatchList, jobs, secrets
from crisp_status.config.plan import plan
from crisp_status.config.redact import basic
from crisp_status.core.model import Health
from crisp_status.formats.exposition import Counters
from crisp_status.loops.poll import PollLoop
from crisp_status.net.tools import opened
from crisp_status.reports import local_map

if TYPE_CHECKING:
    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.look.result import Look
    from crisp_status.loops.poll import Key, PollTarget

LIST_SECONDS: Final = 60.0
"""How old the list may be; an unchanged one costs the server 50 microseconds."""
GATHER_SECONDS: Final = 0.25
"""What is seen within this goes out together."""
BATCH_CHARACTERS: Final = 250_000
"""Of one request: a thousand reports, and under the server's 1 MB however they are encoded."""
REPORT_CHARACTERS: Final = 250
"""Of a report, besides its id and its reason."""
RETRY_FIRST: Final = 1.0
"""Seconds after the first failure, and then twice as long each time …"""
RETRY_MAX: Final = 30.0
"""… up to this: the first report after a cut comes this late at most, and no later than the shortest interval."""
BEAT_MOST: Final = 5.0
"""Seconds until a place tells what has not changed, or that it lives; a quarter of the silence it may keep, if that is less."""
OWN_MODES: Final = frozenset({"local", "poll", "script"})
"""In the file of an agent all of these are its own to look at."""


class Agent:
    """`run` works until it is cancelled; `status` says in a line how it goes."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        scripts: bool = False,
        place: str = "",
        notifier: sdnotify.SystemdNotify | None = None,
    ) -> None:
        """`scripts` allows programs, those that the server's list names included. `place`: which of [[places]] this is."""
        if config.agent is None:
            raise ValueError("the configuration has no [agent]")
        self._settings = config.agent
        self._place = place
        self._own = () if place else local_map(config, plan(config), OWN_MODES).nodes
        self._witness_urls = config.witness.urls
        self._at_once = config.script.parallel
        self._scripts = scripts or config.script.enabled
        self._clock = clock
        self._notifier = notifier or sdnotify.SystemdNotify()
        given = config.agent
        token = given.token.get_secret_value()
        log.hide(*config.secrets(), basic("", token))
        self._link = Upstream(given.endpoint, token, given.protocol, given.name, given.interval, place)
        self._list_file = ListFile(config.state_folder, given.endpoint, f"place-{place}" if place else given.name)
        self._jobs: dict[Key, PollTarget] = {}
        self._poll = PollLoop(self, clock, Counters())
        self._readings: dict[Key, AgentReading] = {}
        self._unsent: dict[Key, None] = {}
        self._wake_sends = asyncio.Event()
        self._beat: float | None = BEAT_MOST if place else None
        self._cut = ""
        self._warned: set[tuple[Key, str]] = set()

    @property
    def status(self) -> str:
        """One line for people."""
        unsent = f"; not reported yet: {len(self._unsent)}, because {self._cut}" if self._cut else ""
        return f"looking at {len(self._jobs)} replicas{unsent}"

    async def run(self) -> None:
        """Look and report until cancelled; what is not told by then is tried once more."""
        async with opened(page_url=self._settings.endpoint, scripts=self._at_once), self._link:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._lists())
                    group.create_task(self._poll.run())
                    group.create_task(self._sends())
                    group.create_task(self._signs_of_life())
            finally:
                await self._farewell()

    async def _lists(self) -> None:
        """Keep the list up to date; an agent with a list of its own has it for good."""
        if self._own or self._settings.protocol == "vigil":
            self._adopt(WatchList(self._own, batch=self._settings.protocol == "crisp"))
            return
        failures = 0
        while True:
            try:
                fresh = await self._link.fetch()
            except UpstreamError as error:
                if not failures and not self._jobs and not error.unwanted:
                    await self._remembered()
                if not failures:
                    going_on = f"; going on with the last one, {len(self._jobs)} replicas" if self._jobs else ""
                    log.get().warning(f"the list could not be fetched{going_on}", reason=str(error))
                failures += 1
                wait = RETRY_FIRST * 2.0 ** min(failures - 1, 5)
            else:
                if failures:
                    log.get().info("the list was fetched again")
                if fresh is not None:
                    self._adopt(fresh)
                    await asyncio.to_thread(self._list_file.save, fresh.answer)
                failures, wait = 0, LIST_SECONDS
            await asyncio.sleep(wait * random.uniform(0.8, 1.0))

    async def _remembered(self) -> None:
        """Look at what the last list of an earlier run named, if there is one."""
        last = await asyncio.to_thread(self._list_file.load, self._settings.interval)
        if last is not None:
            self._adopt(last)

    def _adopt(self, fresh: WatchList) -> None:
        """Look at what this list names from now on; what stays keeps its phase and its last word."""
        wanted, refused = jobs(fresh.nodes, scripts=self._scripts)
        log.hide(*secrets(fresh.nodes, wanted.values()))
        for key, why in refused.items():
            self._once(key, why)
        for node in fresh.withheld:
            self._once(
                (node, ""),
                "it has header values or a password; give the endpoint as https://, where nobody reads along",
            )
        if self._place:
            self._beat = min(BEAT_MOST, max(1.0, fresh.silent_after / 4))
        for key in self._jobs.keys() - wanted.keys():
            self._readings.pop(key, None)
            self._unsent.pop(key, None)
        self._jobs = wanted
        self._poll.configure(wanted, self._witness_urls)
        self._link.batch = fresh.batch
        log.get().info("a list came into force", replicas=len(wanted), nodes=len(fresh.nodes))

    def target(self, key: Key) -> PollTarget:
        """See `loops.poll.PollReceiver`."""
        return self._jobs[key]

    def is_dead(self, key: Key) -> bool:
        """See `loops.poll.PollReceiver`."""
        before = self._readings.get(key)
        return before is not None and before.health is Health.DEAD

    async def seen(self, key: Key, found: Look) -> None:
        """Remember it for the next report."""
        before = self._readings.get(key)
        if found.health is not None or self._place:
            self._remember(key, found, found.health)
        if key in self._readings:
            # Of an error of ours nothing is reported but that we are alive: the health stays. A place has no vote then.
            self._unsent[key] = None
            if not self._place or before is None or before.health is not found.health:
                self._wake_sends.set()

    async def looks_begun(self, key: Key, until: float) -> None:
        """The server groups what is reported."""

    async def looks_ended(self, key: Key) -> None:
        """The server groups what is reported."""

    async def network_lost(self) -> None:
        """Nothing is dead for that; the loop has logged it."""

    async def network_back(self) -> None:
        """The next looks say how things are."""

    def _remember(self, key: Key, seen: Look, health: Health | None) -> None:
        now, job = self._clock.monotonic(), self._jobs[key]
        # No look takes longer than its budget, whatever became of the wall clock meanwhile.
        since = now - min(max(0.0, self._clock.now() - seen.since), job.policy.budget)
        before = self._readings.get(key)
        if before is not None and before.health is health:
            since = before.since
        elif health is None or health.bad or before is not None:
            word = health.word if health is not None else "unknown"
            log.get().info(f"replica {word}", node=key[0], replica=key[1], reason=seen.reason.text)
        self._readings[key] = AgentReading(key, job.interval, health, seen.reason, since, seen.latency_ms, now)

    async def _sends(self) -> None:
        """Tell what was seen; after a failure wait longer and longer, with the last word on each replica in hand."""
        failures = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat):
                    await self._wake_sends.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._wake_sends.clear()
            lives = bool(self._place)  # it says so also when there is nothing to tell
            while self._unsent or lives:
                if await self._send():
                    lives = False
                    if failures:
                        log.get().info("the server takes reports again")
                    failures, self._cut = 0, ""
                    await asyncio.sleep(GATHER_SECONDS)
                    continue
                if not failures:
                    log.get().warning("reports are not taken; looking goes on", reason=self._cut)
                failures += 1
                wait = min(self._patience(), RETRY_FIRST * 2.0 ** min(failures - 1, 10))
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))

    async def _send(self) -> bool:
        """Send one batch; whether the server took it."""
        batch = self._next_batch()
        try:
            refused = await self._link.send(batch, self._clock.monotonic())
        except UpstreamError as error:
            self._cut = str(error)
            done, refused = error.taken, {}
        else:
            done = batch
        for reading in done:
            if self._readings.get(reading.key) is reading:
                self._unsent.pop(reading.key, None)
        if self._link.again:
            self._unsent |= dict.fromkeys(key for key in self._readings if key not in refused)
            self._link.again = False
        for key, why in refused.items():
            self._once(key, f"the server refuses it: {why}")
        return len(done) == len(batch)

    def _patience(self) -> float:
        """Seconds between two tries at most: the server expects us once an interval."""
        return min((RETRY_MAX, *(job.interval for job in self._jobs.values())))

    def _next_batch(self) -> list[AgentReading]:
        """The oldest of what is to be told, as much as one request may hold."""
        batch: list[AgentReading] = []
        left = BATCH_CHARACTERS
        for key in self._unsent:
            reading = self._readings[key]
            left -= REPORT_CHARACTERS + len(key[0]) + len(key[1]) + len(reading.reason.text)
            if left < 0 and batch:
                break
            batch.append(reading)
        return batch

    def _once(self, key: Key, why: str) -> None:
        if (key, why) not in self._warned:
            self._warned.add((key, why))
            log.get().warning("a replica is not watched", node=key[0], replica=key[1], reason=why)

    async def _signs_of_life(self) -> None:
        """For systemd: readiness, a status line, the watchdog."""
        self._notifier.notify_ready(self.status)
        pause = min(self._notifier.watchdog_interval or 10.0, 10.0)
        while True:
            await asyncio.sleep(pause)
            self._notifier.watchdog()
            self._notifier.status(self.status)

    async def _farewell(self) -> None:
        self._notifier.stopping()
        if self._unsent:
            try:
                async with asyncio.timeout(2):
                    await self._send()
            except TimeoutError:
                log.get().warning("stopped with reports that were not taken", reports=len(self._unsent))
