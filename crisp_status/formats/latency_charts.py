"""Response times of a node: as a chart (inline SVG, no script), as JSON and as CSV. From 24 hours to 90 days."""

from __future__ import annotations

import csv
import io
from statistics import median_low
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.latency import LONG_SECONDS, LONG_SLOTS, SHORT_SECONDS, SHORT_SLOTS, unscaled
from crisp_status.formats.statuspage import iso
from crisp_status.view import spells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import NodeView, PageView

WIDTH: Final = 960
HEIGHT: Final = 300
"""Units of a chart; it is stretched to the room there is, and its strokes are not."""

POINTS_LEAST: Final = 3
"""Fewer make no curve."""

REPLICAS_MAX: Final = 100
"""Replicas of a node that a chart is made of."""

LINES: Final = 3
"""Parts of the scale."""

ROWS: Final = 24
"""Lines of the table, at most."""

_ENDS: Final = (3, 6, 9, 12, 15, 18, 24)
"""Ends of a scale that divide into three parts one can read, times a power of ten."""


class ChartPeriod(NamedTuple):
    """How far back, in slots of which length; so many of them are one point of the chart."""

    slot_seconds: int
    slots: int
    merged: int
    days: int


PERIODS: Final = {
    "24h": ChartPeriod(SHORT_SECONDS, SHORT_SLOTS, 3, 0),
    "7d": ChartPeriod(LONG_SECONDS, 28, 1, 7),
    "30d": ChartPeriod(LONG_SECONDS, 120, 1, 30),
    "90d": ChartPeriod(LONG_SECONDS, LONG_SLOTS, 3, 90),
}
"""By what stands in `?last=`: at most 120 points each."""

DEFAULT: Final = "24h"


class Point(NamedTuple):
    """One point of time: milliseconds, 0 where nothing is known."""

    at: float
    median: int
    high: int
    """95 of 100 answers came within that."""


class LatencyPlot(NamedTuple):
    """A chart and what stands around it."""

    svg: Markup
    scale: tuple[str, ...]
    """Labels from the top to zero."""
    times: tuple[Markup, ...]
    """Labels from left to right."""
    median: str
    high: str
    limit: str
    """The time from which an answer is slow, where the chart shows it; else ""."""
    outages: bool
    """Whether any are shaded."""
    rows: tuple[tuple[Markup, str, str], ...]
    """The same as a table: when, median, 95th percentile."""


