"""What is remembered of visitors who asked to be told: who they are, what they are owed, what was told of an incident.

Of subscribers there may be a hundred thousand, so their record is small: their choice is one string and one number.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from crisp_status.core.verdict import Health

DOWN: Final = 1
SLOW: Final = 2
UPDATES: Final = 4
WORK: Final = 8
"""Of what somebody wants to hear: bits of `Subscriber.wants`. What is down is always told."""

USUAL: Final = DOWN | UPDATES | WORK

Kind = Literal["email", "webpush", "webhook", "slack"]
KINDS: Final[tuple[Kind, ...]] = ("email", "webpush", "webhook", "slack")

PAGE: Final = "*"
"""Among the services of a bulletin: it concerns the whole page."""


class Subscriber(msgspec.Struct, array_like=True, gc=False):
    """Somebody who is told. `State.subscribers` has them by a keyed hash of kind and address."""

    kind: Kind
    address: str
    """E-mail address, endpoint of a push service, or URL."""
    since: float
    """When it was confirmed."""
    services: str = ""
    """Ids of the chosen services, with a space between two; "": everything."""
    language: str = "en"
    wants: int = USUAL
    secret: str = ""
    """Web hook: the key that signs, and after a space the e-mail address of its owner; push: `p256dh` and `auth`."""
    failures: int = 0
    """In a row: bounces of an e-mail address, messages that a web hook never took."""
    once: int = 0
    """The incident whose end is all that it wants to hear; then it is forgotten."""

    @property
    def key(self) -> str:
        """Of a web hook: what signs its messages."""
        return self.secret.partition(" ")[0]

    @property
    def owner(self) -> str:
        """Of a web hook: the e-mail address of whoever is told that it was stopped."""
        return self.secret.partition(" ")[2] if self.kind == "webhook" else ""


class Pending(msgspec.Struct, omit_defaults=True):
    """Somebody who asked, and has not yet said so from the mailbox itself. Forgotten after a day."""

    subscriber: Subscriber
    """As it will be."""
    asked_at: float
    due_at: float = 0.0
    """When the message with the link is sent; 0: it was."""
    tries: int = 0


class Deferred(msgspec.Struct, omit_defaults=True):
    """Somebody to whom a bulletin is sent out of turn, because it failed before."""

    due_at: float
    tries: int = 0


class Lane(msgspec.Struct, omit_defaults=True):
    """How far a bulletin has come among the subscribers of one kind. They are told in the order of their ids."""

    cursor: int = -1
    """The last one that was dealt with."""
    done: bool = False
    """Nobody comes after the cursor."""
    deferred: dict[int, Deferred] = msgspec.field(default_factory=dict)
    lost: list[int] = msgspec.field(default_factory=list)
    """Before the cursor, and yet never told."""


class Reach(msgspec.Struct, omit_defaults=True):
    """Whom the opening of an outage had reached at some moment. Only these hear how it goes on."""

    at: float
    level: Health
    services: list[str]
    already: list[str]
    bad: list[str]
    """Services whose end is awaited by those whom it had reached."""
    cursors: dict[str, int] = msgspec.field(default_factory=dict)
    missed: list[int] = msgspec.field(default_factory=list)
    """Before the cursor of their kind, and yet not told."""


class Bulletin(msgspec.Struct, omit_defaults=True):
    """One thing that subscribers are told: one record, however many they are."""

    id: int
    kind: str
    """opened, update, ended; announced; work_soon, work_begun, work_over."""
    at: float
    """When there was something to tell. Who subscribed later is not told."""
    due_at: float = 0.0
    """Until then it takes in what belongs to it, and is not sent."""
    incident: int = 0
    announcement: str = ""
    """Id of an announcement or maintenance."""
    level: Health = Health.PENDING
    services: list[str] = msgspec.field(default_factory=list)
    """What it is about."""
    already: list[str] = msgspec.field(default_factory=list)
    """opened: services whose subscribers have heard of it before."""
    remaining: list[str] = msgspec.field(default_factory=list)
    """ended: services that are not well yet; who chose one of these hears of the end later.
    opened: services that were still bad when its own were well again; who chose one of these too, awaits their end."""
    over: list[str] = msgspec.field(default_factory=list)
    """opened: those of its services of which the end was told."""
    news: int = 0
    """update: how many of the newest updates of the incident it tells."""
    final: bool = False
    """ended: the incident is over."""
    heard: list[Reach] = msgspec.field(default_factory=list)
    """update, ended: whom the openings had reached when this was made."""
    lanes: dict[str, Lane] = msgspec.field(default_factory=dict)
    """By kind of subscriber."""
    work: WorkTold | None = None
    """Of announced work: what it was when this was made; it may be withdrawn since."""


class WorkTold(msgspec.Struct, omit_defaults=True):
    """What subscribers were told of one window of announced work."""

    title: str
    services: list[str]
    starts_at: float
    ends_at: float = 0.0
    """0: open."""
    soon: bool = False
    begun: bool = False


class OutageStory(msgspec.Struct, omit_defaults=True):
    """What subscribers were told of one incident."""

    told: dict[str, Health] = msgspec.field(default_factory=dict)
    """Services of which an outage was told and not yet its end, with how bad it was."""
    notes: int = 0
    """The operators' updates that were told."""
    openings: list[int] = msgspec.field(default_factory=list)
    """Bulletins."""
    over_at: float = 0.0
    """When its end was told; 0 before."""
    heard: list[Reach] = msgspec.field(default_factory=list)
    """Then: whom its openings had reached."""


class Failure(msgspec.Struct, omit_defaults=True):
    """Why somebody was not told; without the address."""

    at: float
    kind: str
    subscriber: int
    error: str


class Audience(msgspec.Struct, omit_defaults=True):
    """All of it, but the subscribers themselves."""

    pending: dict[str, Pending] = msgspec.field(default_factory=dict)
    """By the token in the link, oldest first."""
    asked: dict[int, list[float]] = msgspec.field(default_factory=dict)
    """When messages to confirm were asked for, by a hash of the mailbox; the last one that was asked for is last."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """Subscribers by kind."""
    bulletins: dict[int, Bulletin] = msgspec.field(default_factory=dict)
    next_bulletin: int = 1
    stories: dict[int, OutageStory] = msgspec.field(default_factory=dict)
    """By incident."""
    announced: dict[str, float] = msgspec.field(default_factory=dict)
    """Announcements that were told, and when."""
    works: dict[str, WorkTold] = msgspec.field(default_factory=dict)
    """By announcement: the window that was told last."""
    stopped: list[int] = msgspec.field(default_factory=list)
    """Web hooks that were stopped, and whose owner is still to be told."""
    sent: int = 0
    """Messages that were taken, ever."""
    failed: int = 0
    failures: list[Failure] = msgspec.field(default_factory=list)
    """The last ones, oldest first."""
