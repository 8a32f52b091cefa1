"""Incidents of Statuspage that are over, and the 90 days that follow from them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final

from crisp_status.core.model import Health
from crisp_status.core.past import PastIncident, PastSpan, PastUpdate
from crisp_status.importers._files import table, tables, text
from crisp_status.importers._history import DAY, History, overlap, tally, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

OVER: Final = {"resolved", "postmortem", "completed"}

DAYS: Final = 90

WELL: Final = {"operational", "under_maintenance", ""}

PHASES: Final = {"investigating", "identified", "monitoring", "resolved"}

Spans = dict[Health, list[tuple[float, float]]]


def history(
    components: dict[str, dict[str, Any]],
    incidents: dict[str, dict[str, Any]],
    keys: dict[str, str],
    today: datetime.date,
) -> History:
    """What is over. A component was well whenever no incident says otherwise, from the day on that it was shown."""
    found = History()
    down: dict[str, Spans] = {}
    for incident in incidents.values():
        past = _incident(incident, keys)
        if past is None:
            continue
        found.incidents.append(past)
        for key, span in past.nodes.items():
            down.setdefault(key, {}).setdefault(span.worst, []).append((span.since, span.until))
    if not incidents:
        return found
    for code, key in keys.items():
        shown = text(components[code].get("start_date")) or text(components[code].get("created_at"))[:10]
        for number in range(DAYS, 0, -1):
            day = today - datetime.timedelta(days=number)
            if day.isoformat() < shown:
                continue
            spans = down.get(key, {})
            dead = min(DAY, overlap(day, datetime.UTC, _joined(spans.get(Health.DEAD, ()))))
            sick = min(DAY - dead, overlap(day, datetime.UTC, _joined(spans.get(Health.SICK, ()))))
            seconds = tally(DAY - dead - sick, sick, dead)
            if seconds is not None:
                found.days.setdefault(day.isoformat(), {})[key] = seconds
    return found


def _incident(incident: dict[str, Any], keys: dict[str, str]) -> PastIncident | None:
    began = stamp(incident.get("started_at")) or stamp(incident.get("created_at"))
    ended = stamp(incident.get("resolved_at")) or stamp(incident.get("updated_at"))
    if text(incident.get("status")) not in OVER or not began or not ended or ended <= began:
        return None
    since, until = began.timestamp(), ended.timestamp()
    health = worst(text(incident.get("impact")))
    updates = sorted(_updates(incident), key=lambda update: update[0])
    nodes: dict[str, PastSpan] = {}
    for item in tables(incident.get("components")):
        if text(item.get("id")) in keys:
            nodes[keys[text(item["id"])]] = PastSpan(since, until, health)
    for code, span in _affected(updates, since, until).items():
        if code in keys:
            nodes[keys[code]] = span
    return PastIncident(
        since,
        until,
        nodes,
        text(incident.get("name")) or "Incident",
        max((span.worst for span in nodes.values()), default=health),
        [
            PastUpdate(min(max(at, since), until), text(item.get("body")), _phase(item))
            for at, item in updates
            if text(item.get("body"))
        ],
    )


def _updates(incident: dict[str, Any]) -> Iterable[tuple[float, dict[str, Any]]]:
    for item in tables(incident.get("incident_updates")):
        at = stamp(item.get("display_at")) or stamp(item.get("created_at"))
        if at:
            yield at.timestamp(), item


def _affected(updates: list[tuple[float, dict[str, Any]]], since: float, until: float) -> dict[str, PastSpan]:
    """How long each component was not well, as its updates say; from the start of the incident for the first of them."""
    found: dict[str, PastSpan] = {}
    for at, item in updates:
        for change in tables(item.get("affected_components")):
            code, old, new = (text(change.get(key)) for key in ("code", "old_status", "new_status"))
            known = found.get(code)
            if new in WELL:
                if known:
                    known.until = min(max(at, known.since), until)
                continue
            begins = min(max(at if old in WELL and at > updates[0][0] else since, since), until)
            health = max(worst(new), known.worst) if known else worst(new)
            found[code] = PastSpan(known.since if known else begins, until, health)
    return found


def _joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time, without overlaps."""
    found: list[tuple[float, float]] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def _phase(update: dict[str, Any]) -> str:
    phase = text(table(update).get("status"))
    return phase if phase in PHASES else "resolved" if phase in OVER else ""


def stamp(value: Any) -> datetime.datetime | None:
    """A time in whole seconds of UTC; None when it is none."""
    try:
        found = datetime.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return found.astimezone(datetime.UTC).replace(microsecond=0) if found.tzinfo else found.replace(tzinfo=datetime.UTC)
