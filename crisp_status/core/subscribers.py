"""Visitors ask to be told, confirm it, change their mind and leave.

Laws
- Nobody is told who did not say so from the mailbox itself, or who was not proven to be there (push, web hook).
- To one mailbox at most `MAILS_HOURLY` messages to confirm are sent in an hour, whoever asks for them.
- What a request changes does not show whether the address is known, and takes as much writing as any other.
- Who leaves is forgotten at once, with everything that is owed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crisp_status.core.subscriber_records import Deferred, Failure, OutageStory, Pending

if TYPE_CHECKING:
    from crisp_status.core import subscriber_events as events
    from crisp_status.core.model import State
    from crisp_status.core.subscriber_records import Bulletin, Lane, Subscriber
    from crisp_status.core.world import World

CONFIRM_SECONDS: Final = 86400.0
"""How long the link in a message to confirm is valid."""

MAILS_HOURLY: Final = 3
HOUR: Final = 3600.0

PENDING_MAX: Final = 20_000
"""Who asked and did not confirm; more is an attack, and the oldest make room."""

SUBSCRIBERS_MAX: Final = 500_000
"""Five times what is promised; each costs a third of a kilobyte of memory."""

BOUNCES_MAX: Final = 3
"""Hard bounces in a row that end it."""

HOOK_FAILURES_MAX: Final = 3
"""Messages in a row that a web hook never took; then it is stopped."""

TRIES_MAX: Final = 8
"""Tries of one message to one subscriber: within two hours. News is old by then."""

RETRY_FIRST: Final = 60.0
RETRY_MOST: Final = 3600.0

FAILURES_KEPT: Final = 100


def requested(world: World, event: events.SubscriptionRequested) -> bool:
    """Owe a message with a link, unless that mailbox got enough of them lately. Never refused: that would tell."""
    audience = world.state.audience
    times = [at for at in audience.asked.pop(event.mailbox, []) if at > event.at - HOUR]
    if len(times) < MAILS_HOURLY:
        times.append(event.at)
        audience.pending[event.token] = Pending(replace(event.subscriber), event.at, event.at)
        while len(audience.pending) > PENDING_MAX:
            del audience.pending[next(iter(audience.pending))]
    audience.asked[event.mailbox] = times
    return True


def link_sent(world: World, event: events.ConfirmationSent) -> bool:
    """The message with the link was taken, or never will be."""
    pending = world.state.audience.pending.get(event.token)
    if pending is None:
        return False
    pending.due_at = 0.0
    if event.error:
        _note(world.state, event.at, pending.subscriber.kind, 0, event.error)
        if event.final:
            del world.state.audience.pending[event.token]
        else:
            pending.tries += 1
            pending.due_at = event.at + backoff(pending.tries)
    return True


def confirmed(world: World, event: events.SubscriptionConfirmed) -> bool:
    """Somebody followed the link and said yes."""
    pending = world.state.audience.pending.get(event.token)
    if pending is None:
        return False
    if not _add(world.state, event.id, pending.subscriber, event.at):
        return False
    del world.state.audience.pending[event.token]
    return True


def added(world: World, event: events.SubscriberAdded) -> bool:
    """Somebody is proven to be there: a browser's push service said yes, a web hook answered the challenge."""
    return _add(world.state, event.id, event.subscriber, event.at)


def imported(world: World, event: events.SubscribersImported) -> bool:
    """Take over those who have confirmed elsewhere."""
    return sum(_add(world.state, id, new, event.at) for id, new in event.subscribers.items()) > 0


def changed(world: World, event: events.SubscriberChanged) -> bool:
    """Somebody chose otherwise; a web hook that was stopped and answered the challenge again goes on."""
    known = world.state.subscribers.get(event.id)
    if known is None:
        return False
    known.services, known.language, known.wants = event.services, event.language, event.wants
    known.once = 0
    known.failures = 0
    return True


def removed(world: World, event: events.SubscriberRemoved) -> bool:
    """Forget somebody."""
    return forget(world.state, event.id)


