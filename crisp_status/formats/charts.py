"""Small drawings: numbered boxes, response times as inline SVG, and the words that say what a strip of days shows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.model import LATENCY_SLOT_SECONDS, Health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import HistoryView, NodeView, ReplicaView

WIDTH: Final = 960
HEIGHT: Final = 300
"""Units of a chart; it is stretched to the room there is, and its strokes are not."""

POINTS_LEAST: Final = 3
"""Fewer half hours make no curve."""

LINES: Final = 3
"""Parts of the scale."""

_ENDS: Final = (3, 6, 9, 12, 15, 18, 24)
"""Ends of a scale that divide into three parts one can read, times a power of ten."""


class Plot(NamedTuple):
    """Response times of the last day."""

    svg: Markup
    scale: tuple[str, ...]
    """Labels from the top to zero."""
    times: tuple[Markup, ...]
    """Labels from left to right."""
    median: str
    limit: str
    """The time from which an answer is slow, where the chart shows it; else ""."""
    rows: tuple[tuple[Markup, str], ...]
    """The same as a table: when, and how long."""


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


def plot(node: NodeView, now: float, t: Locale) -> Plot | None:
    """Mean response of each half hour of the last day; None: too little is known."""
    means = node.latency
    known = sorted(m for m in means if m)
    if len(known) < POINTS_LEAST:
        return None
    limit = round(node.sick_above * 1000)
    top = _top(max(known))
    if limit <= 2 * top:
        top = max(top, _top(limit))
    step = WIDTH / (len(means) - 1)
    line, area, pen, begun = [], [], "M", 0.0
    for place, mean in enumerate(means):
        x = place * step
        if not mean:
            if pen == "L":
                area.append(f"L{x - step:.0f} {HEIGHT}Z")
            pen = "M"
            continue
        y = HEIGHT - mean / top * HEIGHT
        if pen == "M":
            begun = x
            area.append(f"M{begun:.0f} {HEIGHT}")
        area.append(f"L{x:.0f} {y:.0f}")
        line.append(f"{pen}{x:.0f} {y:.0f}")
        pen = "L"
    if pen == "L":
        area.append(f"L{WIDTH} {HEIGHT}Z")
    slow = ""
    if limit <= top:
        slow = f'<path class="lim sick" d="M0 {HEIGHT - limit / top * HEIGHT:.0f}H{WIDTH}"/>'
    median = t.seconds(known[len(known) // 2] / 1000)
    hours = round(len(means) * LATENCY_SLOT_SECONDS / 3600)
    words = t.ngettext(
        "Response time over the last hour: %(low)s to %(high)s",
        "Response time over the last %(n)s hours: %(low)s to %(high)s",
        hours,
    ) % {"n": hours, "low": t.seconds(known[0] / 1000), "high": t.seconds(known[-1] / 1000)}
    grid = "".join(f"M0 {HEIGHT * n // LINES}H{WIDTH}" for n in range(LINES + 1))
    svg = Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}"><path class="grid" d="{}"/>'
        '<path class="p95" d="{}"/><path class="p50" d="{}"/>{}</svg>'
    ).format(WIDTH, HEIGHT, words, grid, "".join(area), "".join(line), Markup(slow))
    begin = now // LATENCY_SLOT_SECONDS * LATENCY_SLOT_SECONDS - (len(means) - 1) * LATENCY_SLOT_SECONDS
    slots = [begin + place * LATENCY_SLOT_SECONDS for place in range(len(means))]
    return Plot(
        svg,
        tuple(t.seconds(top * (LINES - n) / LINES / 1000) if n < LINES else "0" for n in range(LINES + 1)),
        (
            *(t.time(slots[place], zone=False) for place in (0, 12, 24, 36) if place < len(slots)),
            escape(t.gettext("now")),
        ),
        median,
        t.seconds(node.sick_above) if slow else "",
        tuple((t.time(at), t.seconds(mean / 1000)) for at, mean in zip(slots, means, strict=True) if mean)[::-2],
    )


def _top(value: int) -> int:
    """The end of a scale that `value` fits on, as a number that divides well by three."""
    power = 1
    while True:
        for nice in _ENDS:
            if value <= nice * power:
                return nice * power
        power *= 10


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
