"""The life of the process: start, tell systemd, follow signals and the configuration file, stop within a bound."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from crisp_status import log, sdnotify
from crisp_status.api.manage import ReloadResult
from crisp_status.app.daemon import App
from crisp_status.config.problems import ConfigError
from crisp_status.core.model import Health
from crisp_status.formats.templates import faults
from crisp_status.loops.outward import Outward
from crisp_status.net.tools import may_ping

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.config.root import Config

WATCH_SECONDS: Final = 2.0
"""How often the file's time is compared; inotify would miss network file systems and renames over it."""

STATUS_SECONDS: Final = 10.0
"""How often systemd gets a line on how things are."""


async def run(config: Config, load: Callable[[], Config], *, ready: Callable[[App], None] | None = None) -> int:
    """Run until a signal ends it; the exit code. `load` reads the configuration again, for a reload.

    Raises `StoreError`, `StartError` or `ListenError` when it cannot start.
    """
    app, manager = App(config), sdnotify.SystemdNotify()
    life = _Life(app, load, manager)
    life.follow_reloads()
    await app.start()
    try:
        life.follow_stops()
        introduce(app)
        if ready is not None:
            ready(app)
        manager.notify_ready(_status(app))
        return await life.live()
    finally:
        manager.stopping()
        await app.stop()
        if app.engine.trouble:
            log.get().error("stopped; the last changes could not be saved", reason=app.engine.trouble)
        else:
            log.get().info("stopped; everything is saved")


def introduce(app: App) -> None:
    """Say what is watched, where the page is, and what is missing."""
    say, config = log.get(), app.config
    plan = app.engine.peek().plan  # `peek`: lines of a log
    modes = Counter(n.mode for s in plan.services for n in s.nodes for _ in n.replicas or (None,))
    watched = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items())) or "nothing yet"
    notifiers = [n.id for n in config.notifiers if n.enabled]
    say.info("watching", services=len(plan.services), replicas=watched, notifiers=notifiers)
    for remark in config.remarks:
        say.warning(str(remark))
    if config.page.templates:
        for fault in faults(config.file(config.page.templates)):
            say.warning("an own template is broken, ours stands in for it", reason=fault)
    if not notifiers:
        say.warning("nobody is told when something dies: add or enable a [[notifiers]] entry")
    if config.server.manager_token is None:
        say.info("management is off: [server] manager_token is not set")
    if any(r.id.startswith("icmp:") for s in plan.services for n in s.nodes for r in n.replicas) and (
        cure := may_ping()
    ):
        say.warning("icmp replicas stay pending", reason=cure)
    for address in app.bound:
        say.info("page is served", address=address)


class _Life:
    """What happens between start and stop."""

    def __init__(self, app: App, load: Callable[[], Config], manager: sdnotify.SystemdNotify) -> None:
        self._app = app
        self._manager = manager
        self._load = load
        self._over = asyncio.Event()
        self._reload = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._refused = ""
        """Why the last reload changed nothing, for the status line; "" when it was taken."""
        self._outward: Outward | None = None
        self._seen = self._stamp()
        app.reload_file = self.reload_now

    def follow_reloads(self) -> None:
        """From now on SIGHUP asks for a reload instead of ending us; one that comes during the start is done after it."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload.set)

    def follow_stops(self) -> None:
        """From now on SIGTERM and SIGINT end us in order. Before, they end a start at once, also one that hangs."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)

    async def live(self) -> int:
        self._outward = Outward(self._app.engine, self._app.clock)
        self._outward.configure(self._app.config.heartbeat)
        works = (self._reloads(), self._watch(), self._heartbeat(), self._outward.run())
        tasks = [asyncio.create_task(work) for work in works]
        over = asyncio.create_task(self._over.wait())
        failed = self._app.failed
        assert failed is not None, "the app was started"
        waited: set[asyncio.Future[Any]] = {over, failed, *tasks}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (over, *tasks):
                task.cancel()
            await asyncio.gather(over, *tasks, return_exceptions=True)
        return 1 if failed.done() and failed.exception() is not None else 0

    def _stop(self) -> None:
        if self._over.is_set():
            log.get().warning("stopped at once; nothing durable is lost")
            sys.stderr.flush()
            os._exit(130)
        self._over.set()

    async def _reloads(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            await self.reload_now()

    async def reload_now(self) -> ReloadResult:
        """Load the file again and take it, or leave everything as it is; log, systemd and the caller hear which."""
        async with self._reloading:
            self._manager.reloading()
            result = await self._reload_once()
            first = result.problems[0]["text"] if result.problems else ""
            more = f" and {len(result.problems) - 1} more" if len(result.problems) > 1 else ""
            self._refused = f"reload refused: {first}{more}" if first else ""
            self._manager.notify_ready(self._status())
            return result

    async def _reload_once(self) -> ReloadResult:
        self._seen = self._stamp()
        try:
            config = await asyncio.to_thread(self._load)
            changed = self._app.fixed_keys_changed(config)
            await self._app.reload(config)
        except ConfigError as error:
            for problem in error.problems:
                log.get().error(str(problem))
            log.get().error("the configuration was not changed: the new one has problems")
            return ReloadResult(problems=[{"text": str(problem)} for problem in error.problems])
        except Exception as error:
            log.get().error("the configuration was not changed", reason=str(error))
            return ReloadResult(problems=[{"text": log.redactor.text(str(error))}])
        if self._outward is not None:
            self._outward.configure(config.heartbeat)
        log.configure(level=config.server.log_level, style=config.server.log_style)
        log.get().info("the new configuration is in force")
        for key in changed:
            log.get().warning("takes effect at the next start", key=key)
        return ReloadResult(next_start=changed)

    def _status(self) -> str:
        return ", ".join(part for part in (self._refused, _status(self._app)) if part)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._app.config.server.watch and self._stamp() != self._seen:
                self._reload.set()
                self._seen = self._stamp()

    async def _heartbeat(self) -> None:
        """Feed the watchdog from the loop that does the work, so that a stuck loop is noticed."""
        wait = min(self._manager.watchdog_interval or STATUS_SECONDS, STATUS_SECONDS)
        while True:
            self._manager.watchdog()
            self._manager.status(self._status())
            await asyncio.sleep(wait)

    def _stamp(self) -> tuple[int, ...]:
        """What changes when the file does: also by a rename over it, or a symlink that now leads to another file."""
        with suppress(OSError):
            found = self._app.config.path.stat()
            return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
        return ()


def _status(app: App) -> str:
    state = app.engine.peek()  # `peek`: a line for the service manager, replaced in ten seconds
    dead = sum(1 for n in state.nodes.values() if n.health is Health.DEAD)
    parts = [f"{state.health.word}; {len(state.nodes)} nodes", f"{dead} dead" if dead else ""]
    parts.append(f"{len(state.outbox)} messages unsent" if state.outbox else "")
    parts.append(f"disk: {app.engine.trouble}" if app.engine.trouble else "")
    return ", ".join(p for p in parts if p)
