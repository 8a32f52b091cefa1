"""One attempt to reach a target: its deadline and its story.

What runs inside an attempt adds to the story by `note`, says what it waits for by `expect`, and waits for things of ours by
`uncounted`, whose time the target is not charged for. Outside of an attempt all three do nothing, so that everything in
this room can also be used alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any, TypeVar

from crisp_status.clock import Clock, SystemClock
from crisp_status.core.verdict import ReasonCode

Note = tuple[float, str, dict[str, Any]]
"""Monotonic time, sentence with {fields}, and the fields. Put together only when somebody reads the story."""

T = TypeVar("T")


class Attempt:
    """What the code on the way to a socket records for the one who looks."""

    __slots__ = ("awaited", "clock", "code", "deadline", "notes", "paused", "peer", "resolving")

    def __init__(self, clock: Clock, notes: list[Note]) -> None:
        self.clock = clock
        self.notes = notes
        self.deadline: asyncio.Timeout | None = None
        self.paused = 0.0
        """Seconds spent in `uncounted`."""
        self.resolving = 0.0
        """Seconds that its name took to be resolved."""
        self.awaited = "no answer"
        """What was missing when the deadline passed, for the reason."""
        self.code = ReasonCode.NO_ANSWER
        self.peer: Any = ""
        """Address and port that was tried last; its text is for people."""

    def missed(self, seconds: float) -> str:
        """The sentence for a deadline of so many seconds that has passed."""
        return f"{self.awaited.replace('{peer}', str(self.peer))} within {seconds:g} s"


current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def note(text: str, **facts: Any) -> None:
    """Add a step to the story of this attempt: `note("connected to {address}", address="10.0.0.5:443")`."""
    attempt = current.get()
    if attempt is not None:
        attempt.notes.append((attempt.clock.monotonic(), text, facts))


def expect(text: str, *, code: ReasonCode = ReasonCode.NO_ANSWER, peer: Any = None) -> None:
    """Name what is awaited from here on: `expect("no banner")` makes the reason "no banner within 10 s" at the deadline.

    `peer` is the address on the other side; `{peer}` in the text stands for it.
    """
    attempt = current.get()
    if attempt is not None:
        attempt.awaited, attempt.code = text, code
        if peer is not None:
            attempt.peer = peer


def now() -> float:
    """Epoch seconds by the clock of this look."""
    attempt = current.get()
    return SystemClock().now() if attempt is None else attempt.clock.now()


def resolved_after(seconds: float) -> None:
    """Record how long a name took: when the deadline passes, slow nameservers may be the reason."""
    attempt = current.get()
    if attempt is not None:
        attempt.resolving += seconds


async def uncounted(awaitable: Awaitable[T]) -> T:
    """Await something of ours. The deadline of the attempt moves back by the time that it takes."""
    attempt = current.get()
    if attempt is None or attempt.deadline is None or attempt.deadline.expired():
        return await awaitable
    loop = asyncio.get_running_loop()
    began = loop.time()
    ends = attempt.deadline.when()
    attempt.deadline.reschedule(None)
    try:
        return await awaitable
    finally:
        waited = loop.time() - began
        attempt.paused += waited
        if not attempt.deadline.expired():
            attempt.deadline.reschedule(None if ends is None else ends + waited)


async def acquire(limit: asyncio.Semaphore) -> None:
    """Take a place of a limit of ours, without charge to the target; the caller releases it."""
    if limit.locked():
        await uncounted(limit.acquire())
    else:
        await limit.acquire()
