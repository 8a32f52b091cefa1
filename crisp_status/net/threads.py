"""Threads for calls that block and may hang. Unlike those of `concurrent.futures`, they do not hold up the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Threads:
    """At most `size` threads, started as they are needed and kept."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._started = 0
        self._busy = 0
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()

    def run(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """Have it called; the future is of the running loop."""
        loop = asyncio.get_running_loop()
        result = loop.create_future()
        self._busy += 1
        if self._started < min(self._busy, self._size):
            self._started += 1
            threading.Thread(target=self._work, name=f"resolve-{self._started}", daemon=True).start()
        self._jobs.put((loop, result, call))
        return result

    def close(self) -> None:
        """Let the threads go; one that hangs goes when it can."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, result, call = job
            found, error = None, None
            try:
                found = call()
            except Exception as raised:
                error = raised
            try:
                loop.call_soon_threadsafe(self._done, result, found, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _done(self, result: asyncio.Future[Any], found: Any, error: Exception | None) -> None:
        self._busy -= 1
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(found)
