"""The policy of a look: attempts, retries, and the proof that a failure is the target's and not our own network's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from crisp_status.clock import Clock
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.look.once import Policy, attempt
from crisp_status.look.result import Look, masked
from crisp_status.look.witness import Network, Witnesses
from crisp_status.net.attempt import Attempt, Note
from crisp_status.net.errors import NameFailure, ProbeError, Unknowable
from crisp_status.net.resolve import Address
from crisp_status.net.tools import tools
from crisp_status.probes import Limited, ProbeKind, Reading


async def look(
    probe: ProbeKind[Any],
    target: str,
    options: Any,
    policy: Policy,
    clock: Clock,
    *,
    witnesses: Witnesses | None = None,
    was_dead: bool = False,
    on_failure: Callable[[ProbeError, str], None] = lambda *_: None,
) -> Look:
    """Look at a target up to `retry` + 1 times; the first success decides. Raises nothing but a cancellation.

    `on_failure` is called with the failure and the IP address when the first attempt has failed. Before a target that was not dead is called dead:

    - for a name that was not found, a nameserver of ours must work;
    - after silence, a witness must have answered before the last attempt began. It is asked in the pause before that, and
      whoever has only one attempt gets another. Any recent answer will do for a target that was dead already (`was_dead`),
      and for a failure that came through the network, such as a refusal.

    Where that fails, the look is unknown. With `expect_dead` what must be proven is that the target, and not we, is dead.
    """
    limit = tools().limits[probe.LIMIT if isinstance(probe, Limited) else "sockets"]
    notes: list[Note] = []
    at, began = clock.now(), clock.monotonic()
    first_failure, number, attempts = 0.0, 0, policy.retry + 1
    proven = was_dead or witnesses is None or not witnesses.live
    try:
        while True:
            number += 1
            try:
                async with limit:
                    tried_at = clock.now()
                    trial = Attempt(clock, notes)
                    reading, latency = await _tried(trial, probe, target, options, policy, witnesses)
            except ProbeError as error:
                # Without its traceback, which leads back to this frame: a circle that only garbage collection could end.
                error.__context__ = error.__cause__ = None
                failure = error.with_traceback(None)
            else:
                health, reason = _judged(reading, latency, policy.delay_sick)
                return Look(
                    health, reason, at, at, max(1, round(latency * 1000)), number, None, began, tuple(notes), _ip(trial)
                )
            notes.append((clock.monotonic(), "failed: {reason}", {"reason": str(failure), "attempt": number}))
            if number == 1:
                first_failure = tried_at
                on_failure(failure, _ip(trial))
            if number == policy.retry + 1:
                if isinstance(failure, NameFailure) and not await tools().resolver.works():
                    raise Unknowable("the nameservers of this host do not resolve names", "resolver")
                if isinstance(failure, NameFailure) or (failure.silent and not proven):
                    attempts += 1  # what works now may have been away a moment ago
            if number >= attempts:
                break
            ends = asyncio.get_running_loop().time() + policy.retry_wait
            if number == attempts - 1 and failure.silent and not proven and witnesses is not None:
                await witnesses.prove()
                proven = True
            await asyncio.sleep(max(0.0, ends - asyncio.get_running_loop().time()))
        asked = witnesses is not None and witnesses.live and (was_dead or not failure.silent)
        if asked and witnesses is not None and await witnesses.recent() is Network.SILENT:
            raise Unknowable("our own network is gone: every witness is silent", "witness")
    except Unknowable as error:
        notes.append((clock.monotonic(), "unknown: {reason}", {"reason": error.text, "attempt": number}))
        reason = masked(Reason(ReasonCode.ERROR, error.text))
        return Look(None, reason, at, at, -1, number, error.cause, began, tuple(notes))
    reason, silent = masked(failure.reason), failure.silent
    return Look(Health.DEAD, reason, at, first_failure, -1, number, None, began, tuple(notes), _ip(trial), silent)


async def _tried(
    trial: Attempt, probe: ProbeKind[Any], target: str, options: Any, policy: Policy, witnesses: Witnesses | None
) -> tuple[Reading, float]:
    """One attempt; with `expect_dead` turned around: what fails is well, unless it may be our own network that failed."""
    if not policy.expect_dead:
        return await attempt(trial, probe, target, options, policy)
    try:
        reading, _ = await attempt(trial, probe, target, options, policy)
    except ProbeError as error:
        if isinstance(error, NameFailure) and not await tools().resolver.works():
            raise Unknowable("the nameservers of this host do not resolve names", "resolver") from None
        if error.silent and witnesses is not None and witnesses.live:
            await witnesses.prove()
        trial.notes.append((trial.clock.monotonic(), "failed as it should: {reason}", {"reason": str(error)}))
        return Reading(), 0.0
    if reading.health is Health.SICK:  # its certificate ends: it was reached all the same
        trial.notes.append((trial.clock.monotonic(), "{reason}", {"reason": reading.reason.text}))
    raise ProbeError(ReasonCode.MATCH, "it answers as it must not: expect_dead is set")


def _ip(trial: Attempt) -> str:
    """The address that was tried last; "" when it is not a single one."""
    return trial.peer.ip if isinstance(trial.peer, Address) else ""


def _judged(reading: Reading, latency: float, delay_sick: float) -> tuple[Health, Reason]:
    """The health of a target that answered."""
    if reading.timed and latency >= delay_sick and reading.health < Health.SICK:
        text = f"answered after {latency:.1f} s; sick from {delay_sick:g} s"
        return Health.SICK, Reason(ReasonCode.SLOW, text, f"{delay_sick:g}")
    return reading.health, masked(reading.reason) if reading.health.bad else reading.reason
