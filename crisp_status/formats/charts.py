"""Two small drawings as inline SVG: the strip of days, and the latency of the last day. Both say in words what they show."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from crisp_status.core.model import LATENCY_SLOT_SECONDS, Health
from crisp_status.view.page_view import STRIP_DAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import DayView, HistoryView, ReplicaView

PITCH: Final = 3
"""Units from one bar to the next; a bar is two wide and 9 (healthy) to 32 (dead) high."""

WIDTH: Final = STRIP_DAYS * PITCH
HEIGHT: Final = 32

_BARS: Final = {"sick": "V14", "dead": "V0", "work": "v-9m0-3v-3m0-3v-3"}

POINTS_LEAST: Final = 3
"""Fewer half hours make no curve."""


@lru_cache(maxsize=256)
def baseline(blank: tuple[int, ...]) -> str:
    """Path of the low bars of a whole strip: healthy ones, with the blank days left out."""
    return _path([i for i in range(STRIP_DAYS) if i not in set(blank)], 9)


@lru_cache(maxsize=256)
def _blanks(blank: tuple[int, ...]) -> str:
    return _path(blank, 3)


def _path(places: list[int] | tuple[int, ...], height: int) -> str:
    if not places:
        return ""
    parts = [f"M{places[0] * PITCH + 1} {HEIGHT}v-{height}"]
    parts += [f"m{(b - a) * PITCH} {height}v-{height}" for a, b in pairwise(places)]
    return "".join(parts)


def strip(
    history: HistoryView, shared: tuple[int, ...], axis: tuple[str, ...], t: Locale, *, define: bool = False
) -> Markup:
    """The last 90 days. `shared`: the blank days for which the page's own strip defines the low bars once, as `#d90`."""
    if not history.observed:
        base = f'<path class="pend" d="{_blanks(tuple(range(STRIP_DAYS)))}"/>'
    elif history.blank == shared and not define:
        base = '<use href="#d90"/>'
    else:
        base = f'<path class="pend" d="{_blanks(history.blank)}"/>' if history.blank else ""
        name = ' id="d90"' if define else ""
        base += f'<path{name} d="{baseline(history.blank)}"/>'
    bars = Markup("").join(
        Markup('<path class="{}" d="M{} {}{}"><title>{}</title></path>').format(
            day.look, day.index * PITCH + 1, HEIGHT, _BARS[day.look], day_words(day, axis, t)
        )
        for day in history.days
        if day.look in _BARS
    )
    return Markup(
        '<svg class="days ok" viewBox="0 0 {} {}" preserveAspectRatio="none" shape-rendering="crispEdges" role="img"'
        ' aria-label="{}">{}{}</svg>'
    ).format(WIDTH, HEIGHT, label(history, t), Markup(base), bars)


def label(history: HistoryView, t: Locale) -> str:
    """What the strip shows, in words: `Last 90 days: 2 slow, 1 with an outage`."""
    if not history.observed:
        return t.gettext("No history yet")
    looks = [d.look for d in history.days]
    dead, sick, work = looks.count("dead"), looks.count("sick"), looks.count("work")
    parts = [
        t.npgettext("days", "%(n)s with an outage", "%(n)s with an outage", dead) % {"n": dead} if dead else "",
        t.npgettext("days", "%(n)s sick", "%(n)s sick", sick) % {"n": sick} if sick else "",
        t.npgettext("days", "%(n)s with maintenance", "%(n)s with maintenance", work) % {"n": work} if work else "",
    ]
    listed = t.pgettext("between items of a list", ", ").join(p for p in parts if p)
    values = {"n": history.observed, "list": listed or t.pgettext("days", "all healthy")}
    return t.ngettext("Last %(n)s day: %(list)s", "Last %(n)s days: %(list)s", history.observed) % values


def day_words(day: DayView, axis: tuple[str, ...], t: Locale) -> str:
    """One day in words: `8 Nov: down for 12 min`."""
    when = t.gettext("Today") if day.index == STRIP_DAYS - 1 else t.date(axis[day.index], short=True)
    return t.pgettext("day", "%(date)s: %(what)s") % {"date": when, "what": what(day, t)}


def what(day: DayView, t: Locale) -> str:
    """What happened on a day, without its date: `down for 12 min`, `sick for 31 min`."""
    if day.look == "dead":
        return t.gettext("down for %(time)s") % {"time": t.brief(day.dead)}
    if day.look == "sick":
        return t.gettext("sick for %(time)s") % {"time": t.brief(day.sick)}
    if day.look == "work":
        return t.gettext("announced work for %(time)s") % {"time": t.brief(day.maintenance)}
    return t.gettext("no data")


def latency(means: tuple[int, ...], t: Locale) -> Markup:
    """The last day's mean response per half hour as a curve with its range in words; empty when too little is known."""
    seen = [m for m in means if m]
    if len(seen) < POINTS_LEAST:
        return Markup()
    low, high = min(seen), max(seen)
    top = max(high * 1.1, low + 5)
    step = WIDTH / (len(means) - 1)
    path, pen = [], "M"
    for place, mean in enumerate(means):
        if not mean:
            pen = "M"
            continue
        path.append(f"{pen}{place * step:.0f} {HEIGHT - 1 - mean / top * (HEIGHT - 2):.1f}")
        pen = "L"
    hours = round(len(means) * LATENCY_SLOT_SECONDS / 3600)
    words = t.ngettext(
        "Response time over the last hour: %(low)s to %(high)s",
        "Response time over the last %(n)s hours: %(low)s to %(high)s",
        hours,
    ) % {"n": hours, "low": t.seconds(low / 1000), "high": t.seconds(high / 1000)}
    return Markup(
        '<figure class="m"><svg class="lat" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<path d="{}"/></svg><figcaption>{}</figcaption></figure>'
    ).format(WIDTH, HEIGHT, "".join(path), words)


def boxes(replicas: Sequence[ReplicaView], look: str) -> Markup:
    """The numbered boxes of a row. Most rows have the same few, so that they are made once."""
    return _boxes(tuple([(replica.number, replica.health) for replica in replicas]), look == "work")


@lru_cache(maxsize=4096)
def _boxes(replicas: tuple[tuple[int, Health], ...], working: bool) -> Markup:
    made = []
    for number, health in replicas:
        look = " work" if working else ("", " sick", " dead", " pend")[health - 1]
        made.append(
            f'<span class="css-home-services-group-node-replica{look}" data-status="{health.word}">{number}</span>'
        )
    return Markup("".join(made))
