"""Uptime of a month: of each service and node, against the promise of `[page] slo`. As HTML, CSV and JSON."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.model import Health
from crisp_status.formats.statuspage import iso
from crisp_status.language.locale import capital
from crisp_status.view import past

if TYPE_CHECKING:
    from crisp_status.formats.html import Html
    from crisp_status.language.locale import Locale
    from crisp_status.view.book import Span
    from crisp_status.view.page_view import PageView

COLUMNS: Final = (
    "month", "service", "node", "uptime_percent", "observed_seconds", "down_seconds", "sick_seconds",
    "maintenance_seconds", "incidents", "slo_percent", "budget_left_seconds",
)  # fmt: skip
"""Of the CSV; the names of the JSON are the same."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins like this is a formula to programs that calculate."""


class UptimeRow(NamedTuple):
    """The page, a service, or a node."""

    key: str
    """"" the page, `svc` a service, `svc/node` a node."""
    name: str
    span: Span
    incidents: int
    """With an outage of it; those in which it was only sick do not count."""
    budget: float
    """Seconds of downtime that the promise leaves for the month; below 0: it is broken."""


class UptimeReport(NamedTuple):
    """One month."""

    month: str
    slo: float
    """Percent."""
    running: bool
    rows: tuple[UptimeRow, ...]


def report(view: PageView, month: str) -> UptimeReport | None:
    """The figures of a month (`2026-11`), from the days that are kept. None: it is not kept."""
    if month not in view.months:
        return None
    days = past.days_of(view, month)
    zone = view.info.timezone
    calendar = past.calendar_days(month)
    start, end = past.day_span(calendar[0], zone)[0], past.day_span(calendar[-1], zone)[1]
    allowed = (end - start) * (100.0 - view.info.slo) / 100.0
    outages: dict[str, int] = {}
    for incident in view.incidents:
        if incident.opened_at >= end or (incident.closed_at or view.at) <= start:
            continue
        hit = {a.key for a in incident.nodes if a.worst is Health.DEAD}
        for key in hit | {key.partition("/")[0] for key in hit} | ({""} if hit else set()):
            outages[key] = outages.get(key, 0) + 1

    def row(key: str, name: str) -> UptimeRow:
        span = past.span(view, key, days)
        return UptimeRow(key, name, span, outages.get(key, 0), allowed - span.dead)

    rows = [row("", view.info.name)]
    for service in view.services:
        rows.append(row(service.id, service.name))
        rows += [row(node.key, node.name) for node in service.nodes]
    return UptimeReport(month, view.info.slo, month == view.days[-1][:7], tuple(rows))


def as_json(made: UptimeReport, view: PageView) -> dict[str, Any]:
    """For programs."""
    return {
        "month": made.month,
        "complete": not made.running,
        "generated_at": iso(view.at),
        "timezone": view.info.timezone,
        "slo_percent": made.slo,
        "rows": [dict(zip(COLUMNS[1:], _cells(made, row)[1:], strict=True)) for row in made.rows],
    }


def as_csv(made: UptimeReport) -> str:
    """For spreadsheets: RFC 4180, UTF-8, seconds as whole numbers."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for row in made.rows:
        writer.writerow(["" if cell is None else _safe(cell) for cell in _cells(made, row)])
    return file.getvalue()


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _cells(made: UptimeReport, row: UptimeRow) -> list[Any]:
    service, _, node = row.key.partition("/")
    span = row.span
    return [
        made.month, service, node, span.uptime, round(span.observed), round(span.dead), round(span.sick),
        round(span.maintenance), row.incidents, made.slo, round(row.budget),
    ]  # fmt: skip


def page(html: Html, view: PageView, month: str, language: str = "") -> str | None:
    """The report as a page that prints to one sheet. None: that month is not kept."""
    t = html.locale(language)
    made = report(view, month)
    if made is None:
        return None
    whole = made.rows[0]
    title = t.gettext("Uptime in %(month)s") % {"month": t.month(month)}
    place = view.months.index(month)
    return html.render(
        "uptime.html",
        view,
        t,
        title=f"{title} · {html.info.name}",
        about=_sentence(made, t).striptags(),
        headline=capital(title),
        sentence=_sentence(made, t),
        report=made,
        whole=whole,
        left=lambda row: _left(row, t),
        older=view.months[place + 1] if place + 1 < len(view.months) else "",
        newer=view.months[place - 1] if place else "",
        current="uptime",
        **html.found(view, t, title, _sentence(made, t).striptags(), f"uptime/{month}"),
    )


def _sentence(made: UptimeReport, t: Locale) -> Markup:
    whole = made.rows[0]
    values = {
        "percent": Markup("<b>{}</b>").format(t.percent(whole.span.uptime)),
        "slo": t.percent(made.slo),
        "time": Markup("<b>{}</b>").format(t.duration(whole.span.dead)) if whole.span.dead else "",
    }
    parts = [Markup(escape(t.gettext("%(percent)s of the observed time; the promise is %(slo)s."))) % values]
    if whole.span.dead:
        parts.append(Markup(escape(t.gettext("Something was down for %(time)s."))) % values)
    elif whole.span.days:
        parts.append(escape(t.gettext("Nothing was down so far.") if made.running else t.gettext("Nothing was down.")))
    if made.running:
        parts.append(escape(t.gettext("The month is not over.")))
    return escape(t.gap).join(parts)


def _left(row: UptimeRow, t: Locale) -> str:
    if row.budget < 0:
        return t.gettext("%(time)s over") % {"time": t.brief(-row.budget)}
    return t.brief(row.budget) if row.budget >= 1 else "0"
