"""What a notice says of another notifier that takes nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisp_status.log import printable
from crisp_status.view.sanitize import MAX_LINE, clean

if TYPE_CHECKING:
    from crisp_status.core.model import Message, State


@dataclass(frozen=True)
class UndeliveredFacts:
    """In words."""

    notifier: str
    """Its id."""
    trouble: str
    """refused, vanished or given_up."""
    problem: str
    """What it answered last."""
    waiting: int
    """Messages that are owed to it now."""


def undelivered_of(message: Message, state: State) -> UndeliveredFacts:
    """The notifier that `message` is about; without a name when it is about something else."""
    if message.trouble is None:
        return UndeliveredFacts("", "", "", 0)
    receiver, trouble, answer = message.trouble.receiver, message.trouble.trouble, message.trouble.answer
    waiting = sum(owed.notifier == receiver for owed in state.outbox.values())
    return UndeliveredFacts(printable(clean(receiver)), trouble, clean(answer, MAX_LINE), waiting)
