"""One look at one replica: attempts, one deadline each, retries, timing, and the story of it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from crisp_status import kinds, log
from crisp_status.clock import Clock
from crisp_status.core.model import Health, Reason
from crisp_status.net.contract import (
    Attempt,
    Cause,
    Kind,
    NameFailure,
    Note,
    ProbeError,
    Reading,
    Unknowable,
    _attempt,
    clean,
)
from crisp_status.net.errors import explain
from crisp_status.net.tools import tools

STALL_SHARE = 0.1
"""A deadline of which we ourselves slept away more than this share proves nothing about the target."""

NAMING_SHARE = 0.25
"""A deadline of which the nameservers took more than this share is missed by the name, not by the target."""


class StoryStep(NamedTuple):
    """One step of the story."""

    ms: int
    """Since the look began."""
    text: str
    facts: dict[str, Any]
    """The same for a program; plain values only."""


class Look(msgspec.Struct, frozen=True, gc=False):
    """What one look, with its retries, came to."""

    health: Health | None
    """None: unknown, by an error of ours."""
    reason: Reason
    at: float
    """Epoch seconds: when the first attempt began."""
    since: float
    """Dead: when the first failed attempt began; else as `at`."""
    latency_ms: int
    """Of the attempt that decided; -1 when there was no answer."""
    attempts: int
    cause: Cause | None = None
    """Unknown: what kind of error of ours."""
    began: float = 0.0
    notes: tuple[Note, ...] = ()
    silent: bool = False
    """Dead: the last failure may be our own network's as well."""

    @property
    def outcome(self) -> str:
        """healthy, sick, dead or unknown."""
        return "unknown" if self.health is None else self.health.word

    @property
    def story(self) -> list[StoryStep]:
        """What happened, step by step."""
        return [
            StoryStep(
                round((at - self.began) * 1000),
                _told(text, facts),
                {name: _plain(fact) for name, fact in facts.items()},
            )
            for at, text, facts in self.notes
        ]

    def tell(self) -> str:
        """The story as lines for people: `   12 ms  connected to 10.0.0.5:443`."""
        return "\n".join(f"{step.ms:>7} ms  {step.text}" for step in self.story)


def _told(text: str, facts: dict[str, Any]) -> str:
    words = {name: ", ".join(map(str, fact)) if isinstance(fact, list) else fact for name, fact in facts.items()}
    return log.redactor.text(clean(text.format_map(words)))


def _plain(fact: Any) -> Any:
    if isinstance(fact, list):
        return [_plain(item) for item in fact]
    if isinstance(fact, int | float):
        return fact
    return fact.plain() if hasattr(fact, "plain") else log.redactor.text(clean(str(fact)))


async def look(
    probe: Kind,
    target: str,
    options: Any,
    *,
    retry: int,
    retry_wait: float,
    delay_dead: float,
    delay_sick: float,
    clock: Clock,
    alibi: Callable[[], Awaitable[None]] | None = None,
) -> Look:
    """Look at a target up to `retry` + 1 times; the first success decides. Never raises but for a cancellation.

    `probe` is the kind; each attempt has `delay_dead` seconds in all, waiting for our own limits not counted; an answer
    that took `delay_sick` or longer is sick. `alibi` is awaited before the last attempt at a target that is silent, and
    raises `Unknowable` when our own network may be the reason; whoever had only one attempt has another one after it.
    """
    shared = tools()
    gate = shared.gates[getattr(probe, "GATE", "sockets")]
    notes: list[Note] = []
    at = clock.now()
    began = clock.monotonic()
    first_failure = 0.0
    failures: list[ProbeError] = []
    number, attempts = 0, retry + 1
    cleared = alibi is None
    while number < attempts:
        number += 1
        try:
            if failures:
                wanted = None if cleared or number < attempts or not failures[-1].silent else alibi
                cleared = await _pause(retry_wait, wanted) or cleared
            if not gate.enter():
                await gate.turn()
            try:
                tried_at = clock.now()
                reading, latency = await _try(
                    Attempt(shared, clock, notes), probe, target, options, delay_dead, delay_sick
                )
            finally:
                gate.leave()
        except ProbeError as error:
            # Without its traceback, which leads back to this list: a circle that only garbage collection could end.
            error.__context__ = error.__cause__ = None
            failures.append(error.with_traceback(None))
            first_failure = first_failure or tried_at
            notes.append((clock.monotonic(), "failed: {reason}", {"reason": str(error), "attempt": number}))
            if number == retry + 1 and isinstance(error, NameFailure) and not await shared.resolver.works():
                deaf = Unknowable("the nameservers of this host do not answer", "resolver")
                return _unknown(deaf, at, began, number, notes, clock)
            if number == attempts <= retry + 1 and (isinstance(error, NameFailure) or (error.silent and not cleared)):
                attempts += 1  # what works now may have been away a moment ago
        except Unknowable as error:
            return _unknown(error, at, began, number, notes, clock)
        else:
            health, reason = _judged(reading, latency, delay_sick)
            return Look(health, reason, at, at, max(1, round(latency * 1000)), number, None, began, tuple(notes))
    failure = failures[-1]
    return Look(
        Health.DEAD, _masked(failure.reason), at, first_failure, -1, number, None, began, tuple(notes), failure.silent
    )


