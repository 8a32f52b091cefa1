"""Everything that can happen. The engine stamps `at` (epoch seconds) and hands one at a time to `core.step`."""

from __future__ import annotations

import msgspec

from crisp_status.core.event import Command, Event
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.core.operator_records import Announcement, Passkey, Session, Silence, Subscription
from crisp_status.core.past import PastDay, PastIncident
from crisp_status.core.policy import Plan
from crisp_status.core.subscriber_events import SubscriberEvent

__all__ = ["Command", "Event"]
"""Written in a module of their own, imported from here."""


class SilentReplica(msgspec.Struct, frozen=True, array_like=True):
    """A replica from which nothing came in time."""

    node: str
    replica: str
    since: float
    """When it should have reported."""


class Planned(Event, tag="Planned"):
    """A plan comes into force: at start (`fresh`, time since `alive_at` was our absence) or by a reload."""

    plan: Plan
    fresh: bool = False
    alive_at: float = 0.0
    """Of a fresh one, filled in by `core.step.prepare`: the last sign of life before it, 0 when there is none."""
    known_at: float = 0.0
    """The same: until when volatile times are known."""
    missed: list[SilentReplica] = msgspec.field(default_factory=list)
    """The same: whose report was due while we were away."""


class Observed(Event, tag="Observed"):
    """One finished look at one replica."""

    node: str
    replica: str
    health: Health
    since: float
    """When it was first seen so: the first failed attempt of a bad one, else the time of the look."""
    reason: Reason = FINE
    latency_ms: int = -1


class Unknown(Event, tag="Unknown"):
    """We could not look, by an error of ours. The health stays."""

    node: str
    replica: str
    text: str


class PlaceHeard(Event, tag="PlaceHeard"):
    """Something came from a place: it lives, whether or not what follows has votes."""

    place: str
    run: str
    """Id of this run of its agent …"""
    batch: int
    """… and the number of the batch within it: what comes late or twice counts for nothing."""


class Voted(PlaceHeard, tag="Voted"):
    """One finished look of another place at one replica. Its clock does not matter: times are ours, by its age."""

    node: str
    replica: str
    health: Health | None = None
    """None: it could not look, by an error of its own; then it has no vote."""
    since: float = 0.0
    """When it was first seen so from there."""
    reason: Reason = FINE
    latency_ms: int = -1


class Reported(Event, tag="Reported"):
    """An application or an agent told us of a replica."""

    node: str
    replica: str
    interval: float
    cpu: float = -1.0
    ram: float = -1.0
    health: Health | None = None
    """None: judged by load (push); else what the agent saw, or the application said of itself."""
    reason: Reason = FINE
    latency_ms: int = -1
    since: float = 0.0
    """Of an agent that sends what it missed: when it was first seen so; 0: now."""


class Flushed(Event, tag="Flushed"):
    """A replica is gone for good."""

    node: str
    replica: str


class ClosedLatency(msgspec.Struct, frozen=True, array_like=True):
    """Response times of one node in a slot that is over: two bytes a replica, in their order (`core.latency`)."""

    node: str
    slot: int
    """0: none."""
    short: bytes
    long_slot: int = 0
    long: bytes = b""
    """The same of six hours that are over; 0 while they go on."""


class Ticked(Event, tag="Ticked"):
    """Time passed. `core.step.prepare` fills in what volatile fields say, so that replay needs none of them."""

    stood_still: float = 0.0
    """Seconds in which the loop stood still just before; nobody is silent in them."""
    silent: list[SilentReplica] = msgspec.field(default_factory=list)
    forgotten: list[SilentReplica] = msgspec.field(default_factory=list)
    looking: list[str] = msgspec.field(default_factory=list)
    """Nodes in whose neighbourhood looks are under way: notices of their incidents wait for these."""
    looked: bool = False
    """Some of these looks have ended since the last tick."""
    silent_places: list[str] = msgspec.field(default_factory=list)
    """Places of which nothing came for too long."""
    latency: list[ClosedLatency] = msgspec.field(default_factory=list)


class LooksBegun(Event, tag="LooksBegun"):
    """An attempt at this replica failed, and what stands beside it is looked at now, until `until` at the latest."""

    node: str
    replica: str
    until: float


class LooksEnded(Event, tag="LooksEnded"):
    """The looks that `LooksBegun` told of are over, and what they found was submitted before this."""

    node: str
    replica: str


class ClockJumped(Event, tag="ClockJumped"):
    """The wall clock was set, or the machine slept, between two events; `at` is the time after it."""

    before: float
    """Where the clock would stand without the jump, or when the machine fell asleep."""
    missed: list[SilentReplica] = msgspec.field(default_factory=list)
    """Filled in by `core.step.prepare`: whose report was due in between."""


class NetworkLost(Event, tag="NetworkLost"):
    """Every witness is silent: our own network is gone; every health is held."""


class NetworkBack(Event, tag="NetworkBack"):
    """A witness answers again."""

    missed: list[SilentReplica] = msgspec.field(default_factory=list)
    """Filled in by `core.step.prepare`: whose report was due meanwhile."""


