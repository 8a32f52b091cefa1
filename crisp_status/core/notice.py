"""What a channel gets: a notice in words, the same for every channel."""

from __future__ import annotations

import msgspec

from crisp_status.core.model import Health, MessageKind


class Affected(msgspec.Struct, frozen=True):
    """One affected node, in words."""

    service: str
    node: str
    health: Health
    since: str
    """`14:02 UTC`."""
    reason: str
    replicas: tuple[str, ...] = ()
    """Labels of affected replicas."""
    more: int = 0
    word: str = ""
    """The health in the language of the notice; "": only its English word is known."""

    @property
    def state(self) -> str:
        """The health in a word."""
        return self.word or self.health.word


class Link(msgspec.Struct, frozen=True):
    """A labelled address."""

    label: str
    url: str


class Device(msgspec.Struct, frozen=True):
    """A browser that shows messages also when no page is open (RFC 8030)."""

    endpoint: str
    """Address at its push service; whoever knows it can send, so it is a secret."""
    p256dh: str
    auth: str
    """Its keys (RFC 8291)."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message for people, worded by templates before a channel sees it."""

    id: str
    """Stable over retries and restarts."""
    kind: MessageKind
    health: Health
    title: str
    """One line: `DOWN: Checkout, replicas 1, 2 and 3 (Acme)`."""
    headline: str
    """Shorter, without page name: `Checkout is down`."""
    lines: tuple[str, ...]
    """Plain sentences: what, since when, why."""
    affected: tuple[Affected, ...] = ()
    more: int = 0
    """Nodes beyond `affected`."""
    url: str
    """The page, or the incident on it."""
    links: tuple[Link, ...] = ()
    """Acknowledge and silence."""
    text: str
    """The whole as plain text."""
    html: str
    """The whole as an HTML mail body."""
    page_name: str
    incident: int = 0
    thread: str = ""
    """The same for all notices of one incident."""
    created_at: float
    late_seconds: int = 0
    """How much later than it happened this is sent; 0: in time."""
    escalation: int = 0
    """The first so many targets get the high-priority form."""
    target: Device | None = None
    """The one that this message is for, of a channel that addresses its targets one by one; None: it is gone."""
    done: tuple[str, ...] = ()
    """Targets within the notifier that have said yes in earlier attempts; a channel skips them."""
    attempt: int = 1