async def _pause(seconds: float, alibi: Callable[[], Awaitable[None]] | None) -> bool:
    """Wait between two attempts; whether there is an alibi for our own network now."""
    if alibi is None:
        await asyncio.sleep(seconds)
        return False
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    await alibi()
    await asyncio.sleep(max(0.0, until - loop.time()))
    return True


async def _try(
    attempt: Attempt, probe: Kind, target: str, options: Any, delay_dead: float, delay_sick: float
) -> tuple[Reading, float]:
    """One attempt: what it read and how many seconds it took."""
    token = _attempt.set(attempt)
    shared, clock = attempt.shared, attempt.clock
    lost = shared.stalls.total()
    began = clock.monotonic()
    try:
        with shared.deadlines.within(delay_dead) as attempt.deadline:
            reading = await probe.probe(target, options)
        took = clock.monotonic() - began - attempt.paused
    except TimeoutError as error:
        if attempt.deadline is None or not attempt.deadline.expired:
            raise explain(error, str(attempt.peer)) from error
        lost = shared.stalls.total() - lost
        if lost > STALL_SHARE * delay_dead:
            raise Unknowable(f"this process stood still for {lost:.1f} s of the attempt", "stall") from None
        text = attempt.missed(delay_dead)
        if attempt.naming > NAMING_SHARE * delay_dead:
            raise NameFailure(f"{text}, of which its name took {attempt.naming:.1f} s") from None
        if attempt.code == "name":
            raise NameFailure(text) from None
        raise ProbeError(attempt.code, text, f"{delay_dead:g}", silent=True) from None
    except OSError as error:
        raise explain(error, str(attempt.peer)) from error
    except (ProbeError, Unknowable):
        raise
    except Exception as error:
        log.get().exception("probe failed by a bug", kind=getattr(probe, "__name__", ""), target_length=len(target))
        raise Unknowable(f"the probe has a bug: {type(error).__name__}: {error}", "bug") from error
    finally:
        _attempt.reset(token)
    if reading.latency is not None:
        return reading, reading.latency
    lost = shared.stalls.total() - lost
    if lost and reading.timed and took - lost < delay_sick <= took:
        raise Unknowable(f"this process stood still for {lost:.1f} s of the attempt", "stall")
    return reading, max(0.0, took - lost)


def _judged(reading: Reading, latency: float, delay_sick: float) -> tuple[Health, Reason]:
    if reading.timed and latency >= delay_sick and reading.health < Health.SICK:
        text = f"answered after {latency:.1f} s; sick from {delay_sick:g} s"
        return Health.SICK, Reason("slow", text, f"{delay_sick:g}")
    return reading.health, _masked(reading.reason) if reading.health.bad else reading.reason


def _masked(reason: Reason) -> Reason:
    """A target may quote what it was sent, and a script may print what it was given."""
    return Reason(reason.code, log.redactor.text(reason.text), reason.value)


def _unknown(error: Unknowable, at: float, began: float, number: int, notes: list[Note], clock: Clock) -> Look:
    notes.append((clock.monotonic(), "unknown: {reason}", {"reason": error.text, "attempt": number}))
    return Look(None, _masked(Reason("error", error.text)), at, at, -1, number, error.cause, began, tuple(notes))


class LookJob(NamedTuple):
    """One replica to look at once, for `look_all`."""

    node: str
    """`service/node`."""
    replica: str
    """Its label for people."""
    kind: str
    """Probe kind by name."""
    target: str
    options: Any
    retry: int = 2
    retry_wait: float = 0.5
    delay_dead: float = 10.0
    delay_sick: float = 5.0


async def look_all(jobs: Sequence[LookJob], clock: Clock) -> AsyncIterator[tuple[int, Look]]:
    """Look at all of them at once, as far as the limits allow, and yield (index, look) in the order they finish."""
    room = kinds.probes()
    finished: asyncio.Queue[tuple[int, Look]] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    async def one(index: int, job: LookJob) -> None:
        seen = await look(
            room[job.kind],
            job.target,
            job.options,
            retry=job.retry,
            retry_wait=job.retry_wait,
            delay_dead=job.delay_dead,
            delay_sick=job.delay_sick,
            clock=clock,
        )
        finished.put_nowait((index, seen))

    async def start() -> None:
        # One a turn of the loop: thousands that start in the same instant would hold up the answers of all.
        for index, job in enumerate(jobs):
            tasks.add(asyncio.create_task(one(index, job)))
            await asyncio.sleep(0)

    starter = asyncio.create_task(start())
    try:
        for _ in jobs:
            yield await finished.get()
    finally:
        for task in (starter, *tasks):
            task.cancel()
        await asyncio.gather(starter, *tasks, return_exceptions=True)
