"""One life of the whole daemon: the real program on a simulated machine, among targets, receivers, an agent, reporters,
visitors and operators, and everything that may befall them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from math import inf
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from crisp_status import kinds
from crisp_status.agent import Agent
from crisp_status.app import App
from crisp_status.app.daemon import Host
from crisp_status.config.load import load
from crisp_status.engine import EngineTrouble
from crisp_status.net import tools as net_tools
from crisp_status.net.resolve import Resolver
from crisp_status.store import StoreError
from crisp_status.store.file_store import FileStore
from tests.disk import FakeDisk
from tests.simulation import laws
from tests.simulation.fate import Fate
from tests.simulation.host import SimHost
from tests.simulation.laws import LawBroken
from tests.simulation.loop import SimThreads
from tests.simulation.machine import WatchedFolder
from tests.simulation.sight import Sight, Troubles
from tests.simulation.town import AGENT, DAEMON, Town
from tests.simulation.wire import Net

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from crisp_status.config.root import Config
    from crisp_status.core.model import State
    from crisp_status.store import Recovered

LOOK_EVERY = 1.0
"""Seconds between two judgements."""

STOP_MAX = 5.0
"""Seconds that a stop takes at most (DESIGN section 6)."""


class NightFolder(WatchedFolder):
    """The real folder; what it acknowledged must come back."""

    acknowledged = 0

    def open(self) -> Recovered:
        found = super().open()
        known = self.sequence - 1
        if not self.acknowledged <= known <= len(self.taken):
            raise LawBroken(f"{self.acknowledged} events were acknowledged, {len(self.taken)} taken, {known} came back")
        del self.taken[known:]
        return found


class Night:
    """One seed."""

    def __init__(
        self, seed: int, counts: Counter[str], *, story: bool = False, town: Callable[[Random, Net], Town] = Town
    ) -> None:
        self.dice = Random(seed)
        random.seed(seed)  # the agent's waits
        self.counts = counts
        self.story = story
        self.net = Net(self.dice)
        self.town = town(self.dice, self.net)
        self.troubles = Troubles()
        self.sight = Sight(self.town, self.troubles, counts)
        wall = 1_700_000_000.0 + self.dice.random() * 3e7
        self.daemon = SimHost(self.net, DAEMON, wall)
        self.agent = SimHost(self.net, AGENT, wall + self.dice.choice([0.0, -300.0, 4000.0]))
        self.disk = FakeDisk()
        self.daemon.disk = self.disk
        self.journal: list[bytes] = []
        self.acknowledged = 0
        self.store: NightFolder | None = None
        self.app: App | None = None
        self._stop: asyncio.Event | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._stopping_at = inf
        self.announced: dict[str, bool] = {}
        """Ids of announcements, and whether they stand, of which the daemon said yes."""
        self._folder = tempfile.TemporaryDirectory(prefix="night-")
        folder = Path(self._folder.name)
        (folder / "state").mkdir()
        (folder / "resolv.conf").write_text("nameserver 10.53.0.1\n")
        self._resolv = str(folder / "resolv.conf")
        count = len(self.town.services)
        self.configs = [self._load(folder / f"{n}.toml", self.town.config(without=n)) for n in (-1, *range(count - 2))]
        (folder / "agent").mkdir()
        self.agent_config = self._load(folder / "agent" / "agent.toml", self.town.agent_config(), role="agent")
        self.config = self.configs[0]

    @staticmethod
    def _load(file: Path, text: str, **more: str) -> Config:
        file.write_text(text)
        return load(file, kinds.rooms(), {}, **more)  # type: ignore[arg-type]

    def tell(self, text: str) -> None:
        """One line of the story."""
        if self.story:
            print(f"{self.net.now - 1000:9.2f} {text}")

    def live(self, seconds: float) -> None:
        """A night of so many seconds, then calm."""
        try:
            self.begin()
            self.pass_time(30.0)
            fate = Fate(self)
            fate.rage(seconds)
            fate.calm()
        finally:
            self.end()
        self.counts["nights"] += 1
        self.counts["simulated hours"] += round(self.net.now - 1000) // 3600

    def begin(self) -> None:
        """Everything starts."""
        self.troubles.begin("daemon", "down", self.net.now)
        self.troubles.begin("agent", "down", self.net.now)
        self.start()
        self.start_agent()

    def end(self) -> None:
        """Nothing runs any more."""
        self.app = self._stop = self._reloading = None
        for host in (self.daemon, self.agent):
            if not host.gone:
                host.die(power=True)
        self._folder.cleanup()

    def pass_time(self, seconds: float) -> None:
        """The world goes on, and is judged every second."""
        until = self.net.now + seconds
        while self.net.now < until:
            self._go_on(min(until, self.net.now + LOOK_EVERY))
            self.judge()

    def _go_on(self, until: float) -> None:
        net, hosts = self.net, (self.daemon, self.agent)
        while True:
            for host in hosts:
                if host.awake():
                    host.run()
                    self._after(host)
            if any(host.awake() for host in hosts):
                continue
            soon = min(net.next, *(host.wakes_at() for host in hosts))
            if soon > until:
                net.run_to(until)
                return
            net.run_to(soon)

    def _after(self, host: SimHost) -> None:
        """A program may have ended or lost its power meanwhile."""
        if host is self.daemon and self.disk.off and not host.gone:
            self.counts["power cuts"] += 1
            self.tell("the power is gone")
            self.die(power=True)
        elif host.main is not None and host.main.done():
            main = host.main
            host.finish()
            if main.exception() is not None:
                raise main.exception() or LawBroken("a program ended")
            if host is self.daemon:
                self._ended()

    def judge(self) -> None:
        """Everything that must hold now."""
        state = self.state
        if state is None:
            return
        laws.check(state)
        self.sight.look(state)
        self.sight.hear()
        store = self.store
        if store is not None and self.app is not None and not self.app.engine.trouble and self._synced:
            self.sight.note(state)
        stopping = self.net.now - max(self._stopping_at, self.daemon.frozen_until)
        if stopping > STOP_MAX + self.daemon.slow_disk * 3:
            raise LawBroken("it does not stop")

    @property
    def state(self) -> State | None:
        """Of the daemon that runs and is ready."""
        return self.app.engine.peek() if self.app is not None else None

    @property
    def _synced(self) -> bool:
        return self.store is not None and self.store.synced == len(self.journal)

    def start(self) -> None:
        """The daemon's machine starts it."""
        self.counts["starts"] += 1
        self.disk.held = False
        self.daemon.boot(self._daemon)

    async def _daemon(self) -> None:
        host = self.daemon
        async with self._tools(host):
            app = App(
                self.config, host=Host(clock=host.clock, store=self._open, doors=host.doors, reachable=lambda _: True)
            )
            try:
                await app.start()
            except StoreError as error:
                self.counts["starts refused"] += 1
                self.tell(f"refused to start: {error}")
                return
            self._is_up(app)
            self._stop = asyncio.Event()
            await self._stop.wait()
            await app.stop()

    def _tools(self, host: SimHost) -> object:
        resolver = Resolver(host.lookup, self._resolv, lambda _: SimThreads(host))
        return net_tools.opened(
            page_url=host.name,
            resolver=resolver,
            clock=host.clock,
            new_socket=host.new_socket,  # type: ignore[arg-type]
        )

    def _open(self, _config: Config) -> FileStore:
        self.store = folder = NightFolder(self.disk, self.journal)
        folder.acknowledged = self.acknowledged
        return FileStore(folder)

    def _is_up(self, app: App) -> None:
        self.app = app
        self.sight.started_at = self.net.now
        self.troubles.end("daemon", "down", self.net.now)
        self.tell("the daemon is up")
        held = app.engine.peek().announcements
        for id, stands in self.announced.items():
            if stands != (id in held):
                raise LawBroken(f"announcement {id} {'is gone' if stands else 'is back'} after a start")

    def die(self, *, power: bool) -> None:
        """The daemon is killed, or its machine loses its power; both come back."""
        if self.store is not None:
            self.acknowledged = max(self.acknowledged, self.store.synced if power else self.store.appended)
        self._down()
        self.daemon.die(power=power)
        self.disk = self.disk.after_crash(self.dice, power=power)
        self.daemon.disk = self.disk
        self.net.later(self.dice.choice([1.0, 5.0, 40.0, 400.0] if power else [0.2, 1.0, 5.0]), self.start)

    def _down(self) -> None:
        self.app = self._stop = self._reloading = None
        self._stopping_at = inf
        self.troubles.begin("daemon", "down", self.net.now)

    def _ended(self) -> None:
        """It stopped by itself, or could not start; its manager starts it again."""
        if self.store is not None:
            self.acknowledged = max(self.acknowledged, self.store.appended)
        self._down()
        self.net.later(self.dice.choice([0.2, 5.0, 60.0]), self.start)

    def stop(self) -> None:
        """SIGTERM."""
        if self._stop is not None and self._stopping_at == inf:
            self.counts["stops"] += 1
            self.troubles.begin("daemon", "down", self.net.now)
            self._stopping_at = self.net.now
            self._stop.set()
            self.daemon.wake_at = self.net.now

    def start_agent(self) -> None:
        """The agent's machine starts it."""
        self.agent.boot(self._agent)
        self.net.later(5.0, lambda: self.troubles.end("agent", "down", self.net.now))

    async def _agent(self) -> None:
        async with self._tools(self.agent):
            await Agent(self.agent_config, self.agent.clock).run()

    def kill_agent(self) -> None:
        """And it comes back."""
        self.counts["agents killed"] += 1
        self.troubles.begin("agent", "down", self.net.now)
        self.agent.die(power=False)
        self.net.later(self.dice.choice([1.0, 100.0, 400.0]), self.start_agent)

    def reload(self, config: Config | None = None) -> None:
        """SIGHUP with that file, or any."""
        if self.app is None or self._stopping_at < inf:
            return
        self.counts["reloads"] += 1
        self.tell("reload")
        self.config = config or self.dice.choice(self.configs)
        self._reloading = self.daemon.loop.create_task(self._reload(self.app, self.config))
        self.daemon.wake_at = self.net.now

    async def _reload(self, app: App, config: Config) -> None:
        with contextlib.suppress(EngineTrouble):
            await app.reload(config)

    def check_words(self) -> None:
        """What was said yes to is so."""
        if self.state is None:
            return
        for id, stands in self.announced.items():
            if stands != (id in self.state.announcements):
                raise LawBroken(f"announcement {id} {'is gone' if stands else 'is back'}")

    def settled(self, sockets: int) -> None:
        """All was well for long enough."""
        assert self.state is not None, "it runs"
        self.sight.settled(self.state)
        self.check_words()
        if len(self.daemon.sockets) > sockets:
            raise LawBroken(f"{len(self.daemon.sockets)} sockets are open, and nobody is there")
