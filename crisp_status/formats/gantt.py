"""Stretches of time as inline SVG: the hours of a day, and an incident minute by minute. Both say in words what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.view import spells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, PageView
    from crisp_status.view.spells import Spell

WIDTH: Final = 1440.0
"""Units of a whole bar; a day has as many minutes."""

LEAST: Final = 4.0
"""Units of the shortest stretch, so that it can be seen."""

ROWS_SHOWN: Final = 24
"""Replicas in the drawing of an incident; with more there is one bar a node, and of these so many."""

_STEPS: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
_TICKS: Final = 5


class GanttRow(NamedTuple):
    """One bar of an incident."""

    name: Markup
    bar: Markup


class Drawing(NamedTuple):
    """An incident minute by minute."""

    rows: tuple[GanttRow, ...]
    more: int
    """Rows that are not shown."""
    axis: tuple[Markup, ...]
    start: float
    end: float


def bar(stretches: Iterable[Spell], start: float, end: float, t: Locale, css: str, name: str = "") -> Markup:
    """`css`: the classes; `name`: what it is of, for those who do not see it."""
    length = max(1.0, end - start)
    rects = []
    told = []
    for spell in stretches:
        x = (spell.start - start) / length * WIDTH
        width = max(LEAST, (spell.end - spell.start) / length * WIDTH)
        high = "10" if spell.look == "dead" else '10" y="4'
        rects.append(
            f'<rect class="{spell.look}" x="{min(x, WIDTH - LEAST):.0f}" width="{width:.0f}" height="{high}"/>'
        )
        told.append(spell_text(spell, t).striptags())
    said = t.pgettext("between items of a list", ", ").join(told) or t.pgettext("days", "all healthy")
    label = t.labelled(name, said) if name else said
    return Markup(
        '<svg class="{}" viewBox="0 0 {:.0f} 10" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(css, WIDTH, label, Markup("".join(rects)))


def spell_text(spell: Spell, t: Locale, *, slow: bool = False) -> Markup:
    """`Down 09:14 to 09:26 UTC`; `slow`: what was sick was slow, and nothing else."""
    values = {"start": t.time(spell.start, zone=not spell.over), "end": t.time(spell.end)}
    if spell.look == "dead":
        text = t.gettext("Down %(start)s to %(end)s") if spell.over else t.gettext("Down since %(start)s")
    elif slow:
        text = t.gettext("Slow %(start)s to %(end)s") if spell.over else t.gettext("Slow since %(start)s")
    else:
        text = t.gettext("Sick %(start)s to %(end)s") if spell.over else t.gettext("Sick since %(start)s")
    return Markup(escape(text)) % values


def drawing(incident: IncidentView, view: PageView, t: Locale) -> Drawing:
    """Every replica's bar, and one for all of them."""
    tracks = [track for track in spells.tracks(incident, view.at) if track.spells]
    end = incident.closed_at or view.at
    step = next((s for s in _STEPS if (end - incident.opened_at) / s <= _TICKS - 1), _STEPS[-1])
    offset = t.local(incident.opened_at).utcoffset()
    shift = offset.total_seconds() if offset else 0.0
    start = (incident.opened_at + shift) // step * step - shift
    last = end if not incident.closed_at else -(-(end + shift) // step) * step - shift
    last = max(last, start + step)
    names = {hurt.key: hurt.name for hurt in incident.nodes}
    lines = [(track.key, track.number, list(track.spells)) for track in tracks]
    if len(lines) > ROWS_SHOWN:
        lines = [(hurt.key, spells.NAMELESS, spells.of_node(hurt, incident, view.at)) for hurt in incident.nodes]
    rows = []
    if len(lines) > 1:
        every = spells.worst(spell for track in tracks for spell in track.spells)
        rows.append(GanttRow(escape(t.gettext("All")), bar(every, start, last, t, "ok", t.gettext("All"))))
    for key, number, stretches in lines[:ROWS_SHOWN]:
        name = names.get(key, "")
        if number:
            name = t.gettext("%(node)s, replica %(n)s") % {"node": name, "n": number}
        rows.append(GanttRow(Markup("<bdi>{}</bdi>").format(name), bar(stretches, start, last, t, "ok", name)))
    return Drawing(tuple(rows), max(0, len(lines) - ROWS_SHOWN), _axis(start, last, step, incident, t), start, last)


def _axis(start: float, end: float, step: float, incident: IncidentView, t: Locale) -> tuple[Markup, ...]:
    """Moments at even distances; days where hours would say nothing."""

    def label(at: float) -> Markup:
        return escape(t.date(at, short=True) if step >= 86400 else t.clock(at))

    count = round((end - start) / step)
    if not incident.closed_at:
        # The last moment is now, wherever it is.
        quarters = [label(start + (end - start) * n / 4) for n in range(4)]
        return (*dict.fromkeys(quarters), escape(t.gettext("now")))
    return tuple(label(start + n * step) for n in range(count + 1))


def total(stretches: Sequence[Spell], look: str) -> float:
    """Seconds of a look in all."""
    return sum(s.end - s.start for s in stretches if s.look == look)