class CertificateEnding(Event, tag="CertificateEnding"):
    """A certificate of the page nears its end, and no new one has come."""

    domain: str
    ends_at: float
    urgent: bool = False
    """A twentieth of its life is left, or nothing; else a sixth."""
    error: str = ""
    """Why the last try to renew it failed; "": it did not fail."""


class Announced(Command, tag="Announced"):
    """An operator posts or replaces an announcement."""

    announcement: Announcement


class Withdrawn(Command, tag="Withdrawn"):
    """An operator takes an announcement down."""

    id: str


class Silenced(Command, tag="Silenced"):
    """An operator holds reminders, or every notice of one service or node."""

    silence: Silence


class Unsilenced(Command, tag="Unsilenced"):
    """An operator lifts a silence; "" lifts all without a scope."""

    id: str = ""


class Acknowledged(Command, tag="Acknowledged"):
    """An operator has seen an incident: no more reminders of it."""

    incident: int


class Noted(Command, tag="Noted"):
    """An operator writes an update of an incident."""

    incident: int
    text: str
    phase: str = ""
    """investigating, identified, monitoring or resolved; "" leaves it as it is. `resolved` ends one opened by hand."""
    internal: bool = False
    """Only for the team."""


class Subscribed(Command, tag="Subscribed"):
    """An operator's device wants push messages."""

    subscription: Subscription


class Unsubscribed(Command, tag="Unsubscribed"):
    """A device is gone, by its user or by a 404 or 410 of its push service."""

    id: str


class Delivered(Event, tag="Delivered"):
    """The receiver said yes."""

    message: str
    detail: str = ""
    target: str = ""
    """Only this target within the notifier said yes so far; "" all did."""


class NotDelivered(Event, tag="NotDelivered"):
    """The receiver did not say yes."""

    message: str
    error: str
    permanent: bool = False
    """The receiver refused it (4xx, SMTP 5xx): it is tried again slowly, until somebody mends what is wrong."""
    retry_after: float = 0.0
    final: bool = False
    """There is no such receiver any more (410): it is not tried again."""


class Retried(Command, tag="Retried"):
    """An operator wants undelivered messages tried now; "" all. A delivered one is sent again (replay)."""

    message: str = ""
    notifier: str = ""
    """Without a message: only what this notifier refused, because its configuration may have been mended."""
    to: str = ""
    """Send it to this notifier from now on; without a message: all that is owed to receivers that have vanished."""


class Dropped(Command, tag="Dropped"):
    """An operator drops an undelivered message."""

    message: str


class Tested(Command, tag="Tested"):
    """An operator wants a test message through a notifier."""

    notifier: str


class IncidentOpened(Command, tag="IncidentOpened"):
    """An operator opens an incident by hand; it ends by an update with the phase `resolved`."""

    title: str
    health: Health = Health.SICK
    """How bad it is: sick or dead. The health of nodes does not follow; only looks and reports change that."""
    nodes: list[str] = msgspec.field(default_factory=list)
    text: str = ""
    phase: str = "investigating"


class IncidentCorrected(Command, tag="IncidentCorrected"):
    """An operator corrects when an incident that is over began and ended; uptime follows."""

    incident: int
    opened_at: float
    closed_at: float


class IncidentStruck(Command, tag="IncidentStruck"):
    """It was not an outage: the incident leaves the public page, and its time counts as healthy."""

    incident: int


class IncidentMerged(Command, tag="IncidentMerged"):
    """An incident that is over is part of another one, which tells both stories from now on."""

    incident: int
    into: int


class PostmortemWritten(Command, tag="PostmortemWritten"):
    """The post-mortem of an incident, in Markdown; "" takes it away."""

    incident: int
    text: str


class SignedIn(Command, tag="SignedIn"):
    """Somebody signed in to the console."""

    session: Session
    sign_count: int = 0
    """What the authenticator of its passkey counted."""


class SignedOut(Command, tag="SignedOut"):
    """A session ends."""

    id: str


class PasskeyAdded(Command, tag="PasskeyAdded"):
    """An operator can sign in with this passkey, too."""

    passkey: Passkey


class PasskeyRemoved(Command, tag="PasskeyRemoved"):
    """Nobody signs in with it any more; its sessions end."""

    id: str


class HistoryImported(Event, tag="HistoryImported"):
    """What another program remembered, taken over: `core.history_import` says which of it."""

    source: str
    """Id of this part; each is taken once."""
    days: list[PastDay] = msgspec.field(default_factory=list)
    incidents: list[PastIncident] = msgspec.field(default_factory=list)


AnyEvent = (
    Planned
    | Observed
    | Unknown
    | PlaceHeard
    | Voted
    | Reported
    | Flushed
    | Ticked
    | ClockJumped
    | NetworkLost
    | NetworkBack
    | CertificateEnding
    | Announced
    | Withdrawn
    | Silenced
    | Unsilenced
    | Acknowledged
    | Noted
    | Subscribed
    | Unsubscribed
    | Delivered
    | NotDelivered
    | Retried
    | Dropped
    | Tested
    | IncidentOpened
    | IncidentCorrected
    | IncidentStruck
    | IncidentMerged
    | PostmortemWritten
    | SignedIn
    | SignedOut
    | PasskeyAdded
    | PasskeyRemoved
    | HistoryImported
    | SubscriberEvent
)
