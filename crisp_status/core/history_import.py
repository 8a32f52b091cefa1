"""History of another program becomes ours: days that we have not, and incidents that are over.

Laws
- Each part is taken once: its id stays in the state. What stands in two parts is taken from the first.
- A day that this daemon has tallied itself stays as it is; so does whatever is older than `history_days`.
- Only nodes that exist now are taken. A service, and the page, get the worst of their nodes: no second of a day is
  known of them, so this is the least that they can have been down.
- Nobody is told of anything.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from crisp_status.core import incidents, uptime
from crisp_status.core.model import AffectedNode, Health, Incident, Period, Tally, TimelineEntry, TimelineKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.core import events
    from crisp_status.core.model import State
    from crisp_status.core.past import PastDay, PastIncident
    from crisp_status.core.world import World

DAY: Final = 86_400.0
LONGEST_DAY: Final = 25 * 3600.0

TAKEN_MAX: Final = 1000
"""Parts that are remembered as taken; the oldest are forgotten first."""


def imported(world: World, event: events.HistoryImported) -> bool:
    """Take one part of a history. False when it was taken before."""
    state = world.state
    if event.source in state.imported:
        return False
    state.imported.append(event.source)
    del state.imported[: max(0, len(state.imported) - TAKEN_MAX)]
    _days(state, event.days, event.at)
    horizon = event.at - state.plan.history_days * DAY
    known = {(incident.opened_at, incident.record.title) for incident in state.closed}
    for past in event.incidents:
        mark = (past.opened_at, past.title)
        if mark not in known and horizon <= past.closed_at <= event.at and past.opened_at < past.closed_at:
            known.add(mark)
            _incident(state, past)
    state.closed.sort(key=lambda incident: incident.closed_at)
    del state.closed[: max(0, len(state.closed) - incidents.CLOSED_KEPT)]
    return True


def _days(state: State, days: Iterable[PastDay], at: float) -> None:
    zone = state.plan.timezone
    today = uptime.day_of(at, zone)
    known = {period.key for period in state.days} | {today}
    for day in days:
        noon = _noon(day.key, zone)
        others: dict[str, Tally | None] = {
            key: tally for key, tally in day.nodes.items() if key in state.nodes and _plausible(tally)
        }
        if noon is None or day.key in known or day.key > today or not others:
            continue
        known.add(day.key)
        for service in {key.partition("/")[0] for key in others}:
            others[service] = _worst(others, f"{service}/")
        others[""] = _worst(others, "")
        state.days.append(Period(day.key, uptime.day_end(noon, zone), Tally(), others))
    state.days.sort(key=lambda period: period.ends_at)
    del state.days[: max(0, len(state.days) - state.plan.history_days)]


def _noon(key: str, zone: str) -> float | None:
    """The middle of that day; None when the key is not a day."""
    try:
        day = date.fromisoformat(key)
        return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).timestamp()
    except (ValueError, OverflowError):
        return None


def _plausible(tally: Tally) -> bool:
    parts = (tally.healthy, tally.sick, tally.dead, tally.maintenance)
    return all(0.0 <= part <= LONGEST_DAY for part in parts) and 0.0 < sum(parts) <= LONGEST_DAY


def _worst(tallies: dict[str, Tally | None], prefix: str) -> Tally:
    """What a parent of these nodes was at least: down as long as the one that was down longest."""
    below = [tally for key, tally in tallies.items() if tally is not None and key.startswith(prefix) and "/" in key]
    observed = max(t.healthy + t.sick + t.dead + t.maintenance for t in below)
    dead = max(t.dead for t in below)
    sick = min(max(t.sick for t in below), observed - dead)
    work = min(*(t.maintenance for t in below), observed - dead - sick)
    return Tally(observed - dead - sick - work, sick, dead, work)


def _incident(state: State, past: PastIncident) -> None:
    incident = Incident(state.next_incident, past.opened_at, past.opened_at, past.closed_at, past.worst)
    state.next_incident += 1
    incident.record.title, incident.record.manual = past.title, bool(past.title)
    for key, span in past.nodes.items():
        if key not in state.nodes or not past.opened_at <= span.since <= span.until <= past.closed_at:
            continue
        dead_at = span.since if span.worst is Health.DEAD else 0.0
        incident.nodes[key] = AffectedNode(span.since, span.worst, span.until, dead_at=dead_at)
        incident.services[key.partition("/")[0]] = 0
        if not past.title:
            incident.timeline.append(TimelineEntry(span.since, TimelineKind(span.worst.word), node=key))
            incident.timeline.append(TimelineEntry(span.until, TimelineKind.HEALTHY, node=key))
    for update in past.updates:
        incident.timeline.append(TimelineEntry(update.at, TimelineKind.NOTE, text=update.text, phase=update.phase))
    incident.timeline.sort(key=lambda entry: entry.at)
    if incident.nodes or past.title:
        state.closed.append(incident)