def points(node: NodeView, last: str, now: float, *, merged: bool = True) -> list[Point]:
    """Oldest first: of each slot the median of the replicas' medians, and the highest of their 95th percentiles."""
    period = PERIODS[last]
    group = period.merged if merged else 1
    if period.slot_seconds == SHORT_SECONDS:
        series, newest = node.latency.short[:REPLICAS_MAX], node.latency.short_slot
    else:
        series, newest = node.latency.long[:REPLICAS_MAX], node.latency.long_slot
    end = -(-int(now // period.slot_seconds) // group) * group
    made = []
    for begin in range(end - period.slots, end, group):
        medians, highs = [], []
        for slot in range(begin, begin + group):
            known = [pair for one in series if (pair := _pair(one, newest - slot)) is not None]
            if known:
                medians.append(unscaled(median_low([pair[0] for pair in known])))
                highs.append(unscaled(max(pair[1] for pair in known)))
        at = float(begin * period.slot_seconds)
        made.append(Point(at, median_low(medians), max(highs)) if medians else Point(at, 0, 0))
    return made


def _pair(kept: bytes, back: int) -> tuple[int, int] | None:
    """The two bytes of a slot that is `back` slots before the newest; None: nothing is known of it."""
    place = len(kept) - 2 * (back + 1)
    return (kept[place], kept[place + 1]) if back >= 0 and place >= 0 and kept[place] else None


def plot(view: PageView, node: NodeView, last: str, t: Locale) -> LatencyPlot | None:
    """The chart of a period; None: too little is known."""
    found = points(node, last, view.at)
    known = sorted(point.median for point in found if point.median)
    if len(known) < POINTS_LEAST:
        return None
    highs = sorted(point.high for point in found if point.high)
    limit = round(node.sick_above * 1000)
    top = _top(highs[-1])
    if limit <= 2 * top:
        top = max(top, _top(limit))
    slow = limit <= top
    shaded = _outages(view, node, found)
    typical, high = t.seconds(known[len(known) // 2] / 1000), t.seconds(highs[len(highs) // 2] / 1000)
    return LatencyPlot(
        _svg(found, top, limit if slow else 0, shaded, _label(typical, high, t)),
        tuple(t.seconds(top * (LINES - n) / LINES / 1000) if n < LINES else "0" for n in range(LINES + 1)),
        (*(_when(found[len(found) * n // 4].at, last, t) for n in range(4)), escape(t.gettext("now"))),
        typical,
        high,
        t.seconds(node.sick_above) if slow else "",
        bool(shaded),
        _rows(found, last, t),
    )


def _label(typical: str, high: str, t: Locale) -> str:
    """What it shows, in words."""
    said = (
        t.gettext("Mostly %(time)s") % {"time": typical},
        t.gettext("95 of 100 answers within %(time)s") % {"time": high},
    )
    return t.pgettext("label and value", "%(label)s: %(value)s") % {
        "label": t.gettext("Response time"),
        "value": t.pgettext("between items of a list", ", ").join(said),
    }


def _svg(found: Sequence[Point], top: int, limit: int, shaded: str, label: str) -> Markup:
    """`limit`: where the line of slow answers is; 0: it is not shown."""
    grid = "".join(f"M0 {HEIGHT * n // LINES}H{WIDTH}" for n in range(LINES + 1))
    slow = f'<path class="lim sick" d="M0 {HEIGHT - limit / top * HEIGHT:.0f}H{WIDTH}"/>' if limit else ""
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}"><path class="grid" d="{}"/>'
        '{}<path class="p95" d="{}"/><path class="p50" d="{}"/>{}</svg>'
    ).format(
        WIDTH,
        HEIGHT,
        label,
        grid,
        Markup(f'<g class="dead">{shaded}</g>' if shaded else ""),
        _area(found, top),
        _line(found, top),
        Markup(slow),
    )


def _rows(found: Sequence[Point], last: str, t: Locale) -> tuple[tuple[Markup, str, str], ...]:
    kept = [point for point in found if point.median][::-1]
    step = -(-len(kept) // ROWS)
    return tuple(
        (_when(p.at, last, t, exact=True), t.seconds(p.median / 1000), t.seconds(p.high / 1000)) for p in kept[::step]
    )


def _when(at: float, last: str, t: Locale, *, exact: bool = False) -> Markup:
    if last == DEFAULT:
        return t.time(at, zone=exact)
    day = Markup("{}").format(t.date(at, short=True))
    return Markup("{} {}").format(day, t.time(at, zone=False)) if exact and last == "7d" else day


def _xy(found: Sequence[Point], place: int, value: int, top: int) -> str:
    return f"{place * WIDTH / (len(found) - 1):.0f} {HEIGHT - min(value, top) / top * HEIGHT:.0f}"


def _line(found: Sequence[Point], top: int) -> str:
    """The medians; broken where nothing is known."""
    made, pen = [], "M"
    for place, point in enumerate(found):
        if point.median:
            made.append(pen + _xy(found, place, point.median, top))
        pen = "L" if point.median else "M"
    return "".join(made)


def _area(found: Sequence[Point], top: int) -> str:
    """Below the 95th percentile."""
    made, before = [], -1
    for place, point in enumerate(found):
        if point.high:
            if before < 0:
                made.append("M" + _xy(found, place, 0, top))
            made.append("L" + _xy(found, place, point.high, top))
        elif before >= 0:
            made.append("L" + _xy(found, before, 0, top) + "Z")
        before = place if point.high else -1
    if before >= 0:
        made.append("L" + _xy(found, before, 0, top) + "Z")
    return "".join(made)


def _outages(view: PageView, node: NodeView, found: Sequence[Point]) -> str:
    start, end = found[0].at, view.at
    width = WIDTH / (end - start)
    return "".join(
        f'<rect class="out" x="{(s.start - start) * width:.0f}" width="{max(2.0, (s.end - s.start) * width):.0f}" height="{HEIGHT}"/>'
        for s in spells.between(view, start, end).get(node.key, [])
        if s.look == "dead"
    )


def _top(value: int) -> int:
    """The end of a scale that `value` fits on, as a number that divides well by three."""
    power = 1
    while True:
        for nice in _ENDS:
            if value <= nice * power:
                return nice * power
        power *= 10


def as_json(view: PageView, node: NodeView, last: str) -> dict[str, Any]:
    """For programs: every slot of the period; null is nothing known."""
    return {
        "node": node.key,
        "last": last,
        "slot_seconds": PERIODS[last].slot_seconds,
        "unit": "milliseconds",
        "points": [
            {"at": iso(p.at), "median": p.median or None, "p95": p.high or None}
            for p in points(node, last, view.at, merged=False)
        ],
    }


def as_csv(view: PageView, node: NodeView, last: str) -> str:
    """For spreadsheets."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("at", "median_ms", "p95_ms"))
    for point in points(node, last, view.at, merged=False):
        writer.writerow((iso(point.at), point.median or "", point.high or ""))
    return file.getvalue()
