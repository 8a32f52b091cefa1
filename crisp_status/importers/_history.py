"""History of another program, as parts of one event each, in a file that the daemon takes once."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status.core.events import HistoryImported
from crisp_status.core.model import Health, Tally
from crisp_status.core.past import PastDay, PastIncident, PastSpan

if TYPE_CHECKING:
    from collections.abc import Iterable

DAYS_A_PART: Final = 15
"""Days of thousands of nodes are megabytes; a part is one line of the journal."""

DAY: Final = 86_400.0


@dataclass
class History:
    """Days and incidents that are over."""

    days: dict[str, dict[str, Tally]] = field(default_factory=dict)
    """By day, as `2026-11-22`, and by `service/node`."""
    incidents: list[PastIncident] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.days or self.incidents)

    def parts(self) -> list[HistoryImported]:
        """The events that bring it in. Their ids come from what is in them: the same history is taken once."""
        ordered = sorted(self.days)
        cuts = [ordered[at : at + DAYS_A_PART] for at in range(0, len(ordered), DAYS_A_PART)]
        found = [HistoryImported(source="", days=[PastDay(key, self.days[key]) for key in cut]) for cut in cuts]
        if self.incidents:
            found.append(HistoryImported(source="", incidents=self.incidents))
        for part in found:
            part.source = hashlib.sha256(msgspec.json.encode(part)).hexdigest()[:32]
        return found


def encode(parts: Iterable[HistoryImported]) -> str:
    """The file: one part a line."""
    return "".join(msgspec.json.encode(part).decode() + "\n" for part in parts)


def tally(healthy: float, sick: float, dead: float, maintenance: float = 0.0) -> Tally | None:
    """Seconds of one day; made less in proportion where they are more than a day has. None when there are none."""
    total = healthy + sick + dead + maintenance
    if not 0 < total < float("inf"):
        return None
    share = min(1.0, DAY / total)
    return Tally(*(round(part * share, 1) for part in (healthy, sick, dead, maintenance)))


def together(spans: Iterable[tuple[str, float, float]]) -> list[PastIncident]:
    """Outages of nodes as incidents: those that overlap are one. Each span is node, from, until."""
    found: list[PastIncident] = []
    for key, since, until in sorted(spans, key=lambda span: span[1]):
        if until <= since:
            continue
        if not found or found[-1].closed_at < since:
            found.append(PastIncident(since, until))
        incident = found[-1]
        incident.closed_at = max(incident.closed_at, until)
        known = incident.nodes.get(key)
        incident.nodes[key] = (
            PastSpan(min(known.since, since), max(known.until, until)) if known else PastSpan(since, until)
        )
    return found


def overlap(day: datetime.date, zone: datetime.tzinfo, spans: Iterable[tuple[float, float]]) -> float:
    """Seconds of a day that lie in these spans, which do not overlap each other."""
    start = datetime.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    end = start + DAY
    return sum(max(0.0, min(until, end) - max(since, start)) for since, until in spans)


def worst(impact: str) -> Health:
    """Health for an impact or a component status of Statuspage."""
    return Health.DEAD if impact in {"major", "critical", "major_outage", "partial_outage"} else Health.SICK
