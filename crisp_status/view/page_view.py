"""The wall between the state and the world: what visitors and their machines may know, as values.

HTML, JSON, feeds, badges, embed and metrics all read a `PageView`. What is private never gets in: addresses and ids of
replicas (unless the node reveals them, and never private ones), the operators' reasons and names, tokens, devices.
Texts are plain (`page.plain`); only `html` fields are HTML, and those are safe. Times are epoch seconds, 0 is "none".
Values are immutable and shared from one view to the next as long as nothing in them changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from crisp_status.core.model import Health, Impact, ReasonCode, TimelineKind
from crisp_status.core.vote import Sight

if TYPE_CHECKING:
    from crisp_status.core.model import Tally
    from crisp_status.core.policy import Mode
    from crisp_status.view.book import Book
    from crisp_status.view.page_info import PageInfo

Look = Literal["ok", "sick", "dead", "pend", "work"]
"""How a thing looks: its health, or `work` while announced work is going on. Also the CSS class and icon name."""

LOOKS: Final[tuple[Look, ...]] = ("pend", "ok", "sick", "dead")
"""By `Health`."""

STRIP_DAYS: Final = 90
"""Days of a strip, today included."""


class DayView(msgspec.Struct, frozen=True, gc=False):
    """One day that was not simply healthy. A day takes the worst that happened in it."""

    index: int
    """Place in `PageView.days`, 0 is the oldest."""
    look: Look
    """`sick`, `dead`, `work`, or `pend` when nothing was observed."""
    dead: float = 0.0
    """Seconds."""
    sick: float = 0.0
    maintenance: float = 0.0


class HistoryView(msgspec.Struct, frozen=True, gc=False):
    """The last days of the page, a service or a node."""

    days: tuple[DayView, ...] = ()
    """Those worth a word, oldest first; all others were healthy."""
    uptime: float | None = None
    """Percent over the observed time, floored to two decimals; 100 only when it was never dead; None: no data."""
    dead: float = 0.0
    """Seconds in all; a running outage included."""
    sick: float = 0.0
    observed: int = 0
    """Days with data."""
    blank: tuple[int, ...] = ()
    """Days without data, as indexes; the same object for all that share it."""


class ReplicaView(msgspec.Struct, frozen=True, gc=False):
    """One numbered box."""

    number: int
    health: Health
    since: float
    code: ReasonCode
    value: str = ""
    """Public detail of the code: a status number, a date."""
    name: str = ""
    """Only where the node reveals its replicas."""
    seen_at: float = 0.0
    latency_ms: int = -1
    """-1: none."""
    cpu: float = -1.0
    """Load ratio, may exceed 1; -1: none."""
    ram: float = -1.0


class LatencyView(msgspec.Struct, frozen=True, gc=False):
    """Response times of a node's replicas, in their order, as the state keeps them (`core.latency`)."""

    short_slot: int = 0
    short: tuple[bytes, ...] = ()
    long_slot: int = 0
    long: tuple[bytes, ...] = ()


NO_LATENCY: Final = LatencyView()


class NodeView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One row."""

    key: str
    """`service/node`: unique and stable."""
    service: str
    id: str
    name: str
    label: str
    """The name, preceded by the service's where two nodes have the same one."""
    position: int
    """From 1, within the service."""
    health: Health
    look: Look
    since: float
    until: float = 0.0
    """End of the announced work that is going on; 0: open or none."""
    mode: Mode
    interval: float
    sick_above: float
    """Seconds from which an answer is slow."""
    cpu_above: float
    ram_above: float
    born: float
    unstable: bool
    replicas: tuple[ReplicaView, ...]
    counts: tuple[int, int, int, int]
    """Replicas by health: pending, healthy, sick, dead."""
    history: HistoryView
    latency: LatencyView = NO_LATENCY
    typical_ms: int = 0
    """The median of the last hour; 0: nothing is known."""
    link_url: str = ""
    link_label: str = ""

    @property
    def all_dead(self) -> bool:
        """Whether no replica answers, as opposed to partly down."""
        return self.counts[3] > 0 and self.counts[3] == sum(self.counts)

    def worst(self) -> ReplicaView | None:
        """The replica that explains the node's health: the longest of the worst."""
        bad = [r for r in self.replicas if r.health is self.health]
        return min(bad, key=lambda r: (r.since, r.number)) if bad else None


class ServiceView(msgspec.Struct, frozen=True, gc=False):
    """A group of rows."""

    id: str
    name: str
    position: int
    health: Health
    look: Look
    since: float
    history: HistoryView
    nodes: tuple[NodeView, ...]


