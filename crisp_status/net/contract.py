"""What a probe kind gives and raises, and what it may say of the attempt that is under way.

A kind is one file: `SCHEMES`, `Options`, `async probe(target, options) -> Reading`. It has no deadline, no retry, no
timing and no log of its own: `look` has them. A failure of the target is a `ProbeError`, a failure of ours an
`Unknowable`; whatever else escapes from a kind is a bug of ours and therefore unknown too, but for an `OSError`, which
is explained by `net.errors`.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from crisp_status.clock import Clock, SystemClock
from crisp_status.core.model import FINE, Health, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisp_status.net.deadline import Deadline
    from crisp_status.net.tools import Tools

Cause = Literal["limit", "permission", "network", "resolver", "stall", "missing", "bug", "witness"]
"""witness: every one was silent while the target was."""


class Reading(msgspec.Struct, frozen=True):
    """What a probe read from a target that answered well enough."""

    health: Health = Health.HEALTHY
    reason: Reason = FINE
    latency: float | None = None
    """Seconds, where the kind knows better than `look` (worst round trip of a ping); None: `look` measures."""
    timed: bool = True
    """Whether a long latency makes it sick. A script may take its time."""


SILENT = frozenset({"no_answer", "unreachable", "name"})
"""Codes of failures that a network of ours that is gone looks like. Any other, also a refusal, came through it."""

TEXT_MAX = 4200
"""Characters of a reason: the 4 kB that a script may say, and a few words of ours."""


def clean(text: str) -> str:
    """One line for people: what a target says may hold line breaks, terminal commands and broken characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text[:TEXT_MAX]


class ProbeError(Exception):
    """The target failed: this attempt says dead. Arguments as in `core.model.Reason`.

    `silent`: nothing came, which a network of ours that is gone looks like, too; by default what the code says.
    """

    def __init__(self, code: str, text: str, value: str = "", *, silent: bool = False) -> None:
        text = clean(text)
        super().__init__(text)
        self.reason = Reason(code, text, clean(value))
        self.silent = silent or code in SILENT


class NameFailure(ProbeError):
    """The name was not resolved, which may be the fault of our own resolver: `look` finds out before it says dead."""

    def __init__(self, text: str) -> None:
        super().__init__("name", text)


class Unknowable(Exception):
    """We could not look, by an error of ours. The health stays as it was, and the operator reads the sentence."""

    def __init__(self, text: str, cause: Cause = "limit") -> None:
        self.text = clean(text)
        super().__init__(self.text)
        self.cause: Cause = cause


class Kind(Protocol):
    """A module of this room. It may also have `GATE`: the limit that an attempt counts against, see `net.tools.Tools`."""

    probe: Callable[[str, Any], Awaitable[Reading]]


class Attempt:
    """One attempt of a look: its deadline and its story. Kinds reach it by `note`, `expect` and `admitted`."""

    __slots__ = ("awaited", "clock", "code", "deadline", "naming", "paused", "peer", "shared", "steps")

    def __init__(self, shared: Tools, clock: Clock, steps: list[Note]) -> None:
        self.shared = shared
        """For who is asked for the tools meanwhile: to find the running loop asks the system for the process each time."""
        self.clock = clock
        self.steps = steps
        self.deadline: Deadline | None = None
        self.paused = 0.0
        """Seconds spent in `admitted`."""
        self.naming = 0.0
        """Seconds that its name took to be resolved."""
        self.awaited = "no answer"
        """What to say when the time is over."""
        self.code = "no_answer"
        self.peer: Any = ""
        """Address and port that was tried last; its text is for people."""

    def missed(self, seconds: float) -> str:
        """The sentence for a deadline that has passed."""
        return f"{self.awaited.replace('{peer}', str(self.peer))} within {seconds:g} s"


Note = tuple[float, str, dict[str, Any]]
"""Monotonic time, sentence with {fields}, and the fields. Put together only when somebody reads the story."""

_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def note(text: str, **facts: Any) -> None:
    """Add a step to the story of this attempt: `note("connected to {address}", address="10.0.0.5:443")`."""
    attempt = _attempt.get()
    if attempt is not None:
        attempt.steps.append((attempt.clock.monotonic(), text, facts))


def expect(text: str, *, code: str = "no_answer", peer: Any = None) -> None:
    """Say what is being waited for: `expect("no banner")` makes "no banner within 10 s" when the time is over.

    `peer` is the address on the other side; `{peer}` in the text stands for it.
    """
    attempt = _attempt.get()
    if attempt is not None:
        attempt.awaited, attempt.code = text, code
        if peer is not None:
            attempt.peer = peer


def now() -> float:
    """Epoch seconds by the clock of this look."""
    attempt = _attempt.get()
    return SystemClock().now() if attempt is None else attempt.clock.now()


def named(seconds: float) -> None:
    """A name was resolved, after so long: of a deadline that is missed then, the nameservers may be the reason."""
    attempt = _attempt.get()
    if attempt is not None:
        attempt.naming += seconds


async def admitted(gate: asyncio.Semaphore) -> None:
    """Acquire a thing of ours. The time of waiting for it does not count for the target; the caller releases it."""
    attempt = _attempt.get()
    if attempt is None or attempt.deadline is None or not gate.locked():
        await gate.acquire()
        return
    loop = asyncio.get_running_loop()
    began = loop.time()
    attempt.deadline.pause()
    try:
        await gate.acquire()
    finally:
        waited = loop.time() - began
        attempt.paused += waited
        attempt.deadline.resume(waited)
