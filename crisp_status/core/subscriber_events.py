"""What can happen with visitors who subscribe."""

from __future__ import annotations

from crisp_status.core.event import Command, Event
from crisp_status.core.subscriber_records import Subscriber


class SubscriptionRequested(Event, tag="SubscriptionRequested"):
    """A visitor asks to be told; a message with a link is owed."""

    token: str
    """Random; the link has it."""
    subscriber: Subscriber
    mailbox: int
    """A hash of where the message goes: all spellings of one mailbox have the same."""


class ConfirmationSent(Event, tag="ConfirmationSent"):
    """The message with the link was taken by the mail server, or was not."""

    token: str
    error: str = ""
    """Why not; without the address."""
    final: bool = False
    """It is not tried again."""


class SubscriptionConfirmed(Event, tag="SubscriptionConfirmed"):
    """A visitor followed the link and said yes."""

    token: str
    id: int
    """A keyed hash of kind and address."""


class SubscriberAdded(Event, tag="SubscriberAdded"):
    """A visitor is told from now on, and was proven to be there in another way than by a link."""

    id: int
    subscriber: Subscriber


class SubscribersImported(Command, tag="SubscribersImported"):
    """An operator brings those who confirmed elsewhere."""

    subscribers: dict[int, Subscriber]


class SubscriberChanged(Event, tag="SubscriberChanged"):
    """A subscriber chose otherwise."""

    id: int
    services: str
    language: str
    wants: int


class SubscriberRemoved(Command, tag="SubscriberRemoved"):
    """A subscriber left, or an operator removed it."""

    id: int


class BulletinSent(Event, tag="BulletinSent"):
    """One subscriber got a bulletin."""

    bulletin: int
    kind: str
    """Of the subscriber."""
    subscriber: int
    seen: int = 0
    """The number of the next bulletin when the message was written: it knew of those before."""


class BulletinFailed(Event, tag="BulletinFailed"):
    """One subscriber did not get it."""

    bulletin: int
    kind: str
    subscriber: int
    error: str
    """Without the address."""
    outcome: str = "later"
    """later: to be tried again; bounced: refused for good; gone: there is no such receiver any more."""
    retry_after: float = 0.0


class BulletinFinished(Event, tag="BulletinFinished"):
    """Nobody of that kind is left to be told of a bulletin but those who failed."""

    bulletin: int
    kind: str


class HookOwnerTold(Event, tag="HookOwnerTold"):
    """The owner of a web hook was told that it is stopped, or cannot be."""

    id: int


SubscriberEvent = (
    SubscriptionRequested
    | ConfirmationSent
    | SubscriptionConfirmed
    | SubscriberAdded
    | SubscribersImported
    | SubscriberChanged
    | SubscriberRemoved
    | BulletinSent
    | BulletinFailed
    | BulletinFinished
    | HookOwnerTold
)