def owner_told(world: World, event: events.HookOwnerTold) -> bool:
    """The owner of a web hook that was stopped was told, or cannot be."""
    stopped = world.state.audience.stopped
    if event.id not in stopped:
        return False
    stopped.remove(event.id)
    return True


def forget(state: State, id: int) -> bool:
    """Forget a subscriber and what is owed to it; whether there was one."""
    known = state.subscribers.pop(id, None)
    if known is None:
        return False
    audience = state.audience
    audience.counts[known.kind] -= 1
    if id in audience.stopped:
        audience.stopped.remove(id)
    for bulletin in audience.bulletins.values():
        lane = bulletin.lanes.get(known.kind)
        if lane is not None:
            lane.deferred.pop(id, None)
    return True


def is_stopped(subscriber: Subscriber) -> bool:
    """Whether it failed too often to be tried again by itself."""
    return subscriber.kind in {"webhook", "slack"} and subscriber.failures >= HOOK_FAILURES_MAX


def delivered(state: State, bulletin: Bulletin, lane: Lane, id: int) -> None:
    """It said yes."""
    advance(lane, id)
    state.audience.sent += 1
    known = state.subscribers.get(id)
    if known is None:
        return
    known.failures = 0
    if known.once == bulletin.incident and bulletin.final:
        forget(state, id)


def not_delivered(state: State, lane: Lane, event: events.BulletinFailed) -> None:
    """It did not say yes: later once more, or never."""
    known = state.subscribers.get(event.subscriber)
    before = lane.deferred.get(event.subscriber)
    advance(lane, event.subscriber)
    if known is None:
        return
    state.audience.failed += 1
    _note(state, event.at, known.kind, event.subscriber, event.error)
    tries = (before.tries if before else 0) + 1
    if event.outcome == "later" and tries < TRIES_MAX:
        lane.deferred[event.subscriber] = Deferred(event.at + max(backoff(tries), event.retry_after), tries)
        return
    lane.lost.append(event.subscriber)
    known.failures += event.outcome != "later" or known.kind != "email"
    if event.outcome == "gone" or (known.kind == "email" and known.failures >= BOUNCES_MAX):
        forget(state, event.subscriber)
    elif known.failures == HOOK_FAILURES_MAX and is_stopped(known) and known.owner:
        state.audience.stopped.append(event.subscriber)


def advance(lane: Lane, id: int) -> None:
    """This one was dealt with."""
    if lane.deferred.pop(id, None) is None:
        lane.cursor = max(lane.cursor, id)


def backoff(tries: int) -> float:
    """Seconds until the next try."""
    return min(RETRY_FIRST * 2.0 ** (tries - 1), RETRY_MOST)


def prune(state: State, at: float) -> bool:
    """Forget who never confirmed, and which mailboxes were written to; whether anything was forgotten."""
    audience, changed = state.audience, False
    while audience.pending and next(iter(audience.pending.values())).asked_at <= at - CONFIRM_SECONDS:
        del audience.pending[next(iter(audience.pending))]
        changed = True
    while audience.asked and max(next(iter(audience.asked.values())), default=0.0) <= at - HOUR:
        del audience.asked[next(iter(audience.asked))]
        changed = True
    return changed


def _add(state: State, id: int, new: Subscriber, at: float) -> bool:
    """Take a subscriber in; of one that is known the choice is replaced."""
    audience, known = state.audience, state.subscribers.get(id)
    if known is None and len(state.subscribers) >= SUBSCRIBERS_MAX:
        return False
    if new.once:
        if known is not None and not known.once:
            return True  # it hears of everything that it chose already
        incident = state.open.get(new.once)
        if incident is None or incident.closed_at:
            return False
        audience.stories.setdefault(new.once, OutageStory())  # so that its end is told, also when nothing else is
    if known is None:
        audience.counts[new.kind] = audience.counts.get(new.kind, 0) + 1
    since = known.since if known is not None and not known.once else at
    state.subscribers[id] = replace(new, since=since, failures=0)
    return True


def _note(state: State, at: float, kind: str, id: int, error: str) -> None:
    failures = state.audience.failures
    failures.append(Failure(at, kind, id, error))
    del failures[: max(0, len(failures) - FAILURES_KEPT)]
