"""What is remembered: the state, as values that a snapshot holds.

Fields marked *volatile* are not journaled: they describe the last look, come back with the next one, and no durable
decision reads them during replay. Everything else changes only through durable events.

Values hold values and never themselves, so that those of which there are many are left out of garbage collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status.core.incident_records import (
    AffectedNode,
    Impact,
    Incident,
    NotifierProgress,
    TimelineEntry,
    TimelineKind,
)
from crisp_status.core.operator_records import Announcement, ConsoleState, RunningWork, Silence, Subscription
from crisp_status.core.outbox_records import DeliveryAttempt, Message, MessageKind, NoticeNode, WebhookProgress
from crisp_status.core.policy import Plan
from crisp_status.core.subscriber_records import Audience, Subscriber
from crisp_status.core.verdict import FINE, Health, Reason, ReasonCode
from crisp_status.core.vote import Vote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "FINE",
    "AffectedNode",
    "Announcement",
    "DeliveryAttempt",
    "Health",
    "Impact",
    "Incident",
    "Message",
    "MessageKind",
    "NoticeNode",
    "NotifierProgress",
    "Reason",
    "ReasonCode",
    "Silence",
    "Subscription",
    "TimelineEntry",
    "TimelineKind",
    "WebhookProgress",
]
"""What the state is made of: written in modules of their own, imported from here."""

STATE_VERSION: Final = 2
"""Format of snapshot and journal; a newer one on disk is refused, an older one is migrated."""

FAILURES_KEPT: Final = 5
"""Stories of past failures kept a replica, so that successes never push them out."""


class FailedLook(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One failed look, kept for the operator."""

    at: float
    text: str


class Replica(msgspec.Struct, array_like=True, gc=False):
    """One observed endpoint or application."""

    id: str
    number: int
    """The number on the page, from 1, stable while the replica exists."""
    health: Health = Health.PENDING
    since: float = 0.0
    """When the present health began; for a bad one, back-dated to the first bad observation."""
    reason: Reason = FINE
    flips: list[float] = msgspec.field(default_factory=list)
    """Times of the last transitions, for flap damping."""
    unknown: bool = False
    """We could not look, by an error of ours; the health is what it was before."""
    incident: int = 0
    """The open incident that this replica is in, 0 when none."""
    interval: float = 0.0
    """Push and local: the interval that its last *durable* report announced."""
    seen_at: float = 0.0
    """Volatile: when the last observation or report came."""
    latency_ms: int = -1
    """Volatile: of the last answer; -1 is none."""
    cpu: float = -1.0
    ram: float = -1.0
    """Volatile, both: load ratios of the last report; -1 is none."""
    failures: list[FailedLook] = msgspec.field(default_factory=list)
    unconfirmed: bool = False
    """It was bad when announced work ended, and was neither looked at nor heard of since."""
    votes: dict[str, Vote] | None = None
    """Of a node that is seen from several places: what each of them saw last. None: its looks are not votes."""
    short: bytes = b""
    """Response times up to `Node.short_slot`, oldest first, two bytes a slot: see `core.latency`."""
    long: bytes = b""
    """The same up to `Node.long_slot`."""
    samples: bytearray = msgspec.field(default_factory=bytearray)
    """Volatile: answers in the open short slot, a byte each."""
    samples_long: bytes = b""
    """Volatile: answers in the open long slot, counted: three bytes for each different one."""


class Tally(msgspec.Struct, array_like=True, gc=False):
    """Observed seconds in one period. Pending, unknown and our own absence are in none of them."""

    healthy: float = 0.0
    sick: float = 0.0
    dead: float = 0.0
    maintenance: float = 0.0
    """Seconds of announced work; they do not count for uptime."""


