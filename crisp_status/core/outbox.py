"""The outbox: duties to tell, in the state until the receiver has said yes.

Laws
- A message leaves only by a yes, by the end of its receiver (410), by `give_up_after`, or by an operator; each is logged.
- A refusal is not the end: a proxy that redeploys and a password that is mended answer otherwise an hour later.
- When there are too many, the oldest reminders go first; an opening or a recovery never does.
- Jitter comes from the message's own id, so that replay gives the same times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from crisp_status.core.incidents import note
from crisp_status.core.model import (
    DeliveryAttempt,
    Health,
    Message,
    MessageKind,
    NoticeNode,
    TimelineEntry,
    TimelineKind,
)
from crisp_status.core.outbox_records import MESSAGES

if TYPE_CHECKING:
    from crisp_status.core.events import Delivered, NotDelivered
    from crisp_status.core.model import State
    from crisp_status.core.policy import NotifierPlan

OUTBOX_MAX: Final = 10_000
"""Undelivered messages before reminders are dropped: weeks of outages on one small machine, some 10 MB."""

LOST_KEPT: Final = 1000
"""Messages that were given up and are kept by name."""

ATTEMPTS_KEPT: Final = 500
SENT_KEPT: Final = 100
"""What operators can look up, and what they can have sent again; the oldest go first."""

ATTEMPTS_LEAST: Final = 5
"""Before a message is given up, however old it is: it may be old because this daemon was away."""

RETRY_FIRST: Final = 5.0
RETRY_MOST: Final = 3600.0
"""Seconds until the next attempt, doubled from the first to the most: a mail server that restarts is met soon, one that
is away for days is asked once an hour."""
REFUSED_FIRST: Final = 900.0
REFUSED_MOST: Final = 6 * 3600.0
"""Seconds until what was refused is tried again, doubled from the first to the most: rarely enough to annoy nobody."""
RETRY_AFTER_MOST: Final = 3600.0
"""A receiver may ask for an hour of patience, not for more: alerts are waiting."""

EXPENDABLE: Final = sorted(
    (kind for kind, facts in MESSAGES.items() if facts.expendable), key=lambda kind: MESSAGES[kind].expendable
)


def put(state: State, message: Message) -> None:
    """Owe `message`; make room by dropping the oldest reminder where there are too many."""
    if len(state.outbox) >= OUTBOX_MAX:
        oldest = next((m for kind in EXPENDABLE for m in state.outbox.values() if m.kind == kind), None)
        if oldest is not None:
            del state.outbox[oldest.id]
            _log(state, message.created_at, oldest, "dropped", "the outbox is full; reminders go first")
    state.outbox[message.id] = message


def new_id(state: State, incident: int, notifier: str) -> str:
    """The next stable message id."""
    number = state.next_message
    state.next_message += 1
    return f"{incident}-{number}-{notifier}"


def delivered(state: State, event: Delivered) -> Message | None:
    """The receiver said yes, for one target of several or for all. What it was about; None when that was not owed."""
    message = state.outbox.get(event.message)
    if message is None:
        return None
    if event.target:
        message.done.append(event.target)
        return message
    message.attempts += 1
    message.last_at = event.at
    _leave(state, message)
    _log(state, event.at, message, "delivered", event.detail)
    if message.kind is MessageKind.HOOK:
        _overtake(state, event.at, message)
    incident = state.incident(message.incident)
    if incident is not None and not incident.alerted_at and MESSAGES[message.kind].alerts:
        incident.alerted_at = event.at
        note(incident, TimelineEntry(event.at, TimelineKind.ALERTED))
    return message


def _overtake(state: State, at: float, hook: Message) -> None:
    """Drop older hooks of that receiver: the last that it hears must be the present health of the page."""
    for older in list(state.outbox.values()):
        if older.kind is MessageKind.HOOK and older.notifier == hook.notifier and older.created_at <= hook.created_at:
            del state.outbox[older.id]
            _log(state, at, older, "dropped", "a newer one was delivered")


def not_delivered(state: State, event: NotDelivered) -> Message | None:
    """The receiver did not say yes: try again later, or give up. What it was about; None when that was not owed."""
    message = state.outbox.get(event.message)
    if message is None:
        return None
    message.attempts += 1
    message.last_at = event.at
    message.last_error = event.error
    message.refusals = message.refusals + 1 if event.permanent else 0
    if event.final:
        _end(state, event.at, message, "refused", event.error)
    elif event.at - message.created_at >= state.plan.notify.give_up_after and message.attempts >= ATTEMPTS_LEAST:
        _end(state, event.at, message, "gave up", event.error)
    else:
        message.due_at = event.at + retry_wait(message, event.retry_after)
        _log(state, event.at, message, "refused" if event.permanent else "failed", event.error)
    return message


def retry_wait(message: Message, retry_after: float = 0.0) -> float:
    """Seconds until the next attempt: exponential with up to a fifth of jitter, never before `Retry-After`."""
    if message.refusals:
        wait = min(REFUSED_MOST, REFUSED_FIRST * 2.0 ** min(message.refusals - 1, 20))
    else:
        wait = min(RETRY_MOST, RETRY_FIRST * 2.0 ** min(message.attempts - 1, 20))
    jitter = crc32(f"{message.id}:{message.attempts}".encode()) / 2**32
    return max(wait * (0.9 + 0.2 * jitter), min(retry_after, RETRY_AFTER_MOST))


def retry_refused(state: State, notifier: str, at: float) -> bool:
    """Try now what a notifier refused; whether there is anything."""
    found = [m for m in state.outbox.values() if m.notifier == notifier and m.refusals]
    for message in found:
        message.due_at = at
    return bool(found)


def retry(state: State, message_id: str, at: float) -> bool:
    """Try an undelivered message now ("" all), or send one that has left again under its old id."""
    if not message_id:
        for message in state.outbox.values():
            message.due_at = at
        return bool(state.outbox)
    owed = state.outbox.get(message_id)
    if owed is not None:
        owed.due_at = at
        return True
    for index, message in enumerate(state.sent):
        if message.id == message_id:
            del state.sent[index]
            put(state, msgspec.structs.replace(message, due_at=at, created_at=at, done=[], last_error=""))
            return True
    return False


def receivers(state: State) -> set[str]:
    """Ids of the notifiers and web hooks in force."""
    return {notifier.id for notifier in state.plan.notifiers} | set(state.plan.webhooks)


def redirect(state: State, message_id: str, to: str, at: float) -> bool:
    """Owe one message to another receiver, or ("") all that wait for receivers that have vanished; whether there were any.

    Of a message to several devices one goes on, to all that the new receiver addresses.
    """
    known, notifier = receivers(state), next((n for n in state.plan.notifiers if n.id == to), None)
    places = targets(state, notifier) if notifier is not None else [""]
    if to not in known or not places:
        return False
    moved: set[tuple[str, int, str, float]] = set()
    for message in list(state.outbox.values()):
        wanted = message.id == message_id if message_id else message.notifier not in known
        fits = MESSAGES[message.kind].hooked if notifier is None else message.kind is not MessageKind.HOOK
        if not (wanted and fits):
            continue
        notice = message.notifier, message.incident, message.kind, message.created_at
        if notice in moved and message.target:
            _leave(state, message)
            _log(state, at, message, "dropped", f"it goes to {to} once")
            continue
        moved.add(notice)
        _readdress(state, message, to, places, at)
    return bool(moved)


def _readdress(state: State, message: Message, to: str, places: list[str], at: float) -> None:
    _log(state, at, message, "redirected", f"to {to}")
    message.notifier, message.target = to, places[0]
    message.due_at, message.refusals, message.attempts, message.done, message.last_error = at, 0, 0, [], ""
    for target in places[1:]:
        again = msgspec.structs.replace(message, id=new_id(state, message.incident, to), target=target, done=[])
        put(state, again)


def drop(state: State, message_id: str, at: float) -> bool:
    """An operator drops an undelivered message; whether it was there."""
    message = state.outbox.get(message_id)
    if message is None:
        return False
    del state.outbox[message_id]
    _log(state, at, message, "dropped", "by an operator")
    return True


def targets(state: State, notifier: NotifierPlan) -> list[str]:
    """Whom a message of this notifier goes to: each device of its operators, or "" where it addresses all at once."""
    if not notifier.operators:
        return [""]
    return [s.id for s in state.subscriptions.values() if s.operator in notifier.operators]


def test(state: State, notifier: str, at: float) -> bool:
    """Owe a test message to a notifier; whether there is such a notifier."""
    plan = next((n for n in state.plan.notifiers if n.id == notifier), None)
    if plan is None and notifier not in state.plan.webhooks:
        return False
    found = targets(state, plan) if plan is not None else [""]
    for target in found:
        words = [NoticeNode("", Health.HEALTHY, at)]
        put(state, Message(new_id(state, 0, notifier), notifier, MessageKind.TEST, at, at, target=target, nodes=words))
    return bool(found)


def forget_target(state: State, target: str, at: float) -> None:
    """A device is gone, and with it what it is owed."""
    for message in [m for m in state.outbox.values() if m.target == target]:
        _end(state, at, message, "refused", "the device is gone")


def _end(state: State, at: float, message: Message, outcome: str, detail: str) -> None:
    _leave(state, message)
    state.gave_up += 1
    line = _log(state, at, message, outcome, detail)
    oldest = at - state.plan.history_days * 86_400.0
    state.lost = [*(one for one in state.lost[1 - LOST_KEPT :] if one.at >= oldest), line]


def _leave(state: State, message: Message) -> None:
    """Nothing is owed any more; it can be sent again on an operator's word."""
    del state.outbox[message.id]
    state.sent.append(message)
    del state.sent[: max(0, len(state.sent) - SENT_KEPT)]


def _log(state: State, at: float, message: Message, outcome: str, detail: str) -> DeliveryAttempt:
    line = DeliveryAttempt(at, message.id, message.notifier, message.kind, outcome, detail[:500])
    state.attempts.append(line)
    del state.attempts[: max(0, len(state.attempts) - ATTEMPTS_KEPT)]
    return line
