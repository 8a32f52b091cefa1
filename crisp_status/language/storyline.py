"""The lines of an incident as they are shown: newest first, facts of one minute, kind and reason as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from markupsafe import Markup, escape

from crisp_status.core.incident_records import TIMELINE, TimelineKind
from crisp_status.core.verdict import LOAD
from crisp_status.language import timeline
from crisp_status.language.headline import LETTERS_SHOWN, NAMES_SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, Look, UpdateView

LINES_SHOWN: Final = 5
"""Lines of an incident on the first page."""

NOTES_SHOWN: Final = 2
"""Of these, words of the operator at most."""


class Line(NamedTuple):
    """One line."""

    at: float
    icon: str
    html: Markup
    note: int = 0
    """Number of the operator's update, from 1, for its address; 0: a fact."""
    state: str = ""
    """Of an update: `Identified`."""
    author: str = ""
    """Of an update: who wrote it, as visitors may know."""
    look: Look = "dead"
    """Colour of the state."""


def lines(incident: IncidentView, t: Locale) -> list[Line]:
    """All of them, newest first."""
    groups: dict[tuple[object, ...], list[UpdateView]] = {}
    for place, update in enumerate(incident.updates):
        key: tuple[object, ...] = (place,)
        if TIMELINE[update.what].merges:
            key = int(update.at // 60), update.what, timeline.kind(update), update.value
        groups.setdefault(key, []).append(update)
    services = {hurt.key: hurt.service for hurt in incident.nodes}
    made, notes = [], 0
    for group in groups.values():
        first = group[0]
        if first.what is TimelineKind.NOTE:
            notes += 1
            made.append(_note(first, notes, t))
        else:
            made.append(Line(first.at, timeline.icon(first), _fact(group, services, t)))
    made.reverse()
    made.sort(key=lambda line: -line.at)
    return made


def shortest(incident: IncidentView, t: Locale) -> tuple[list[Line], int]:
    """The lines for the first page, and how many there are in all: the operator's last words, and how it began."""
    every = lines(incident, t)
    if len(every) <= LINES_SHOWN:
        return every, len(every)
    notes = [line for line in every if line.note][:NOTES_SHOWN]
    facts = [line for line in every if not line.note]
    first = facts[-1:]
    chosen = [*notes, *facts[: LINES_SHOWN - len(notes) - len(first)], *first]
    return [line for line in every if any(line is one for one in chosen)], len(every)


def state(word: str, t: Locale) -> str:
    """The word for a state that an operator gave to an incident; "" for none."""
    return {
        "investigating": t.gettext("Investigating"),
        "identified": t.gettext("Identified"),
        "monitoring": t.gettext("Monitoring"),
        "resolved": t.gettext("Resolved"),
    }.get(word, "")


class Step(NamedTuple):
    """One state of an incident, in the order that they come in."""

    name: str
    at: float
    """When it was reached; 0: not yet, or it was left out."""
    done: bool
    current: bool


def stepper(incident: IncidentView, t: Locale) -> list[Step]:
    """Investigating, identified, monitoring, resolved: by the operators' own words, the last one by the facts."""
    times: dict[str, float] = {}
    for update in incident.updates:
        if update.phase:
            times.setdefault(update.phase, update.at)
    human = [u.at for u in incident.updates if u.what in {TimelineKind.ACKNOWLEDGED, TimelineKind.NOTE}]
    begun = min([*human, *([incident.alerted_at] if incident.alerted_at else [])], default=0.0)
    if begun:
        times["investigating"] = min(begun, times.get("investigating", begun))
    if incident.closed_at:
        times["resolved"] = incident.closed_at
    else:
        times.pop("resolved", None)
    order = ("investigating", "identified", "monitoring", "resolved")
    reached = max((place for place, word in enumerate(order) if word in times), default=-1)
    return [
        Step(state(word, t), times.get(word, 0.0), place <= reached, place == reached)
        for place, word in enumerate(order)
    ]


def _note(update: UpdateView, number: int, t: Locale) -> Line:
    well: Look = "ok" if update.phase in {"monitoring", "resolved"} else "dead"
    return Line(update.at, "say", Markup(update.html), number, state(update.phase, t), update.author, well)


def _fact(group: Sequence[UpdateView], services: dict[str, str], t: Locale) -> Markup:
    first = group[0]
    nodes = {update.key: update.node for update in group}
    count = sum(max(1, len(update.replicas) + update.more) for update in group)
    if len(nodes) == 1:
        replicas = tuple(sorted({n for update in group for n in update.replicas}))
        more = sum(update.more for update in group)
        alike = all(update.seen_from == first.seen_from for update in group)
        seen_from = first.seen_from if alike else ()
        return timeline.line(msgspec.structs.replace(first, replicas=replicas, more=more, seen_from=seen_from), t)
    names = list(nodes.values())
    short = len(names) <= NAMES_SHOWN and sum(map(len, names)) <= LETTERS_SHOWN
    if short:
        who, n = names, count
    else:
        who, n = list(dict.fromkeys(services.get(key, "") for key in nodes)), len(nodes)
    node = t.listing(Markup("<bdi>{}</bdi>").format(name) for name in who)
    if len(who) > NAMES_SHOWN:
        node = escape(t.ngettext("%(n)s service", "%(n)s services", len(who)) % {"n": len(who)})
    words = _replicas(first, n, t) if short else _nodes(first, n, t)
    return Markup(escape(words)) % {"node": node, "n": n, "value": first.value}


def _replicas(update: UpdateView, n: int, t: Locale) -> str:
    kind = timeline.kind(update)
    if kind == "mute":
        return t.ngettext("%(node)s: %(n)s replica stopped answering", "%(node)s: %(n)s replicas stopped answering", n)
    if kind == "error":
        return t.ngettext(
            "%(node)s: %(n)s replica began to answer with error %(value)s",
            "%(node)s: %(n)s replicas began to answer with error %(value)s",
            n,
        )
    return timeline.many(update, n, t)


def _nodes(update: UpdateView, n: int, t: Locale) -> str:
    kind = timeline.kind(update)
    if update.what is TimelineKind.HEALTHY:
        return t.ngettext("%(node)s: %(n)s node is healthy again", "%(node)s: %(n)s nodes are healthy again", n)
    if kind == "error":
        return t.ngettext(
            "%(node)s: %(n)s node began to answer with error %(value)s",
            "%(node)s: %(n)s nodes began to answer with error %(value)s",
            n,
        )
    if kind == "mute":
        return t.ngettext("%(node)s: %(n)s node stopped answering", "%(node)s: %(n)s nodes stopped answering", n)
    if update.what is TimelineKind.DEAD:
        return t.ngettext("%(node)s: %(n)s node stopped working", "%(node)s: %(n)s nodes stopped working", n)
    if update.code in LOAD:
        return t.ngettext("%(node)s: %(n)s node became overloaded", "%(node)s: %(n)s nodes became overloaded", n)
    if kind == "slow":
        return t.ngettext("%(node)s: %(n)s node became slow", "%(node)s: %(n)s nodes became slow", n)
    return t.ngettext("%(node)s: %(n)s node needs attention", "%(node)s: %(n)s nodes need attention", n)
