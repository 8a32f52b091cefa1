"""What a look came to, and its story."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from crisp_status import log
from crisp_status.core.model import Health, Reason
from crisp_status.net.attempt import Note
from crisp_status.net.errors import Cause, clean


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
    """Monotonic, of the clock that made the notes."""
    notes: tuple[Note, ...] = ()
    ip: str = ""
    """The address that was tried last; "" when it is not known or not a single one."""
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
                _sentence(text, facts),
                {name: _plain(fact) for name, fact in facts.items()},
            )
            for at, text, facts in self.notes
        ]

    def lines(self) -> str:
        """The story for people, one line a step: `   12 ms  connected to 10.0.0.5:443`."""
        return "\n".join(f"{step.ms:>7} ms  {step.text}" for step in self.story)


def masked(reason: Reason) -> Reason:
    """A target may quote what it was sent, and a script may print what it was given: secrets are taken out."""
    return Reason(reason.code, log.redactor.text(reason.text), reason.value)


def _sentence(text: str, facts: dict[str, Any]) -> str:
    shown = {name: ", ".join(map(str, fact)) if isinstance(fact, list) else fact for name, fact in facts.items()}
    return log.redactor.text(clean(text.format_map(shown)))


def _plain(fact: Any) -> Any:
    if isinstance(fact, list):
        return [_plain(item) for item in fact]
    if isinstance(fact, int | float):
        return fact
    return fact.plain() if hasattr(fact, "plain") else log.redactor.text(clean(str(fact)))