class Period(msgspec.Struct, gc=False):
    """One day that is over, for everything that was tallied in it.

    Most nodes share one tally (a whole healthy day): it is stored once as `usual`, and only the others are listed.
    A key that is not listed and was `born` after the period has no data.
    """

    key: str
    """`2026-11-22`, in the page's zone."""
    ends_at: float
    usual: Tally
    others: dict[str, Tally | None]
    """By key: "" is the page, `svc` a service, `svc/node` a node; None: existed but was never observed."""


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """The running account of one page, service or node."""

    born: float
    since: float
    """Up to here it is tallied."""
    day: Tally = msgspec.field(default_factory=Tally)


LATENCY_SLOTS: Final = 48
LATENCY_SLOT_SECONDS: Final = 1800
"""The last day in half hours: as many points as a small chart can show."""


class PlaceLatency(msgspec.Struct, array_like=True, gc=False):
    """Answers that one place got from one node. Volatile."""

    latency: bytearray = msgspec.field(default_factory=lambda: bytearray(2 * LATENCY_SLOTS))
    """Mean ms of each half hour of the last day as little-endian uint16, a ring; 0 is no data."""
    latency_at: int = 0
    """Number (since the epoch) of the half hour that is being filled."""
    latency_sum: int = 0
    latency_n: int = 0


class Node(msgspec.Struct, gc=False):
    """Replicas of one kind; takes the worst of them."""

    key: str
    ledger: Ledger
    health: Health = Health.PENDING
    since: float = 0.0
    maintenance: bool = False
    work_ended_at: float = 0.0
    """When its announced work ended, while nobody knows yet how it is since; it counts as in maintenance until then."""
    unstable: bool = False
    """More transitions than `flap_changes`: said once, then quiet until calm."""
    unstable_told: list[str] = msgspec.field(default_factory=list)
    """Notifiers that were told so: those are told when it is calm again."""
    counts: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0])
    """Replicas by health, so that a transition costs the same for 3 and 30,000."""
    unknowns: int = 0
    replicas: dict[str, Replica] = msgspec.field(default_factory=dict)
    next_number: int = 1
    short_slot: int = 0
    """Number (since the epoch) of the last short slot of response times that is over."""
    long_slot: int = 0
    slot: int = 0
    """Volatile: the short slot that is open; 0: nothing was seen in it."""
    long_open: int = 0
    """Volatile: the long slot that `Replica.samples_long` count; 0: nothing was seen in it."""
    latency_from: dict[str, PlaceLatency] | None = None
    """Volatile: response times by place, of a node that is seen from several."""

    @property
    def wholly_dead(self) -> bool:
        """Whether no replica answers, as opposed to partly dead."""
        return self.counts[Health.DEAD] > 0 and self.counts[Health.DEAD] == sum(self.counts)

    @property
    def level(self) -> int:
        """Its health, and one more when it is wholly dead: what an acknowledgement covers."""
        return self.health + self.wholly_dead


class Service(msgspec.Struct, gc=False):
    """Nodes that belong together; takes the worst of them."""

    id: str
    ledger: Ledger
    health: Health = Health.PENDING
    since: float = 0.0
    counts: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0, 0])
    """Nodes by health; the fifth counts those in maintenance, whatever their health."""


class PlaceState(msgspec.Struct, array_like=True):
    """One place besides this daemon: whether it is heard. What it saw stands with the replicas."""

    heard_since: float = 0.0
    """Since when it has been heard without a gap; 0: it is not, so that nothing it said counts."""
    silent_since: float = 0.0
    """When it was found to be silent; 0 while it is heard, was never heard, or is waited for."""
    told_at: float = 0.0
    """When operators were last told that it is silent …"""
    told: bool = False
    """… and whether that is so of the present silence, so that its end is told, too."""
    seen_at: float = 0.0
    """Volatile: when anything last came from it; 0: never."""
    runs: list[str] = msgspec.field(default_factory=list)
    """Volatile: ids of the last runs of its agent, the present one last."""
    batch: int = -1
    """Volatile: number of the last batch of that run."""


