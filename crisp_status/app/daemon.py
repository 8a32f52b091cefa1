"""The daemon as a value: made from a configuration, started, reloaded, stopped in reverse.

Two of them can run in one process, each on port 0 with a state folder of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from crisp_status import log
from crisp_status.api.actions import ActionPages
from crisp_status.api.devices import Devices
from crisp_status.api.healthz import HealthEndpoint
from crisp_status.api.manage import Manage
from crisp_status.api.mcp import ModelContext
from crisp_status.api.metrics import MetricsEndpoint
from crisp_status.api.reports import Reports
from crisp_status.app import history
from crisp_status.app.keys import KeyFailure, link_key, push_keys
from crisp_status.app.privacy import private_page, with_key
from crisp_status.app.receivers import changed_receivers, receivers
from crisp_status.app.replay import replayed
from crisp_status.app.subscriptions import Subscriptions
from crisp_status.channels import Http
from crisp_status.clock import SystemClock
from crisp_status.config import plan as planning
from crisp_status.config.strict import start_only_changes
from crisp_status.console.access import Access
from crisp_status.console.frame import Frame
from crisp_status.console.pages import Console
from crisp_status.core.events import Planned, Retried
from crisp_status.core.model import STATE_VERSION, State
from crisp_status.core.world import World
from crisp_status.engine import Engine, EngineTrouble
from crisp_status.formats.documents import table
from crisp_status.formats.embed_policy import embed_policy
from crisp_status.formats.exposition import Counters
from crisp_status.http.authentication import Failures, Permissions, Proxies
from crisp_status.http.listen import Listeners, open_listeners
from crisp_status.http.router import Router
from crisp_status.http.server import WebServer
from crisp_status.http.site import Site
from crisp_status.language.catalogues import catalogues
from crisp_status.loops import save, tick
from crisp_status.loops.copies import Copies
from crisp_status.loops.deliver import Deliverer
from crisp_status.loops.observe import Poller
from crisp_status.loops.publish import Publisher
from crisp_status.loops.senders import senders
from crisp_status.net import public_address
from crisp_status.net import tools as net_tools
from crisp_status.reports import scope_of
from crisp_status.store.disk import os_text
from crisp_status.store.file_store import FileStore
from crisp_status.view.page_info import page_info

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from crisp_status.api.manage import ReloadResult
    from crisp_status.app.https import Https
    from crisp_status.channels._webpush import PushKeys
    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.core.policy import Plan
    from crisp_status.formats.routes import Table
    from crisp_status.reports import ReportScope
    from crisp_status.store import Recovered, Store
    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import PageView

Key = TypeVar("Key")

STOP_SECONDS: Final = 5.0
"""A stop takes no longer than this (DESIGN section 6)."""

AFTERWARDS_SECONDS: Final = 0.5
"""After a start whoever waited for the page has it by then. Until then it is sent as it is, not compressed."""


@dataclass(frozen=True)
class Host:
    """The machine under a daemon. Tests hand in one that fails."""

    clock: Clock = field(default_factory=SystemClock)
    store: Callable[[Config], Store] = lambda config: FileStore(config.state_folder)
    """What remembers, as a configuration says."""
    doors: Listeners = open_listeners
    """Opens the addresses that are listened on."""
    reachable: public_address.Reachable = public_address.is_public
    """To which addresses requests may go whose URL came over HTTP."""


class StartError(Exception):
    """A file that the daemon needs cannot be used; the sentence says which, why and what to do."""


@dataclass(frozen=True)
class _Made:
    """What a configuration becomes. It is made before anything changes, because only the making can fail."""

    config: Config
    plan: Plan
    targets: Mapping[tuple[str, str], planning.PlannedTarget]
    info: PageInfo
    table: Table
    keys: PushKeys | None


class App:
    """One daemon. `start` returns when the page is served; `stop` when everything is saved."""

    def __init__(self, config: Config, *, host: Host | None = None) -> None:
        """Nothing happens before `start`."""
        self.config = self._started = config
        self._host = host or Host()
        self.clock = self._host.clock
        self.counters = Counters()
        self.bound: list[str] = []
        """Where it listens, with real port numbers."""
        self.https: Https | None = None
        """Of a configuration with `[tls]`, from its start on."""
        self.failed: asyncio.Future[None] | None = None
        """Set when a loop died, which is a bug; the process should end and be started again."""
        self.reload_file: Callable[[], Awaitable[ReloadResult]] | None = None
        """Loads the configuration file again; set by whoever knows the file."""
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Recover, take the plan into force, watch, and serve.

        Raises `StoreError`, `StartError` or `ListenError` with a sentence; then nothing was changed.
        """
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Stop in reverse: accept nothing more, finish what is in flight, save. May be called again."""
        stack, self._stack = self._stack, contextlib.AsyncExitStack()
        await stack.aclose()

    async def reload(self, config: Config) -> None:
        """Take another configuration into force; everything whose id stays keeps its state.

        Raises `StartError`, or `EngineTrouble` when the disk does not take it; then the old one stays in force.
        """
        made = await self._make(config)
        try:
            await self.engine.commit(Planned(plan=made.plan))
        except EngineTrouble:
            # `peek`: when the disk failed, the plan may be in force in memory, to be saved when the disk works again.
            # Then whoever looks and sends must follow it.
            if self.engine.peek().plan != made.plan:
                raise
        changed = changed_receivers(self.config, config)
        self.config = config
        self._configure(made)
        await self._retry(changed)
        self._reports.scope = self._scope(config)
        for server in self._servers:
            server.reload(config.page.name)
        if self.https is not None:
            self.https.configure(config)

    async def _retry(self, notifiers: Iterable[str]) -> None:
        """Try at once what these notifiers refused: what was wrong may have been mended."""
        for notifier in notifiers:
            await self.engine.submit(Retried(notifier=notifier))

    def fixed_keys_changed(self, config: Config) -> list[str]:
        """Keys that another configuration sets otherwise than the one of the start, and that only a start can follow."""
        return start_only_changes(self._started, config)

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        config, clock, self.failed = self.config, self.clock, asyncio.get_running_loop().create_future()
        log.hide(*config.secrets())
        self.store = self._host.store(config)
        stack.push_async_callback(self.store.close)
        world, found = await self._recover()
        self._link_key = await _key(link_key(self.store))
        made = await self._make(config)
        if made.plan == world.state.plan:
            # Equal, but this one's bytes the store has already; the other would stay in memory beside it.
            made = replace(made, plan=world.state.plan)
        _try_doors(config, self._host.doors)
        self.engine = Engine(world, self.store, clock)
        stack.push_async_callback(self._end_engine, asyncio.create_task(self._watched(self.engine.run)))
        with contextlib.suppress(EngineTrouble):  # the page is served from memory; staying away would be worse
            await self.engine.commit(Planned(plan=made.plan, fresh=True))
        if self.failed.done():
            await self.failed
        if found.format < STATE_VERSION or found.salvaged:
            # Before anything is sent: the next start might replay other rules, or nothing from behind a damage.
            await self.engine.snapshot()
        await history.take(self.engine, history.beside(config.path))
        await stack.enter_async_context(net_tools.opened(page_url=config.page.url, scripts=config.script.parallel))
        self._http = await stack.enter_async_context(Http(clock, reachable=self._host.reachable))
        self.poller = Poller(self.engine, clock, self.counters)
        self.deliverer = Deliverer(self.engine, clock, self.counters)
        self.copies = Copies(self.counters)
        self.site = Site(made.table, clock, self.counters)
        stack.callback(self.site.close)
        self.publisher = Publisher(self.engine, clock, self._show)
        self._proxies = Proxies(config.server.trusted_proxies)
        self.subscribers = Subscriptions(
            self.engine, clock, self.site, self._link_key, self._proxies, self._host.reachable
        )
        stack.push_async_callback(self.subscribers.close)
        self._configure(made)
        if config.tls is not None:
            from crisp_status.app.https import Https  # with its libraries, which nobody else needs

            self.https = Https(config, self.engine, clock, self._proxies, self.site.dater)
            stack.callback(self.https.keeper.close)
        await self._retry(receivers(config))  # the file may have been mended while the daemon was stopped
        await self.publisher.first()
        await self.site.warm()
        self._servers = servers = [self._web()]
        if config.metrics.enabled and config.metrics.listen:
            servers.append(self._metrics_alone(config.metrics.listen))
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(self._end, servers, tasks)
        for server in servers:
            await server.start()
        self.bound = [address for server in servers for address in server.bound]
        loops: list[Callable[[], Coroutine[object, object, None]]] = [
            partial(tick.run, self.engine),
            partial(save.run, self.engine, self.store, len(found.events)),
            self.poller.run,
            self.deliverer.run,
            self.subscribers.run,
            self.publisher.run,
            partial(self._afterwards, world.state),
            self.copies.run,
            *((self.https.run,) if self.https is not None else ()),
        ]
        tasks += [asyncio.create_task(self._watched(loop)) for loop in loops]

    async def _make(self, config: Config) -> _Made:
        """Everything that a configuration becomes. Raises `StartError`."""
        try:
            info = with_key(page_info(config), config, self._link_key)
        except OSError as error:
            raise StartError(f"{error.filename}: a file of [page] cannot be read: {os_text(error)}") from error
        made = table(info, embed_policy(config), catalogues(info.languages))
        keys = await _key(push_keys(self.store, config))
        return _Made(config, planning.plan(config), planning.targets(config), info, made, keys)

    async def _afterwards(self, state: State) -> None:
        """What a start leaves undone until its page is served, as it would only take the processor from that."""
        await asyncio.sleep(AFTERWARDS_SECONDS)
        await self.site.pack()
        await self.store.remember(state)

    def _configure(self, made: _Made) -> None:
        """Hand a configuration to everything that can change while it runs."""
        config, info = made.config, made.info
        self._keys = self._http.push_keys = made.keys
        self._catalogues = catalogues(info.languages)
        self.poller.configure(made.plan, made.targets, config.witness.urls)
        self.deliverer.configure(senders(config, info, self._link_key, self.clock, self._http))
        self.subscribers.configure(config, info, self._catalogues, made.keys, self._http.timeout)
        self.site.configure(made.table, private_page(config, info, self._proxies, self.clock))
        self.copies.configure(config, made.table)
        self.publisher.configure(info, embed_policy(config))

    async def _show(self, view: PageView) -> None:
        await self.site.show(view)
        self.copies.offer(view)

    def _web(self) -> WebServer:
        config, engine, router, proxies = self.config, self.engine, Router(), self._proxies
        failures = self._failures = Failures(self.clock.monotonic)
        security = self.https.security if self.https is not None else None
        if self.https is not None:
            self.https.add_routes(router)
        token = config.server.manager_token
        gate = Permissions(token.get_secret_value(), "Manager Token", failures) if token else None
        facts = self.https.facts if self.https is not None else list
        manage = Manage(engine, self.clock, gate, proxies, page_url=lambda: self.config.page.url, certificates=facts)
        manage.add_routes(router)
        HealthEndpoint(engine).add_routes(router)
        ModelContext(engine, self.site, gate, proxies).add_routes(router)
        manage.add_reload(router, lambda: self.reload_file)
        Devices(engine, manage.guard, self._push_key, self._host.reachable).add_routes(router)
        access = Access(lambda: self.config, self.clock, proxies, failures, self._link_key)
        frame = Frame(engine, self.clock, access, self.site, lambda: self.config, lambda: self._catalogues)
        self.console = Console(frame, self.poller.look_now, self.reload, self._push_key, engine.changed, facts)
        self.console.add_routes(router)
        self.subscribers.add_routes(router, manage.guard)
        ActionPages(engine, self.clock, self._link_key, self.site, access.signed_in).add_routes(router)
        self._reports = Reports(
            engine,
            self._scope(config),
            counters=self.counters,
            clock=self.clock,
            dater=self.site.dater,
            failures=failures,
            client=proxies.client,
            protected=proxies.protected,
        )
        self._reports.register(router)
        if config.metrics.enabled and not config.metrics.listen:
            MetricsEndpoint(engine, self.clock, self.site, self._count).add_routes(router, manage.guard)
        return WebServer(
            self.site,
            router,
            config.server.listen,
            name=config.page.name,
            doors=self._host.doors,
            security=security,
        )

    def _push_key(self) -> str:
        """The public key that browsers subscribe with; "" while no notifier of type push is configured."""
        return self._keys.public if self._keys else ""

    def _metrics_alone(self, listen: str) -> WebServer:
        """Figures on an address of their own, open to whoever reaches it."""
        router = Router()
        MetricsEndpoint(self.engine, self.clock, self.site, self._count).add_routes(router)
        return WebServer(
            self.site,
            router,
            [listen],
            name=self.config.page.name,
            inherited=tuple,
            doors=self._host.doors,
            security=self.https.security if self.https is not None else None,
        )

    def _count(self, counters: Counters) -> None:
        """Bring the counters that others keep up to date."""
        engine = self.engine
        counters.events, counters.queue = engine.events, engine.waiting
        counters.journal_syncs, counters.snapshots = engine.syncs, engine.snapshots
        counters.wrong_tokens = self._failures.counted
        if self.https is not None:
            self.https.count(counters)

    def _scope(self, config: Config) -> ReportScope:
        """What reports are judged against. `peek`: it answers whether a replica exists; what a report changes is waited for."""
        return scope_of(config, self.engine.peek())

    async def _recover(self) -> tuple[World, Recovered]:
        found = await self.store.open()
        for note in found.notes:
            log.get().warning(note)
        return await asyncio.to_thread(replayed, found), found

    async def _watched(self, loop: Callable[[], Coroutine[object, object, None]]) -> None:
        try:
            await loop()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if loop != self.engine.run:  # which has logged it
                log.get().exception("a loop died; this is a bug, please report it")
            if self.failed is not None and not self.failed.done():
                self.failed.set_exception(error)

    @staticmethod
    async def _end(servers: list[WebServer], tasks: list[asyncio.Task[None]]) -> None:
        """Everybody at once, so that their patience does not add up."""
        for task in tasks:
            task.cancel()
        stops = [server.stop(STOP_SECONDS / 3) for server in servers]
        await asyncio.gather(*stops, *tasks, return_exceptions=True)

    async def _end_engine(self, task: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS / 3):
                await self.engine.snapshot()
        await self.engine.stop()
        await asyncio.gather(task, return_exceptions=True)


async def _key(key: Coroutine[object, object, Key]) -> Key:
    """A key of the store. Raises `StartError`."""
    try:
        return await key
    except KeyFailure as error:
        raise StartError(str(error)) from error


def _try_doors(config: Config, doors: Listeners) -> None:
    """See that every address is free before the state is touched: a start that fails every minute leaves no trace.

    Raises `ListenError`. Sockets that systemd holds are free for us, and can be taken only once.
    """
    figures = [config.metrics.listen] if config.metrics.enabled and config.metrics.listen else []
    given = "LISTEN_FDS" in os.environ
    for door in doors([a for a in (*config.server.listen, *figures) if a != "systemd" or not given]):
        door.close()
