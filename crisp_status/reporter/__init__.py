"""Tell a status page that your application is alive: the library for Python applications.

    from crisp_status.reporter import Reporter

    reporter = Reporter("https://status.acme.example", token="…", service_id="web", node_id="api")

It stands alone: standard library only (psutil is used when it is there), and the folder may be copied. It runs in a
daemon thread (`Reporter`) or as an asyncio task (`AsyncReporter`), never raises into the application, never blocks
it, and keeps trying through every error. The wire format is that of PROTOCOLS section 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import random
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from .sender import FLUSH_TIMEOUT, Outcome, Sender
from .system_load import Load

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AsyncReporter", "Load", "Outcome", "Reporter", "Sender"]

FIRST_RETRY: Final = 2.0
"""Seconds after the first failure; each further one doubles it, up to the interval."""

log = logging.getLogger("crisp_status.reporter")


class _Pace:
    """When to send next, and what to say in the log: shared by both reporters."""

    def __init__(self, interval: float, retry: float) -> None:
        self.interval = interval
        self.retry = retry
        self.failures = 0
        self.last_error = ""

    def after(self, outcome: Outcome) -> float:
        """Seconds until the next report: a little early after success, growing and jittered after failures."""
        if outcome.ok:
            if self.failures:
                log.info("reporting to the status page again, after %d failures", self.failures)
            self.failures, self.last_error = 0, ""
            return self.interval * random.uniform(0.9, 1.0)
        self.failures += 1
        self.last_error = outcome.error
        level = logging.WARNING if self.failures == 1 else logging.DEBUG
        log.log(level, "report to the status page failed (will go on trying): %s", outcome.error)
        wait = min(self.interval, self.retry * 2.0 ** min(self.failures - 1, 20)) * random.uniform(0.5, 1.0)
        return max(wait, outcome.retry_after)


def _verdict(said: object) -> tuple[str, str]:
    """What a health callback answered as (health, reason); "" is fine."""
    word, reason = said if isinstance(said, tuple) and len(said) == 2 else (said, "")
    if word is False:
        return "sick", str(reason)
    return (word, str(reason)) if isinstance(word, str) and word in {"sick", "dead"} else ("", "")


class _Base:
    """What both reporters are made of."""

    def __init__(
        self,
        url: str,
        token: str,
        service_id: str,
        node_id: str,
        replica_id: str = "",
        interval: float = 30.0,
        *,
        health: Callable[[], object] | None = None,
        load: bool = True,
        flush: bool = False,
        retry: float = FIRST_RETRY,
    ) -> None:
        self._sender = Sender(*(str(given or "") for given in (url, token, service_id, node_id, replica_id)))
        self._pace = _Pace(max(1.0, interval), retry)
        self._health = health
        self._load = Load() if load else None
        self._flush = flush
        if self._sender.problem:
            log.error("not reporting to the status page: %s", self._sender.problem)

    @property
    def last_error(self) -> str:
        """Why the last report failed; "" when it did not."""
        return self._sender.problem or self._pace.last_error

    def _send(self, verdict: tuple[str, str]) -> Outcome:
        cpu = ram = None
        if self._load:
            with contextlib.suppress(Exception):
                cpu, ram = self._load.cpu(), self._load.ram()
        return self._sender.report(self._pace.interval, cpu, ram, *verdict)


class Reporter(_Base):
    """Reports from a daemon thread, at once and then every `interval` seconds, until `end()`.

    `replica_id` names this copy of the application, the host name by default. `health` may return None or "healthy",
    "sick" or "dead", or one of the last two with a reason as a pair; it runs in the reporter's thread. With `flush`,
    leaving a `with` block removes the replica from the page. `retry` is the wait after a first failure. A missing
    address or token is logged, not raised. A forked process needs a Reporter of its own.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="status reporter")
        if not self._sender.problem:
            self._thread.start()

    def end(self, flush: bool = False, timeout: float = FLUSH_TIMEOUT) -> None:
        """Stop. With `flush` the server forgets this replica; that is waited for, `timeout` seconds at most."""
        already = self._stop.is_set()
        self._stop.set()
        if not flush or already or self._sender.problem:
            return
        last = threading.Thread(target=self._last, args=(timeout,), daemon=True, name="status reporter flush")
        last.start()
        last.join(timeout)

    def _last(self, timeout: float) -> None:
        # A report that is still on its way would bring the replica back.
        self._thread.join(timeout)
        self._sender.flush(timeout)

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                verdict = _verdict(self._health()) if self._health else ("", "")
            except Exception as error:
                verdict = "sick", f"the health check raised {type(error).__name__}: {error}"
            wait = self._pace.after(self._send(verdict))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(flush=self._flush)


class AsyncReporter(_Base):
    """Reports from a task of the running event loop: a loop that hangs goes silent, as it should.

    `async with AsyncReporter(…)`, or `start()` and `await end()`. `health` may be a coroutine function. Requests are
    made in a daemon thread, so that neither the loop nor the exit of the process waits for the network.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to report; needs a running loop."""
        if self._task is None and not self._sender.problem:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="status reporter")

    async def end(self, flush: bool = False, timeout: float = FLUSH_TIMEOUT) -> None:
        """Stop; with `flush` the server forgets this replica, `timeout` seconds are given to that."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
        if flush:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await _in_thread(lambda: self._sender.flush(timeout))

    async def _run(self) -> None:
        while True:
            try:
                said = self._health() if self._health else None
                verdict = _verdict(await said if inspect.isawaitable(said) else said)
            except Exception as error:
                verdict = "sick", f"the health check raised {type(error).__name__}: {error}"
            outcome = await _in_thread(functools.partial(self._send, verdict))
            await asyncio.sleep(self._pace.after(outcome))

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(flush=self._flush)


def _in_thread(call: Callable[[], Outcome]) -> asyncio.Future[Outcome]:
    """Run a blocking call in a daemon thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    def run() -> None:
        outcome = call()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, daemon=True, name="status report").start()
    return future
