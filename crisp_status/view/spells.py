"""When what was dead or sick: stretches of time, found again from the lines of incidents.

The state keeps sums of days and lines of incidents. A line names at most so many replicas; those beyond are taken to be
well when the incident says that their node is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status.core.incident_records import TIMELINE
from crisp_status.core.model import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crisp_status.view.page_view import AffectedNodeView, IncidentView, Look, PageView

NAMELESS: Final = 0
"""Stands for replicas that a line does not number."""

_LOOKS: Final[dict[str, Look]] = {"dead": "dead", "sick": "sick"}


class Spell(NamedTuple):
    """A stretch of bad health."""

    start: float
    end: float
    look: Look
    over: bool = True


class Track(NamedTuple):
    """One replica of one node, within one incident."""

    key: str
    number: int
    """`NAMELESS`: replicas without a number, or the whole node."""
    spells: tuple[Spell, ...]


def tracks(incident: IncidentView, now: float) -> list[Track]:
    """Every replica that the incident names, in the order of its nodes."""
    found = []
    for hurt in incident.nodes:
        states: dict[int, list[tuple[float, str]]] = {}
        for update in incident.updates:
            if update.key != hurt.key or not TIMELINE[update.what].replicas:
                continue
            for number in update.replicas or (NAMELESS,):
                states.setdefault(number, []).append((update.at, update.what))
        if not states:
            states[NAMELESS] = [(hurt.since, "dead" if hurt.worst is Health.DEAD else "sick")]
        end = hurt.until or incident.closed_at
        found += [
            Track(hurt.key, number, tuple(_spells(changes, end, now))) for number, changes in sorted(states.items())
        ]
    return found


def _spells(changes: Sequence[tuple[float, str]], end: float, now: float) -> Iterable[Spell]:
    begun, look = 0.0, ""
    for at, what in changes:
        if look and at > begun:
            yield Spell(begun, at, _LOOKS[look])
        begun, look = at, what if what in _LOOKS else ""
    if look:
        yield Spell(begun, end or now, _LOOKS[look], over=bool(end))


def worst(spells: Iterable[Spell]) -> list[Spell]:
    """The worst at each moment, as stretches that do not touch."""
    every = list(spells)
    edges = sorted({edge for spell in every for edge in (spell.start, spell.end)})
    merged: list[Spell] = []
    for start, end in pairwise(edges):
        inside = [s for s in every if s.start <= start and s.end >= end]
        if not inside:
            continue
        look: Look = "dead" if any(s.look == "dead" for s in inside) else "sick"
        over = all(s.over or s.end > end for s in inside)
        if merged and merged[-1].end == start and merged[-1].look == look:
            merged[-1] = Spell(merged[-1].start, end, look, over)
        else:
            merged.append(Spell(start, end, look, over))
    return merged


def of_node(hurt: AffectedNodeView, incident: IncidentView, now: float) -> list[Spell]:
    """When one node of an incident was bad."""
    return worst(s for track in tracks(incident, now) if track.key == hurt.key for s in track.spells)


def between(view: PageView, start: float, end: float) -> dict[str, list[Spell]]:
    """By node: its bad stretches within a time, cut to it, oldest first."""
    found: dict[str, list[Spell]] = {}
    for incident in view.incidents:
        if incident.opened_at >= end or (incident.closed_at and incident.closed_at <= start):
            continue
        for track in tracks(incident, view.at):
            for spell in track.spells:
                if spell.start < end and spell.end > start:
                    cut = Spell(max(spell.start, start), min(spell.end, end), spell.look, spell.over or spell.end > end)
                    found.setdefault(track.key, []).append(cut)
    return {key: worst(spells) for key, spells in found.items()}


def seconds(spells: Iterable[Spell], look: Look) -> float:
    """How long in all."""
    return sum(s.end - s.start for s in spells if s.look == look)
