"""Incidents, announcements and maintenances as visitors may know them. Operators' names stay here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from crisp_status.core.calendar import FOREVER, past_starts, window
from crisp_status.core.model import Health, TimelineKind
from crisp_status.core.verdict import REASONS
from crisp_status.core.vote import Sight
from crisp_status.view.markdown import MAX_TEXT, markdown
from crisp_status.view.page_view import AffectedNodeView, AnnouncementView, IncidentView, MaintenanceView, UpdateView
from crisp_status.view.sanitize import MAX_LINE, clean, prose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.core.model import AffectedNode, Incident, Reason, State, TimelineEntry
    from crisp_status.core.operator_records import Announcement
    from crisp_status.core.policy import Plan

MAX_VALUE: Final = 24
"""Characters of such a detail."""

MAX_PAST: Final = 200
"""Past windows of announced work that are told."""

MAX_SHOWN: Final = 50
"""Announcements shown at once; the newest win."""


def public_value(reason: Reason) -> str:
    """The detail of a reason, where it cannot betray anything."""
    return clean(reason.value, MAX_VALUE) if REASONS[reason.code].public else ""


class Names:
    """What services and nodes are called, also those that are gone."""

    def __init__(
        self, services: Mapping[str, str], labels: Mapping[str, str], plain: Mapping[str, str] | None = None
    ) -> None:
        """`labels`: of nodes, by key, in the order of the page; `plain`: their names without their service's."""
        self.services = services
        self.labels = labels
        self.plain = plain or labels
        self.order = {key: place for place, key in enumerate(labels)}

    def node(self, key: str) -> str:
        """Of a node; the id of one that is gone."""
        return self.labels.get(key) or clean(key.partition("/")[2])

    def service(self, key: str) -> str:
        """Of the node's service."""
        service = key.partition("/")[0]
        return self.services.get(service) or clean(service)

    def then(self, key: str, incident: Incident) -> tuple[str, str]:
        """Of a node and its service in an incident: recorded when it ended, or before the node was removed."""
        affected = incident.nodes.get(key)
        name, service = self.node(key), self.service(key)
        if affected is None or not affected.name or (key in self.order and not incident.closed_at):
            return name, service
        now = self.plain.get(key) == affected.name
        return name if now else clean(affected.name), clean(affected.service) or service

    def any(self, key: str) -> str:
        """Of what a maintenance names."""
        return self.node(key) if "/" in key else self.service(key)


def names_of(plan: Plan) -> Names:
    """What everything is called now; a name that several nodes have stands with its service's."""
    services = {s.id: clean(s.name) or s.id for s in plan.services}
    plain = {n.key: clean(n.name) or n.id for s in plan.services for n in s.nodes}
    times = Counter(plain.values())
    labels = {
        key: f"{services[key.partition('/')[0]]} {name}" if times[name] > 1 else name for key, name in plain.items()
    }
    return Names(services, labels, plain)


