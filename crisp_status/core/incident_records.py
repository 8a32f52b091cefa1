"""What is remembered of an incident: its nodes, its timeline, and what each notifier was told of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

import msgspec

from crisp_status.core.operator_records import IncidentRecord
from crisp_status.core.verdict import FINE, Health, Reason
from crisp_status.core.vote import Sight


class TimelineKind(StrEnum):
    """What a line of a timeline tells. The values stand on disk."""

    DEAD = "dead"
    SICK = "sick"
    HEALTHY = "healthy"
    REMOVED = "removed"
    """It is watched no more."""
    UNSTABLE = "unstable"
    CALM = "calm"
    ALERTED = "alerted"
    """Somebody of the team was reached."""
    ACKNOWLEDGED = "acknowledged"
    NOTE = "note"
    """Words of an operator."""
    OTHER = "other"
    """Written by a later version."""

    @classmethod
    def _missing_(cls, value: object) -> TimelineKind:  # noqa: ARG003 - whatever it is
        return cls.OTHER


class TimelineFacts(NamedTuple):
    """What follows from the kind of a line. Its sentences are in `language/timeline.py`."""

    replicas: bool = False
    """It tells of replicas of a node: which, and how many of how many."""
    merges: bool = False
    """Lines of several nodes in one minute are shown as one."""
    well: bool = False
    """Nothing is wrong with these replicas any more."""
    team: bool = False
    """What the team did. It always fits, also in a timeline that is full."""


TIMELINE: Final[Mapping[TimelineKind, TimelineFacts]] = {
    TimelineKind.DEAD: TimelineFacts(replicas=True, merges=True),
    TimelineKind.SICK: TimelineFacts(replicas=True, merges=True),
    TimelineKind.HEALTHY: TimelineFacts(replicas=True, merges=True, well=True),
    TimelineKind.REMOVED: TimelineFacts(replicas=True, well=True),
    TimelineKind.UNSTABLE: TimelineFacts(),
    TimelineKind.CALM: TimelineFacts(),
    TimelineKind.ALERTED: TimelineFacts(team=True),
    TimelineKind.ACKNOWLEDGED: TimelineFacts(team=True),
    TimelineKind.NOTE: TimelineFacts(team=True),
    TimelineKind.OTHER: TimelineFacts(),
}


class TimelineEntry(msgspec.Struct, omit_defaults=True):
    """One line of an incident's timeline."""

    at: float
    what: TimelineKind
    node: str = ""
    replicas: list[int] = msgspec.field(default_factory=list)
    """Replica numbers."""
    more: int = 0
    """Replicas beyond those listed."""
    reason: Reason = FINE
    text: str = ""
    """Of a note."""
    phase: str = ""
    by: str = ""
    """Both of a note: see `core.events.Noted`. `by` is public only with `[page] authors`."""
    total: int = 0
    """Replicas that the node had; 0 where an older version wrote it."""
    seen_from: list[Sight] = msgspec.field(default_factory=list)
    """Which place saw what, where all these replicas were seen alike from each."""


class AffectedNode(msgspec.Struct, omit_defaults=True):
    """What an incident did to one node: all of it, and its latest outage.

    An outage lasts from the first bad observation of any replica until all replicas are well. A node can have several
    of them in one incident that something else keeps open; messages and the page tell of the latest.
    """

    since: float
    """First bad observation of any of its replicas in this incident."""
    worst: Health
    """The worst in this incident."""
    well_at: float = 0.0
    """When all its replicas were well again; 0 while not."""
    bad: int = 0
    """Replicas that are bad now."""
    dead_at: float = 0.0
    """When it became dead in its latest outage; 0 if it did not."""
    first_dead_at: float = 0.0
    """When it first became dead in this incident; 0 if it did not, or an older version wrote it: `dead_at`."""
    began_at: float = 0.0
    """First bad observation of its latest outage; 0 (written by an older version): `since`."""
    peak: Health = Health.PENDING
    """The worst of its latest outage; pending (written by an older version): `worst`."""
    wholly: bool = False
    """Whether at some moment none of its replicas answered."""
    acknowledged: int = 0
    """How bad it was (`Node.level`) when an operator acknowledged its latest outage; 0: nobody did."""
    name: str = ""
    """What it was called; kept when the incident ends or the node is removed or renamed. "" before that."""
    service: str = ""
    """What its service was called; the same."""

    @property
    def outage_at(self) -> float:
        """When its latest outage began."""
        return self.began_at or self.since

    @property
    def told_since(self) -> float:
        """Since when messages say that it is down or sick: since it is dead, if it is."""
        return self.dead_at or self.outage_at

    @property
    def outage_worst(self) -> Health:
        """The worst of its latest outage."""
        return self.peak or self.worst


class Impact(IntEnum):
    """How bad an incident was at its worst moment."""

    UNRECORDED = 0
    """Written by an older version."""
    MINOR = 1
    """Nothing was dead."""
    MAJOR = 2
    CRITICAL = 3
    """Every node of the page was wholly dead at the same time, of two or more."""


class NotifierProgress(msgspec.Struct, omit_defaults=True):
    """What one notifier has been told of one incident."""

    level: Health = Health.PENDING
    """The worst that was told."""
    nodes: dict[str, Health] = msgspec.field(default_factory=dict)
    """What was told last of each node; healthy: that it is well again, or that it need not be told."""
    partly: dict[str, int] = msgspec.field(default_factory=dict)
    """Nodes that were told to be dead when only so many of their replicas were; that all are is news, once."""


class Incident(msgspec.Struct, omit_defaults=True):
    """From the first bad observation until everything affected is well again."""

    id: int
    opened_at: float
    """Back-dated to the first bad observation."""
    seen_at: float
    """When it was recognised."""
    closed_at: float = 0.0
    """0 while open."""
    worst: Health = Health.SICK
    nodes: dict[str, AffectedNode] = msgspec.field(default_factory=dict)
    services: dict[str, int] = msgspec.field(default_factory=dict)
    """Replicas that are bad now, by service; a service stays listed when it is well again."""
    bad: int = 0
    """Replicas that are bad now."""
    grew_at: float = 0.0
    """When a replica last joined."""
    timeline: list[TimelineEntry] = msgspec.field(default_factory=list)
    dropped: int = 0
    """Timeline entries beyond the limit."""
    alerted_at: float = 0.0
    """When the first receiver said yes; 0 if none did."""
    acknowledged_by: str = ""
    acknowledged_at: float = 0.0
    """When an operator acknowledged everything that is bad in it; 0 while something is not acknowledged."""
    settle_at: float = 0.0
    """When the grouping wait of what is not yet told ends; 0: nothing waits."""
    settles: int = 0
    """Grouping waits so far; each makes the next longer."""
    settled_at: float = 0.0
    """When a grouping wait last ended, so that everybody was told what nothing held back; 0: none did yet."""
    told: dict[str, NotifierProgress] = msgspec.field(default_factory=dict)
    remind_at: float = 0.0
    reminders: int = 0
    """Sent in this incident; the counter of the backoff and of the escalation."""
    record: IncidentRecord = msgspec.field(default_factory=IncidentRecord)
    impact: Impact = Impact.UNRECORDED