class AffectedNodeView(msgspec.Struct, frozen=True, gc=False):
    """What an incident did to one node, which may be gone from the page."""

    key: str
    name: str
    service: str
    """Name of the service."""
    worst: Health
    since: float
    until: float = 0.0
    """When it was well again; 0 while not."""
    dead_at: float = 0.0
    """When it became dead in its latest outage; 0 if it did not."""
    state: Health = Health.PENDING
    """How it is now; of an incident that is over, the worst that it was."""
    wholly: bool | None = None
    """Whether no replica answers; of what is over, whether that was ever so. None: not recorded."""


class UpdateView(msgspec.Struct, frozen=True, gc=False):
    """One line of an incident's timeline."""

    at: float
    what: TimelineKind
    node: str = ""
    """Name of the node."""
    key: str = ""
    replicas: tuple[int, ...] = ()
    more: int = 0
    """Replicas beyond those listed."""
    total: int = 0
    """Replicas that the node had then; 0: not recorded, and it is gone."""
    code: ReasonCode = ReasonCode.OK
    value: str = ""
    text: str = ""
    """Of a note: plain text."""
    html: str = ""
    """Of a note: safe HTML."""
    phase: str = ""
    """Of a note: investigating, identified, monitoring or resolved; "" leaves it as it is."""
    author: str = ""
    """Of a note: who wrote it, as visitors may know: a role, or a name."""
    seen_from: tuple[Sight, ...] = ()
    """Which place saw what."""


class IncidentView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One incident. Its address is `incidents/{id}`."""

    id: int
    opened_at: float
    """When it was first seen bad."""
    seen_at: float
    """When it was recognised."""
    closed_at: float
    """0 while it goes on."""
    updated_at: float
    worst: Health
    impact: Impact
    """How bad its worst moment was."""
    alerted_at: float
    """When somebody of the team was reached; 0: not yet."""
    acknowledged_at: float
    nodes: tuple[AffectedNodeView, ...]
    """In the order of the page."""
    updates: tuple[UpdateView, ...]
    """Oldest first."""
    dropped: int = 0
    """Lines that were not kept."""
    title: str = ""
    """Headline of one that an operator opened by hand; else it is made from the nodes."""
    postmortem: str = ""
    """Safe HTML; only of one that is over."""


class AnnouncementView(msgspec.Struct, frozen=True, gc=False):
    """Words from the operator, shown now."""

    id: str
    title: str
    text: str
    """Markdown as it was written, clipped."""
    html: str
    created_at: float
    """0: it stands in the file."""
    starts_at: float
    expires_at: float
    """0: until removed."""


class MaintenanceView(msgspec.Struct, frozen=True, gc=False):
    """Announced work: the window that runs, or the next one."""

    id: str
    title: str
    text: str
    html: str
    starts_at: float
    ends_at: float
    """0: open."""
    running: bool
    keys: tuple[str, ...]
    """Services and nodes that are worked on, as configured."""
    names: tuple[str, ...]
    """Their names."""
    created_at: float
    rrule: str = ""
    """RFC 5545, when it recurs."""
    first_at: float = 0.0
    """Start of the first window of a recurring one."""


class PageView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the world may know at one moment."""

    info: PageInfo
    at: float
    """When this view was made."""
    health: Health
    look: Look
    """`work` only while nothing outside the window is sick or dead."""
    since: float
    dead_since: float
    """How long the page has been dead in a row; 0 when it is not."""
    offline_since: float
    """Since when our own network is lost and every health is held; 0: it works."""
    checked_at: float
    """The last look or report of any replica; 0: none yet."""
    next_at: float
    """By when the next one comes; 0: unknown."""
    history: HistoryView
    days: tuple[str, ...]
    """The axis of every history: `2026-11-22`, oldest first, today last, in the page's zone."""
    months: tuple[str, ...]
    """Months that are kept, newest first: `2026-11`."""
    book: Book
    """The days that are over."""
    today: dict[str, Tally]
    """The running day, by key ("" the page), up to the last whole hour or change. Not to be changed."""
    services: tuple[ServiceView, ...]
    nodes: dict[str, NodeView]
    """By key, in the order of the page. Not to be changed."""
    counts: dict[Look, int]
    """Nodes by look. Not to be changed."""
    incidents: tuple[IncidentView, ...]
    """Newest first, open ones included."""
    open: tuple[IncidentView, ...]
    """Those that go on, newest first."""
    announcements: tuple[AnnouncementView, ...]
    """Shown now, newest first; maintenances are not among them."""
    maintenances: tuple[MaintenanceView, ...]
    """Running, then coming, by their start."""
    past_works: tuple[MaintenanceView, ...] = ()
    """Windows that are over and still kept, newest first."""

    def incident(self, number: int) -> IncidentView | None:
        """The incident of that number, None when it is not kept."""
        return next((i for i in self.incidents if i.id == number), None)

    @property
    def alerted_at(self) -> float:
        """When the team was first reached about what goes on now; 0: not yet."""
        return min((i.alerted_at for i in self.open if i.alerted_at), default=0.0)
