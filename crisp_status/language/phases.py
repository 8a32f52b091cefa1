"""An incident as the steps that other status pages tell: investigating, identified, monitoring, resolved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from markupsafe import Markup, escape

from crisp_status.core.incident_records import TIMELINE
from crisp_status.core.model import Health, TimelineKind
from crisp_status.language import timeline

if TYPE_CHECKING:
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, PageView, UpdateView

Phase = Literal["investigating", "identified", "monitoring", "resolved"]
Status = Literal["operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"]
Impact = Literal["none", "minor", "major", "critical"]

TOGETHER: Final = 60.0
"""Seconds within which lines of one phase are one step: ten nodes that die at once are one piece of news."""

_PARAGRAPHS: Final = re.compile(r"</p>\s*<p>")

MAX_LINES: Final = 20
"""Lines in one step; the page has them all."""


class PhaseChange(NamedTuple):
    """A component that changed."""

    key: str
    name: str
    old: Status
    new: Status


class PhaseUpdate(NamedTuple):
    """What happened at one moment."""

    number: int
    """From 1, in the order of time."""
    at: float
    phase: Phase
    lines: tuple[Markup, ...]
    """Safe HTML."""
    changes: tuple[PhaseChange, ...]
    note: bool = False
    """An operator's words."""

    @property
    def text(self) -> str:
        """As plain text."""
        parts = [Markup(part) for line in self.lines for part in line.split("<br>")]
        return "\n".join(str(part.striptags()) for part in parts)

    @property
    def html(self) -> Markup:
        """As safe HTML."""
        return Markup("<br>").join(self.lines)


def steps(incident: IncidentView, t: Locale) -> tuple[PhaseUpdate, ...]:
    """Oldest first. The last one of an incident that is over is `resolved`."""
    made: list[PhaseUpdate] = []
    was: dict[str, Status] = {}
    phase: Phase = "investigating"
    bad: set[str] = set()
    last = len(incident.updates) - 1
    for place, update in enumerate(incident.updates):
        phase = _phase(phase, update, bad)
        if place == last and incident.closed_at and TIMELINE[update.what].well:
            phase = "resolved"
        changes = _changes(update, was)
        before, note = made[-1] if made else None, update.what is TimelineKind.NOTE
        if before and before.phase == phase and update.at - before.at < TOGETHER and not note and not before.note:
            lines = before.lines if len(before.lines) >= MAX_LINES else (*before.lines, timeline.line(update, t))
            made[-1] = PhaseUpdate(before.number, before.at, phase, lines, before.changes + changes)
        else:
            made.append(
                PhaseUpdate(len(made) + 1, update.at, phase, (_inline(timeline.line(update, t)),), changes, note)
            )
    if incident.closed_at and (not made or made[-1].phase != "resolved"):
        lines = (escape(timeline.headline(incident, t)),)
        made.append(PhaseUpdate(len(made) + 1, incident.closed_at, "resolved", lines, ()))
    if not made:
        made.append(PhaseUpdate(1, incident.opened_at, phase, (escape(timeline.headline(incident, t)),), ()))
    return tuple(made)


def _inline(html: Markup) -> Markup:
    """Paragraphs as lines: a step stands inside a paragraph of others."""
    return Markup(_PARAGRAPHS.sub("<br>", html.strip().removeprefix("<p>").removesuffix("</p>")))


def _phase(phase: Phase, update: UpdateView, bad: set[str]) -> Phase:
    if update.phase:
        return cast("Phase", update.phase)
    if update.what in {TimelineKind.DEAD, TimelineKind.SICK}:
        bad.add(update.key)
        return "investigating" if phase == "monitoring" else phase
    if update.what is TimelineKind.ACKNOWLEDGED:
        return "identified"
    if TIMELINE[update.what].well:
        if len(update.replicas) + update.more >= update.total:
            bad.discard(update.key)
        return phase if bad else "monitoring"
    return phase


def _changes(update: UpdateView, was: dict[str, Status]) -> tuple[PhaseChange, ...]:
    count = len(update.replicas) + update.more
    new: Status
    if update.what is TimelineKind.DEAD:
        new = "partial_outage" if count < update.total else "major_outage"
    elif update.what is TimelineKind.SICK:
        new = "degraded_performance"
    elif TIMELINE[update.what].well:
        new = "operational"
    else:
        return ()
    old = was.get(update.key, "operational")
    was[update.key] = new
    return (PhaseChange(update.key, update.node, old, new),) if new != old else ()


def phase_now(incident: IncidentView, t: Locale) -> Phase:
    """Where the incident stands."""
    return steps(incident, t)[-1].phase


def impact(incident: IncidentView, view: PageView) -> Impact:
    """How bad it was at its worst moment."""
    if incident.impact:
        return cast("Impact", incident.impact.name.lower())
    if incident.worst is not Health.DEAD:
        return "minor"
    dead = {h.key for h in incident.nodes if h.worst is Health.DEAD}
    return "critical" if len(view.nodes) > 1 and dead >= set(view.nodes) else "major"
