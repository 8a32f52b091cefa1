"""One attempt: a kind at work under one deadline, and what its failure means."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from crisp_status import log
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import Attempt, current
from crisp_status.net.errors import NameFailure, ProbeError, Unknowable, explain
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeKind, Reading

STALL_SHARE = 0.1
"""A deadline of which we ourselves slept away more than this share proves nothing about the target."""

RESOLVING_SHARE = 0.25
"""When the nameservers took more than this share of a deadline that passed, the name is the reason, not the target."""


class Policy(NamedTuple):
    """How often and how long. Seconds."""

    retry: int = 2
    """Attempts after the first."""
    retry_wait: float = 0.5
    delay_dead: float = 10.0
    """Of one attempt: name, connection, TLS and answer together; waiting for limits of ours is not counted."""
    delay_sick: float = 5.0
    """An answer as slow as this is sick."""
    expect_dead: bool = False
    """What answers has failed, and what does not is well."""

    def limited(self, own: Mapping[str, float]) -> Policy:
        """The same with a replica's own values in their place."""
        given: dict[str, Any] = {key: value for key, value in own.items() if key in self._fields}
        return self._replace(**given) if given else self

    @property
    def budget(self) -> float:
        """The longest that a look may take to find its target dead."""
        return (self.retry + 1) * self.delay_dead + self.retry * self.retry_wait


async def attempt(
    trial: Attempt, probe: ProbeKind[Any], target: str, options: Any, policy: Policy
) -> tuple[Reading, float]:
    """Try once: what the kind read, and how many seconds it took. Raises `ProbeError` or `Unknowable`."""
    delay_dead, delay_sick, clock = policy.delay_dead, policy.delay_sick, trial.clock
    token = current.set(trial)
    stalls = tools().stalls
    before = stalls.total()
    began = clock.monotonic()
    try:
        async with asyncio.timeout(delay_dead) as trial.deadline:
            reading = await probe.probe(target, options)
        took = clock.monotonic() - began - trial.paused
    except TimeoutError as error:
        if trial.deadline is None or not trial.deadline.expired():
            raise explain(error, str(trial.peer)) from error
        raise _too_late(trial, delay_dead, stalls.total() - before) from None
    except OSError as error:
        raise explain(error, str(trial.peer)) from error
    except (ProbeError, Unknowable):
        raise
    except Exception as error:
        log.get().exception("probe failed by a bug", kind=getattr(probe, "__name__", ""), target_length=len(target))
        raise Unknowable(f"the probe has a bug: {type(error).__name__}: {error}", "bug") from error
    finally:
        current.reset(token)
    if reading.latency is not None:
        return reading, reading.latency
    lost = stalls.total() - before
    if lost and reading.timed and took - lost < delay_sick <= took:
        raise _stood_still(lost)
    return reading, max(0.0, took - lost)


def _too_late(trial: Attempt, delay_dead: float, lost: float) -> ProbeError | Unknowable:
    """What a deadline that passed means: this process, the nameservers, or the target were too slow."""
    if lost > STALL_SHARE * delay_dead:
        return _stood_still(lost)
    text = trial.missed(delay_dead)
    if trial.resolving > RESOLVING_SHARE * delay_dead:
        return NameFailure(f"{text}, of which its name took {trial.resolving:.1f} s")
    if trial.code is ReasonCode.NAME:
        return NameFailure(text)
    return ProbeError(trial.code, text, f"{delay_dead:g}", silent=True)


def _stood_still(seconds: float) -> Unknowable:
    return Unknowable(f"this process stood still for {seconds:.1f} s of the attempt", "stall")
