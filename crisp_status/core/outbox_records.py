"""What is remembered of messages: those that are owed, what they say, and what came of each attempt to deliver them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from crisp_status.core.verdict import FINE, Health, Reason
from crisp_status.core.vote import Sight


class MessageKind(StrEnum):
    """What a message is about. The values stand on disk and in the API; a new one raises `STATE_VERSION`."""

    OPENED = "opened"
    GREW = "grew"
    """More is bad, or it is worse."""
    PARTLY = "partly"
    """Some of it is well again."""
    RECOVERED = "recovered"
    REMINDER = "reminder"
    UNSTABLE = "unstable"
    CALM = "calm"
    STARTUP = "startup"
    TEST = "test"
    NETWORK = "network"
    """Our own network is back."""
    CERTIFICATE = "certificate"
    """A certificate of this daemon was not renewed."""
    PLACE = "place"
    """Places fell silent, or are heard again."""
    MISSED = "missed"
    """Reports were due while nobody could hear them."""
    UNDELIVERED = "undelivered"
    """Another notifier takes nothing."""
    WORK_BEGUN = "work_begun"
    WORK_OVER = "work_over"
    """Announced work; for people, and for programs."""
    HOOK = "hook"
    """The page's health, for machines."""
    ACKNOWLEDGED = "acknowledged"
    """For channels that repeat by themselves: it is no notice."""


class MessageFacts(NamedTuple):
    """What follows from the kind of a message. Its sentences are in `templates/messages/`."""

    alerts: bool = False
    """It says that something is bad which was not told before; its title names the worst alone."""
    reminded: bool = False
    """Reminders come after it; it has links that acknowledge."""
    wakes: bool = False
    """A channel may wake everybody for it."""
    ends: bool = False
    """It says that it is over."""
    expendable: int = 0
    """When the outbox is full, those with the lowest number go first; 0: it is never dropped."""
    worded: bool = True
    """Whether people read it."""
    queue: int = 0
    """Without an incident: those of one number go one after another; 0: it waits for nothing."""
    hooked: bool = False
    """Web hooks take it."""


MESSAGES: Final[Mapping[MessageKind, MessageFacts]] = {
    MessageKind.OPENED: MessageFacts(alerts=True, reminded=True, wakes=True),
    MessageKind.GREW: MessageFacts(alerts=True, reminded=True, wakes=True),
    MessageKind.PARTLY: MessageFacts(reminded=True),
    MessageKind.RECOVERED: MessageFacts(ends=True),
    MessageKind.REMINDER: MessageFacts(reminded=True, wakes=True, expendable=1),
    MessageKind.UNSTABLE: MessageFacts(),
    MessageKind.CALM: MessageFacts(ends=True),
    MessageKind.STARTUP: MessageFacts(expendable=2),
    MessageKind.TEST: MessageFacts(expendable=3),
    MessageKind.NETWORK: MessageFacts(),
    MessageKind.CERTIFICATE: MessageFacts(),
    MessageKind.PLACE: MessageFacts(),
    MessageKind.MISSED: MessageFacts(),
    MessageKind.UNDELIVERED: MessageFacts(),
    MessageKind.WORK_BEGUN: MessageFacts(queue=2, hooked=True),
    MessageKind.WORK_OVER: MessageFacts(queue=2, hooked=True),
    MessageKind.HOOK: MessageFacts(worded=False, queue=1, hooked=True),
    MessageKind.ACKNOWLEDGED: MessageFacts(expendable=4, worded=False),
}


class Trouble(StrEnum):
    """Why a receiver takes nothing."""

    REFUSED = "refused"
    VANISHED = "vanished"
    """It is gone from the configuration."""
    GIVEN_UP = "given_up"


class ReceiverTrouble(msgspec.Struct, frozen=True, array_like=True):
    """What a notice says of another notifier or web hook that takes nothing."""

    receiver: str
    trouble: Trouble
    answer: str
    """What it said last."""


class NoticeNode(msgspec.Struct, omit_defaults=True):
    """What a notice says of one node: facts, not sentences."""

    node: str
    health: Health
    since: float
    reason: Reason = FINE
    replicas: list[str] = msgspec.field(default_factory=list)
    """Ids of the affected replicas, at most ten over the whole notice."""
    numbers: list[int] = msgspec.field(default_factory=list)
    more: int = 0
    total: int = 0
    """Replicas that the node has."""
    until: float = 0.0
    """When it was well again."""
    before: Health = Health.PENDING
    """What its receiver was told of it before this; pending: nothing."""
    seen_from: list[Sight] = msgspec.field(default_factory=list)
    """Which place saw what, where all its affected replicas were seen alike from each; of a notice about places: these."""


class Message(msgspec.Struct, omit_defaults=True):
    """A duty to tell: one notice or web hook for one target of one notifier, until the receiver says yes."""

    id: str
    """Stable over retries and restarts: `{incident}-{n}-{notifier}`."""
    notifier: str
    """Id of the notifier or web hook."""
    kind: MessageKind
    created_at: float
    due_at: float
    """When to try next."""
    incident: int = 0
    target: str = ""
    """One of the `targets` of its channel; "" where one message reaches all at once."""
    health: Health = Health.PENDING
    """Of the page for a hook and a startup notice, else of what the notice tells."""
    nodes: list[NoticeNode] = msgspec.field(default_factory=list)
    more: int = 0
    """Nodes beyond those listed."""
    since: float = 0.0
    until: float = 0.0
    escalation: int = 0
    """How many targets are escalated (DESIGN section 6, reminders)."""
    next_reminder_at: float = 0.0
    attempts: int = 0
    last_error: str = ""
    last_at: float = 0.0
    done: list[str] = msgspec.field(default_factory=list)
    """Targets within the notifier that have said yes already."""
    refusals: int = 0
    """How often in a row the receiver refused it; 0: the last attempt failed otherwise, or there was none."""
    trouble: ReceiverTrouble | None = None
    """Of a notice about another receiver."""
    work: str = ""
    work_title: str = ""
    """Of one about announced work: its id and its title."""
    others: int = -1
    """Other nodes of the incident that its receiver knows to be as bad, and that are; -1: an older version wrote it."""


class DeliveryAttempt(msgspec.Struct, frozen=True, array_like=True):
    """One line of the attempts log."""

    at: float
    message: str
    notifier: str
    kind: MessageKind
    outcome: str
    """delivered, failed, refused, gave up, dropped, redirected."""
    detail: str = ""


class WebhookProgress(msgspec.Struct, omit_defaults=True):
    """What web hooks have been told of the page's health."""

    health: Health = Health.PENDING
    since: float = 0.0
    settle_at: float = 0.0
    worst: Health = Health.PENDING
    """Worst health since the last hook, so that a short outage within the wait is told too."""
