"""The pages behind the first one: history, months, days, incidents, nodes, and the ways to hear of changes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.model import Health
from crisp_status.formats import bars, discovery, gantt, latency_charts
from crisp_status.language import headline as words
from crisp_status.language import reasons, standing, storyline, timeline, troubles
from crisp_status.language.locale import capital
from crisp_status.view import past, spells
from crisp_status.view.page_view import DayView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.formats.html import Html
    from crisp_status.language.locale import Locale
    from crisp_status.language.troubles import DayLine
    from crisp_status.view.page_view import IncidentView, Look, MaintenanceView, NodeView, PageView
    from crisp_status.view.spells import Spell

MONTHS_SHOWN: Final = 4
"""Months on the history page; older ones have a page each."""

INCIDENTS_SHOWN: Final = 300
"""Incidents of a month that are listed."""

NAMES_SHOWN: Final = 200
"""Names of nodes that were healthy all day."""


class PastEvent(NamedTuple):
    """A row of a list: an incident or announced work."""

    at: float
    look: Look
    title: str
    when: Markup
    length: str
    href: str


class AffectedRow(NamedTuple):
    """A node that had trouble on a day."""

    node: NodeView
    look: Look
    when: Markup
    bar: Markup
    uptime: float | None


def history(html: Html, view: PageView, language: str = "") -> str:
    """Ninety days, and the last months with what happened in them."""
    t = html.locale(language)
    shown = view.months[:MONTHS_SHOWN]
    events = _events(html, view, t, shown)
    older = view.months[MONTHS_SHOWN] if len(view.months) > MONTHS_SHOWN else ""
    months = []
    for month in shown:
        span = past.span(view, "", past.days_of(view, month))
        incidents = sum(event.look != "work" for event in events[month])
        months.append((month, events[month][:INCIDENTS_SHOWN], incidents, span))
    uptime = view.history.uptime
    title = t.gettext("History")
    headline = title
    if uptime is not None:
        n = view.history.observed
        words_ = t.ngettext("%(percent)s in %(n)s day", "%(percent)s in %(n)s days", n)
        headline = words_ % {"percent": t.percent(uptime), "n": n}
    return html.render(
        "history.html",
        view,
        t,
        title=f"{title} · {html.info.name}",
        about=timeline.summary(view.history, t),
        headline=headline,
        begins=next((d for i, d in enumerate(view.days) if i not in set(view.history.blank)), ""),
        months=months,
        older=older,
        current="history",
        **html.strip_of_page(view, t),
        **html.found(view, t, title, timeline.summary(view.history, t), "history"),
    )


def month(html: Html, view: PageView, name: str, language: str = "") -> str | None:
    """One month (`2026-11`) by itself. None: it is not kept."""
    t = html.locale(language)
    if name not in view.months:
        return None
    axis = tuple(past.calendar_days(name))
    record = html.with_work(view, past.record(view, "", axis), axis)
    events = _events(html, view, t, (name,))[name]
    base = html.info.base(t.code)

    def lines_of(day: DayView) -> Sequence[DayLine]:
        return html.troubles.of_day(view, axis[day.index], t)

    place = view.months.index(name)
    title = capital(t.month(name))
    label = bars.named(title, record, t)
    about = troubles.month_sentence(record, axis, t, running=name == view.days[-1][:7])
    works = sum(event.look == "work" for event in events)
    return html.render(
        "month.html",
        view,
        t,
        title=f"{title} · {html.info.name}",
        about=about.striptags(),
        headline=title,
        sentence=about,
        days=len(axis),
        first=axis[0],
        last=axis[-1],
        events=events[:INCIDENTS_SHOWN],
        more=max(0, len(events) - INCIDENTS_SHOWN),
        incidents=len(events) - works,
        works=works,
        record=record,
        strip=bars.strip(label, record, axis, lines_of, base, t, today=view.days[-1]),
        in_words=bars.in_words(record, axis, lines_of, base, t, today=view.days[-1]),
        older=view.months[place + 1] if place + 1 < len(view.months) else "",
        newer=view.months[place - 1] if place > 0 else "",
        month=name,
        current="history",
        **html.found(view, t, title, about.striptags(), f"history/{name}"),
    )


def day(html: Html, view: PageView, name: str, language: str = "") -> str | None:
    """One day (`2026-11-08`). None: it is to come, or was before the page."""
    t = html.locale(language)
    if not past.is_kept(view, name):
        return None
    start, end = past.day_span(name, html.info.timezone)
    running = name == view.days[-1]
    bad = spells.between(view, start, min(end, view.at))
    hurt = _affected_row(html, view, t, name, (start, end), bad)
    keys = {h.node.key for h in hurt}
    fine = [n for n in view.nodes.values() if n.key not in keys and past.tally(view, name, n.key, n.born)]
    every = spells.worst(s for key, found in bad.items() if key in view.nodes for s in found)
    headline = capital(t.date(name, weekday=True))
    if name[:4] != view.days[-1][:4]:
        headline = t.pgettext("date", "%(date)s, %(year)s") % {"date": headline, "year": name[:4]}
    mentions = html.troubles.of_day(view, name, t)
    about = troubles.day_sentence(mentions, len(fine), len(view.nodes), t)
    neighbours = [
        other if past.is_kept(view, other) else ""
        for other in ((date.fromisoformat(name) + timedelta(days=step)).isoformat() for step in (-1, 1))
    ]
    incidents = [i for i in view.incidents if i.opened_at < end and (i.closed_at or view.at) > start]
    works = [w for w in view.past_works if w.starts_at < end and w.ends_at > start]
    works += [w for w in view.maintenances if w.running and w.starts_at < end]
    events = [_incident(html, i, t, view) for i in incidents] + [_work(html, w, t, view) for w in works]
    events.sort(key=lambda event: -event.at)
    return html.render(
        "day.html",
        view,
        t,
        title=f"{headline} · {html.info.name}",
        about=about.striptags(),
        headline=headline,
        sentence=about,
        ago=(date.fromisoformat(view.days[-1]) - date.fromisoformat(name)).days,
        bar=gantt.bar(every, start, end, t, "hours big-h ok", t.gettext("All services")),
        clock=[t.clock(start + (end - start) * n / 4) for n in range(4)],
        last=t.zone_name(start),
        running=running,
        older=neighbours[0],
        newer=neighbours[1],
        events=events[:INCIDENTS_SHOWN],
        hurt=hurt,
        fine=fine[:NAMES_SHOWN],
        more_fine=max(0, len(fine) - NAMES_SHOWN),
        current="history",
        **html.found(view, t, headline, about.striptags(), f"day/{name}"),
    )


def _affected_row(
    html: Html,
    view: PageView,
    t: Locale,
    name: str,
    span: tuple[float, float],
    bad: dict[str, list[Spell]],
) -> list[AffectedRow]:
    """Nodes with trouble on a day, the worst first."""
    found = []
    for node in view.nodes.values():
        tally = past.tally(view, name, node.key, node.born)
        stretches = bad.get(node.key, [])
        look: Look
        if (tally is not None and tally.dead) or any(s.look == "dead" for s in stretches):
            look = "dead"
        elif (tally is not None and tally.sick) or stretches:
            look = "sick"
        elif tally is not None and tally.maintenance:
            look = "work"
        else:
            continue
        comma = escape(t.pgettext("between items of a list", ", "))
        slow = html.troubles.slow(view, node.key, name)
        when = comma.join(gantt.spell_text(s, t, slow=slow) for s in stretches)
        if not when:
            said = troubles.node_day(
                DayView(0, look, *((tally.dead, tally.sick, tally.maintenance) if tally else ())),
                t,
                slow=slow,
                over=True,
            )
            when = comma.join(s.words for s in said)
        figure = past.percent(tally) if tally is not None else None
        found.append(AffectedRow(node, look, when, gantt.bar(stretches, *span, t, "hours ok", node.name), figure))
    found.sort(key=lambda h: standing.RANK[h.look])
    return found


def incident(html: Html, view: PageView, number: int, language: str = "") -> str | None:
    """One incident as a story. None: there is none of that number."""
    t = html.locale(language)
    found = view.incident(number)
    if found is None:
        return None
    headline = timeline.headline(found, t)
    title = headline
    length = timeline.length(found, view.at)
    if found.closed_at:
        title = t.gettext("%(what)s for %(duration)s") % {"what": headline, "duration": t.duration(length)}
    plan = gantt.drawing(found, view, t)
    every = spells.worst(s for track in spells.tracks(found, view.at) for s in track.spells)
    about = timeline.story(found, t, view.days[-1], view.at)
    opened = t.day_of(found.opened_at)
    return html.render(
        "incident.html",
        view,
        t,
        title=f"{headline} · {html.info.name}",
        about=about.striptags(),
        incident=found,
        headline=title,
        sentence=about,
        look=timeline.look(found) if not found.closed_at else "ok",
        worst=timeline.look(found),
        date=capital(t.date(opened, weekday=True)),
        day_of=opened if past.is_kept(view, opened) else "",
        length=length,
        down=gantt.total(every, "dead"),
        slow=gantt.total(every, "sick"),
        steps=storyline.stepper(found, t),
        state=storyline.state(next((u.phase for u in reversed(found.updates) if u.phase), ""), t),
        drawing=plan,
        lines=storyline.lines(found, t),
        call=standing.call(view, t) if not found.closed_at else t.gettext("Get updates"),
        current="incident",
        **html.found(view, t, headline, about.striptags(), f"incidents/{number}")
        | {"linked_data": discovery.article(view, t, found, headline)},
    )


def node(html: Html, view: PageView, key: str, language: str = "", last: str = "") -> str | None:
    """One node: ninety days, how fast it answers, its replicas. None: there is no such node."""
    t = html.locale(language)
    found = view.nodes.get(key)
    last = last or latency_charts.DEFAULT
    if found is None:
        return None
    service = next(s.name for s in view.services if s.id == found.service)
    strip, in_words = html.strip_of_node(found, view, t)
    headline = words.node_headline(found, t)
    about = words.node_sentence(found, t, view.days[-1])
    return html.render(
        "node-page.html",
        view,
        t,
        title=f"{headline} · {html.info.name}",
        about=about.striptags(),
        node=found,
        service=service,
        headline=headline,
        sentence=about,
        strip=strip,
        in_words=in_words,
        caption=bars.caption(found.history, view.days, t),
        uptimes=[
            (t.gettext("Today"), past.span(view, key, view.days[-1:]).uptime),
            (t.ngettext("%(n)s day", "%(n)s days", 7) % {"n": 7}, past.span(view, key, view.days[-7:]).uptime),
            (t.ngettext("%(n)s day", "%(n)s days", 30) % {"n": 30}, past.span(view, key, view.days[-30:]).uptime),
        ],
        last_outage=_last_outage(view, key, t),
        plot=latency_charts.plot(view, found, last, t),
        periods=_periods(found, last, t),
        last=last,
        replicas=reasons.shown(found, t, view.days[-1]),
        call=standing.call(view, t),
        current="node",
        **html.found(view, t, headline, about.striptags(), f"nodes/{key}"),
    )


def _periods(node: NodeView, shown: str, t: Locale) -> list[tuple[str, str, bool]]:
    """Links to the periods of the chart: what stands behind `?last=`, its words, whether it is shown."""
    if not node.latency.short_slot:
        return []
    hours = t.ngettext("%(n)s hour", "%(n)s hours", 24) % {"n": 24}
    return [
        (last, t.ngettext("%(n)s day", "%(n)s days", days) % {"n": days} if days else hours, last == shown)
        for last, (_, _, _, days) in latency_charts.PERIODS.items()
    ]


def _last_outage(view: PageView, key: str, t: Locale) -> str:
    for one in view.incidents:
        for hurt in one.nodes:
            if hurt.key == key and hurt.worst is Health.DEAD:
                end = hurt.until or one.closed_at
                if not end:
                    return t.gettext("Now")
                days = (date.fromisoformat(view.days[-1]) - date.fromisoformat(t.day_of(end))).days
                if not days:
                    return t.gettext("Today")
                return t.ngettext("%(n)s day ago", "%(n)s days ago", days) % {"n": days}
    return t.gettext("None")


def updates(html: Html, view: PageView, language: str = "") -> str:
    """All ways to hear of changes, and badges to copy."""
    t = html.locale(language)
    title = t.gettext("Get updates")
    return html.render(
        "updates.html",
        view,
        t,
        title=f"{title} · {html.info.name}",
        headline=title,
        service=view.services[0] if view.services else None,
        current="updates",
        slim=True,
        **html.found(view, t, title, "", "updates"),
    )


def _events(html: Html, view: PageView, t: Locale, months: Sequence[str]) -> dict[str, list[PastEvent]]:
    """By month: incidents and announced work that is over, newest first."""
    found: dict[str, list[PastEvent]] = {m: [] for m in months}
    for one in view.incidents:
        listed = found.get(t.month_of(one.opened_at))
        if listed is not None:
            listed.append(_incident(html, one, t, view))
    for work in view.past_works:
        listed = found.get(t.month_of(work.starts_at))
        if listed is not None:
            listed.append(_work(html, work, t, view))
    for listed in found.values():
        listed.sort(key=lambda event: -event.at)
    return found


def _incident(html: Html, one: IncidentView, t: Locale, view: PageView) -> PastEvent:
    length = t.brief(timeline.length(one, view.at)) if one.closed_at else t.gettext("Ongoing")
    href = f"{html.info.base(t.code)}incidents/{one.id}"
    return PastEvent(
        one.opened_at, timeline.look(one), timeline.headline(one, t), timeline.span(one, t, view.days[-1]), length, href
    )


def _work(html: Html, work: MaintenanceView, t: Locale, view: PageView) -> PastEvent:
    title = t.gettext("Planned: %(title)s") % {"title": work.title}
    when = timeline.hours(work.starts_at, work.ends_at, t, view.days[-1])
    href = f"{html.info.base(t.code)}day/{t.day_of(work.starts_at)}"
    length = t.brief(work.ends_at - work.starts_at) if work.ends_at else t.gettext("Ongoing")
    return PastEvent(work.starts_at, "work", title, when, length, href)