class State(msgspec.Struct):
    """Everything that is remembered. Loops compare it with the clock; there is no second queue."""

    version: int = STATE_VERSION
    plan: Plan = msgspec.field(default_factory=Plan)
    at: float = 0.0
    """Time of the last event."""
    alive_at: float = 0.0
    """Until when this daemon is known to have run; time after it, before the next start, is our own absence."""
    health: Health = Health.PENDING
    """Of the page."""
    since: float = 0.0
    counts: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0, 0])
    """Services by health; the fifth counts those where every node is in maintenance."""
    ledger: Ledger = msgspec.field(default_factory=lambda: Ledger(0.0, 0.0))
    services: dict[str, Service] = msgspec.field(default_factory=dict)
    nodes: dict[str, Node] = msgspec.field(default_factory=dict)
    """By `service/node`."""
    dead_since: float = 0.0
    """How long the page has been dead in a row; 0 when it is not. For the embed."""
    unstable: list[str] = msgspec.field(default_factory=list)
    """Keys of flapping nodes."""
    offline_since: float = 0.0
    """Since when every witness has been silent; 0 when our network works."""
    days: list[Period] = msgspec.field(default_factory=list)
    """Oldest first."""
    day_ends_at: float = 0.0
    hour_ends_at: float = 0.0
    """Every account is brought up to date then."""
    open: dict[int, Incident] = msgspec.field(default_factory=dict)
    """Not yet over, or over and not yet settled (`closed_at` is set; it reopens if it happens again at once)."""
    closed: list[Incident] = msgspec.field(default_factory=list)
    """Oldest first; pruned after `history_days`."""
    imported: list[str] = msgspec.field(default_factory=list)
    """Ids of the parts of another program's history that were taken."""
    next_incident: int = 1
    next_message: int = 1
    outbox: dict[str, Message] = msgspec.field(default_factory=dict)
    sent: list[Message] = msgspec.field(default_factory=list)
    """The last messages that were delivered, refused or given up, oldest first, so that one can be sent again."""
    attempts: list[DeliveryAttempt] = msgspec.field(default_factory=list)
    """The last deliveries, oldest first."""
    gave_up: int = 0
    """How many messages were ever given up."""
    lost: list[DeliveryAttempt] = msgspec.field(default_factory=list)
    """The messages that were given up in the last `history_days`, by name, oldest first."""
    undelivered_told: dict[str, float] = msgspec.field(default_factory=dict)
    """By notifier or web hook that takes nothing: when the others were told so."""
    hooked: WebhookProgress = msgspec.field(default_factory=WebhookProgress)
    announcements: dict[str, Announcement] = msgspec.field(default_factory=dict)
    unconfirmed: list[str] = msgspec.field(default_factory=list)
    """Keys of nodes whose announced work ended and of which nobody knows yet how they are since."""
    windows: list[str] = msgspec.field(default_factory=list)
    """Ids of the announcements that are a running maintenance now."""
    work: dict[str, RunningWork] = msgspec.field(default_factory=dict)
    """By announcement: what was told to have begun."""
    silences: dict[str, Silence] = msgspec.field(default_factory=dict)
    subscriptions: dict[str, Subscription] = msgspec.field(default_factory=dict)
    console: ConsoleState = msgspec.field(default_factory=ConsoleState)
    certificates_told: dict[str, tuple[float, bool]] = msgspec.field(default_factory=dict)
    """By domain: of which end operators were told, and whether it was urgent."""
    places: dict[str, PlaceState] = msgspec.field(default_factory=dict)
    """Places besides this daemon, by id."""
    subscribers: dict[int, Subscriber] = msgspec.field(default_factory=dict)
    """By a keyed hash of kind and address."""
    audience: Audience = msgspec.field(default_factory=Audience)
    """What subscribers are owed."""

    def incident(self, number: int) -> Incident | None:
        """The open or closed incident of that number."""
        found = self.open.get(number)
        if found is not None:
            return found
        return next((i for i in self.closed if i.id == number), None)

    def all_ledgers(self) -> Iterable[tuple[str, Ledger]]:
        """Every running account by its key: "" the page, `svc`, `svc/node`."""
        yield "", self.ledger
        for service in self.services.values():
            yield service.id, service.ledger
        for node in self.nodes.values():
            yield node.key, node.ledger
