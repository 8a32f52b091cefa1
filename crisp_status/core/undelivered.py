"""Tell the other notifiers that one of them takes nothing: it refuses, it has vanished, or a message was given up.

Laws
- Each is told of once while its trouble lasts, and again every day.
- Nothing is told through the one that it is about, and nothing of a test: whoever asked for that sees the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import broadcasts, outbox
from crisp_status.core.model import MessageKind
from crisp_status.core.outbox_records import ReceiverTrouble, Trouble

if TYPE_CHECKING:
    from crisp_status.core.events import Delivered, NotDelivered
    from crisp_status.core.model import Message, State
    from crisp_status.core.world import World

TOLD_EVERY: Final = 86_400.0
"""Seconds until it is told again of a trouble that lasts."""

SETTLED_AFTER: Final = 3600.0
"""Seconds after which a yes ends it: of one that says yes and no in turns nobody hears more often."""


def delivered(world: World, event: Delivered) -> bool:
    """A receiver said yes, so its next refusal is news; whether the message was owed."""
    state = world.state
    message = outbox.delivered(state, event)
    if message is None:
        return False
    told_at = state.undelivered_told.get(message.notifier, event.at)
    if not event.target and event.at - told_at >= SETTLED_AFTER:
        del state.undelivered_told[message.notifier]
    return True


def not_delivered(world: World, event: NotDelivered) -> bool:
    """A receiver did not say yes: tell the others when that does not mend itself; whether the message was owed."""
    state = world.state
    message = outbox.not_delivered(state, event)
    if message is None:
        return False
    trouble, notifier = _trouble(state, message, event), message.notifier
    if trouble and event.at - state.undelivered_told.get(notifier, -TOLD_EVERY) >= TOLD_EVERY:
        about = ReceiverTrouble(notifier, trouble, event.error[:500])
        if broadcasts.broadcast(world, MessageKind.UNDELIVERED, event.at, 0.0, trouble=about):
            state.undelivered_told[notifier] = event.at
    return True


def _trouble(state: State, failed: Message, event: NotDelivered) -> Trouble | None:
    """What is wrong with the receiver; None: nothing that does not pass by itself."""
    if failed.kind is MessageKind.TEST:
        return None
    if failed.id not in state.outbox:
        return Trouble.GIVEN_UP
    if failed.notifier not in outbox.receivers(state):
        return Trouble.VANISHED
    return Trouble.REFUSED if event.permanent else None


def follow(state: State, at: float) -> None:
    """A plan came into force: what is owed to one that is not in it is looked at now, and who is mended is forgotten."""
    known = outbox.receivers(state)
    owed = {message.notifier for message in state.outbox.values()}
    for message in state.outbox.values():
        if message.notifier not in known:
            message.due_at = min(message.due_at, at)
    state.undelivered_told = {k: told for k, told in state.undelivered_told.items() if k in known or k in owed}