class Incidents:
    """Views of incidents, made again only when the incident changed."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[tuple[Any, ...], IncidentView]] = {}
        self._names: Names | None = None

    def views(self, state: State, names: Names) -> tuple[tuple[IncidentView, ...], tuple[IncidentView, ...]]:
        """All, and those that go on; newest first."""
        if names is not self._names:
            self._made, self._names = {}, names
        going = [self._view(state, i, names) for i in state.open.values() if _public(i)]
        ended = [self._view(state, i, names) for i in state.closed if _public(i)]
        if len(self._made) > 2 * (len(going) + len(ended)) + 100:
            self._made = {i.id: self._made[i.id] for i in (*going, *ended)}
        going.sort(key=_opened, reverse=True)
        return tuple(sorted((*going, *ended), key=_opened, reverse=True)), tuple(going)

    def _view(self, state: State, incident: Incident, names: Names) -> IncidentView:
        line = incident.timeline[-1] if incident.timeline else None
        now = (
            incident.closed_at, incident.opened_at, incident.worst, incident.bad, incident.alerted_at,
            incident.acknowledged_at, len(incident.timeline), incident.dropped, len(incident.nodes), incident.impact,
            incident.record.postmortem,
            line and (line.at, len(line.replicas), line.more, line.text),
        )  # fmt: skip
        made = self._made.get(incident.id)
        if made is not None and made[0] == now and incident.closed_at:
            return made[1]
        view = incident_view(state, incident, names)
        if made is not None and made[1] == view:
            view = made[1]
        self._made[incident.id] = now, view
        return view


def _public(incident: Incident) -> bool:
    """Whether visitors see it: neither struck out nor told by another one."""
    return not incident.record.struck and not incident.record.merged_into


def _opened(incident: IncidentView) -> tuple[float, int]:
    return incident.opened_at, incident.id


def incident_view(state: State, incident: Incident, names: Names) -> IncidentView:
    """One incident."""
    last = len(names.order)
    nodes = sorted(incident.nodes.items(), key=lambda item: (names.order.get(item[0], last), item[0]))
    updates = tuple(_update(state, e, names, incident) for e in sorted(incident.timeline, key=lambda e: e.at))
    return IncidentView(
        id=incident.id,
        opened_at=incident.opened_at,
        seen_at=incident.seen_at,
        closed_at=incident.closed_at,
        updated_at=max([incident.seen_at, incident.closed_at, *(u.at for u in updates)]),
        worst=incident.worst,
        impact=incident.impact,
        alerted_at=incident.alerted_at,
        acknowledged_at=incident.acknowledged_at,
        nodes=tuple(_affected(state, incident, key, affected, names) for key, affected in nodes),
        updates=updates,
        dropped=incident.dropped,
        title=clean(incident.record.title, MAX_LINE),
        postmortem=markdown(incident.record.postmortem) if incident.closed_at else "",
    )


def _affected(state: State, incident: Incident, key: str, affected: AffectedNode, names: Names) -> AffectedNodeView:
    """What the incident says of one node: how it is now, or how it was when that is over."""
    node = state.nodes.get(key)
    if incident.closed_at:
        health, wholly = affected.worst, affected.wholly if affected.began_at else None
    elif affected.well_at:
        health, wholly = Health.HEALTHY, affected.wholly
    else:
        health, wholly = (node.health, node.wholly_dead) if node and node.health.bad else (affected.outage_worst, None)
    name, service = names.then(key, incident)
    return AffectedNodeView(
        key, name, service, affected.worst, affected.since, affected.well_at, affected.dead_at, health, wholly
    )


def _update(state: State, entry: TimelineEntry, names: Names, incident: Incident) -> UpdateView:
    node = state.nodes.get(entry.node)
    words = prose(entry.text, MAX_TEXT) if entry.what is TimelineKind.NOTE else ""
    return UpdateView(
        at=entry.at,
        what=entry.what,
        node=names.then(entry.node, incident)[0] if entry.node else "",
        key=entry.node,
        replicas=tuple(sorted(entry.replicas)),
        more=entry.more,
        total=entry.total or (len(node.replicas) if node else 0),
        code=entry.reason.code,
        value=public_value(entry.reason),
        text=words,
        html=markdown(words) if words else "",
        phase=entry.phase,
        seen_from=tuple(Sight(clean(s.place), s.health) for s in entry.seen_from),
    )


def announcements(state: State, now: float) -> tuple[AnnouncementView, ...]:
    """Words that are shown now, newest first."""
    shown = [
        a
        for a in state.announcements.values()
        if not a.maintenance and (found := _window(a, now, state)) is not None and found[0] <= now
    ]
    shown.sort(key=lambda a: (a.starts_at or a.created_at, a.id), reverse=True)
    return tuple(
        AnnouncementView(
            a.id,
            clean(a.title, MAX_LINE),
            prose(a.text, MAX_TEXT),
            markdown(a.text),
            a.created_at,
            a.starts_at,
            a.expires_at,
        )
        for a in shown[:MAX_SHOWN]
    )


def turns_at(state: State, now: float) -> float:
    """When words appear or go by time alone; infinite: they do not. A maintenance that begins or ends is an event."""
    spans = [_window(a, now, state) for a in state.announcements.values() if not a.maintenance]
    return min((edge for span in spans if span is not None for edge in span if edge > now), default=FOREVER)


def maintenances(state: State, now: float, names: Names) -> tuple[MaintenanceView, ...]:
    """Windows that run, then those that come, by their start."""
    found = []
    for a in state.announcements.values():
        span = _window(a, now, state) if a.maintenance else None
        if span is None:
            continue
        start, end = span
        ends_at = 0.0 if end == FOREVER else end
        view = _work(a, names, start, ends_at)
        found.append(replace(view, running=start <= now, rrule=a.rrule, first_at=a.starts_at if a.rrule else 0.0))
    found.sort(key=lambda m: (not m.running, m.starts_at, m.id))
    return tuple(found[:MAX_SHOWN])


def _work(a: Announcement, names: Names, starts_at: float, ends_at: float) -> MaintenanceView:
    """One window of announced work, not running."""
    return MaintenanceView(
        id=a.id,
        title=clean(a.title, MAX_LINE),
        text=prose(a.text, MAX_TEXT),
        html=markdown(a.text),
        starts_at=starts_at,
        ends_at=ends_at,
        running=False,
        keys=tuple(a.maintenance),
        names=tuple(names.any(key) for key in a.maintenance),
        created_at=a.created_at,
    )


def past_works(state: State, names: Names) -> tuple[MaintenanceView, ...]:
    """Windows that are over, newest first, as long as history is kept. Ended by hand, a window is not known any more."""
    now, plan = state.at, state.plan
    oldest = max(state.ledger.born, now - plan.history_days * 86400.0)
    found = []
    for a in state.announcements.values():
        if not a.maintenance or not a.expires_at:
            continue
        length = a.expires_at - a.starts_at
        starts = past_starts(a.rrule, a.starts_at, plan.timezone, oldest, now) if a.rrule else [a.starts_at]
        known = _work(a, names, 0.0, 0.0)  # its words are the same in every window
        found += [
            replace(known, starts_at=start, ends_at=start + length)
            for start in starts
            if oldest <= start + length <= now
        ]
    found.sort(key=lambda m: (-m.starts_at, m.id))
    return tuple(found[:MAX_PAST])


def _window(announcement: Announcement, now: float, state: State) -> tuple[float, float] | None:
    return window(announcement, now, state.plan.timezone)
