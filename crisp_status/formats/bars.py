"""The bars of ninety days, or of a month: each a link to its day, with a card for those that were not simply healthy."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from crisp_status.formats import charts
from crisp_status.language.locale import capital

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.language.troubles import DayLine
    from crisp_status.view.page_view import DayView, HistoryView

KEPT: Final = 64
"""Healthy strips that are remembered: most rows of a page have the same one."""

_BLANK: Final = Markup('<span class="pend"></span>')


def strip(
    label: str,
    history: HistoryView,
    axis: tuple[str, ...],
    told: Callable[[DayView], Sequence[DayLine]],
    base: str,
    t: Locale,
    today: str = "",
) -> Markup:
    """`told`: what is said of a day that was not simply healthy; `today`: the running day, if it is not the last."""
    bad = [day for day in history.days if day.look != "pend"]
    if not bad:
        inner = _calm(axis, history.blank, base, t)
    else:
        bars = list(_plain(axis, base, t))
        for index in history.blank:
            bars[index] = _BLANK
        for day in bad:
            bars[day.index] = _bar(
                day, axis[day.index], told(day), base, t, today=axis[day.index] == (today or axis[-1])
            )
        inner = Markup("").join(bars)
    return Markup('<div class="days ok" role="group" aria-label="{}">{}</div>').format(label, inner)


def named(name: str, history: HistoryView, t: Locale) -> str:
    """The label of a strip: `Search, last 90 days: 3 sick`."""
    comma = t.pgettext("between items of a list", ", ")
    return f"{name}{comma}{charts.label(history, t)}"


@lru_cache(KEPT)
def _calm(axis: tuple[str, ...], blank: tuple[int, ...], base: str, t: Locale) -> Markup:
    bars = list(_plain(axis, base, t))
    for index in blank:
        bars[index] = _BLANK
    return Markup("").join(bars)


@lru_cache(KEPT)
def _plain(axis: tuple[str, ...], base: str, t: Locale) -> tuple[Markup, ...]:
    return tuple(
        Markup('<a href="{}day/{}" title="{}" tabindex="-1" aria-hidden="true"></a>').format(
            base, day, t.date(day, short=True)
        )
        for day in axis
    )


def _bar(day: DayView, date: str, told: Sequence[DayLine], base: str, t: Locale, *, today: bool) -> Markup:
    head = capital(t.date(date, weekday=True))
    if today:
        head = t.pgettext("day", "Today, %(date)s") % {"date": head}
    lines = Markup("").join(Markup('<span class="{}">{}</span>').format(s.look, s.words) for s in told)
    return Markup(
        '\n<a class="{}" href="{}day/{}" tabindex="-1" aria-hidden="true"><span class="card"><b>{}</b>{}<em>{}</em></span></a>'
    ).format(day.look, base, date, head, lines, t.gettext("See the whole day"))


def caption(history: HistoryView, axis: tuple[str, ...], t: Locale, since: float = 0.0) -> Markup:
    """What stands under the strip of the page: its first day, the uptime, today. Narrow screens show fewer days.

    `since`: when a page began that has nothing but its first day.
    """
    uptime = t.percent(history.uptime)
    if t.direction == "rtl":
        figure = Markup("<bdi><b>{}</b></bdi>").format(uptime)
    else:
        figure = Markup("<b>{}</b>").format(uptime)
    first = next((i for i in range(len(axis)) if i not in set(history.blank)), len(axis) - 1)
    if first > 0:
        when = t.moment(since, axis[-1]) if since else escape(t.date(axis[first], short=True))
        begin = Markup("<span>{}</span>").format(Markup(escape(t.gettext("Watching since %(date)s"))) % {"date": when})
        middle = figure
    else:
        begin = Markup("").join(
            Markup('<span class="c{}">{}</span>').format(n, t.date(axis[-n], short=True)) for n in (90, 60, 30)
        )
        n = len(axis)
        words = t.ngettext("%(percent)s in %(n)s day", "%(percent)s in %(n)s days", n)
        middle = Markup("<span>{}</span>").format(Markup(escape(words)) % {"percent": figure, "n": n})
    return Markup('<p class="cap m">{}{}<span>{}</span></p>').format(begin, middle, t.gettext("Today"))


def in_words(
    history: HistoryView,
    axis: tuple[str, ...],
    told: Callable[[DayView], Sequence[DayLine]],
    base: str,
    t: Locale,
    name: str = "",
    today: str = "",
) -> Markup:
    """The same for those who do not see bars: every day that was not simply healthy, newest first. May be empty."""
    bad = [day for day in history.days if day.look != "pend"]
    if not bad:
        return Markup()
    semicolon = escape(t.pgettext("between sentences of one day", "; "))
    lines = [
        Markup('<li><a href="{}day/{}">{}</a> {}</li>').format(
            base,
            axis[day.index],
            t.gettext("Today") if axis[day.index] == (today or axis[-1]) else t.date(axis[day.index], short=True),
            semicolon.join(said.words for said in told(day)),
        )
        for day in reversed(bad)
    ]
    words = t.ngettext("%(n)s day with trouble, in words", "%(n)s days with trouble, in words", len(bad))
    hidden = Markup('<span class="vh">: {}</span>').format(name) if name else ""
    return Markup('<details class="words m"><summary>{}{}</summary><ul>{}</ul></details>').format(
        words % {"n": len(bad)}, hidden, Markup("").join(lines)
    )
