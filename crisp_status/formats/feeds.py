"""Atom and RSS (RFC 4287, PROTOCOLS section 6.4): what changed, and the incidents."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from markupsafe import Markup

from crisp_status.formats.statuspage import changed_at, link
from crisp_status.language import timeline
from crisp_status.language.phases import PhaseUpdate, steps

if TYPE_CHECKING:
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, MaintenanceView, PageView

MAX_ENTRIES: Final = 50
"""Entries of a feed; readers keep the older ones themselves."""

_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""All but the `Char` of XML 1.0. Written as what is allowed it takes a start 8 ms to compile."""
_STATES: Final = {
    "investigating": "Investigating",
    "identified": "Identified",
    "monitoring": "Monitoring",
    "resolved": "Resolved",
}
"""In English in every language: readers look for `<strong>Resolved</strong>`."""


def changes(view: PageView, t: Locale) -> str:
    """`/feed.atom`: one entry for each step of an incident and for each announcement, newest first."""
    host = _host(view)
    entries: list[tuple[float, str]] = []
    for incident in view.incidents[:MAX_ENTRIES]:
        name = timeline.headline(incident, t)
        address = link(view, f"incidents/{incident.id}")
        for step in steps(incident, t):
            title = name if step.note or len(step.lines) > 1 else step.text
            body = f"<p>{step.html}</p>"
            id = f"tag:{host},2005:Incident/{incident.id}/{step.number}"
            entries.append((step.at, _entry(id, title, address, step.at, step.at, body)))
    for words in view.announcements:
        at = words.created_at or words.starts_at or view.since
        id = f"tag:{host},2005:Announcement/{words.id}"
        entries.append((at, _entry(id, words.title, link(view), at, at, words.html)))
    entries += [(_posted(m, view), _work(m, view, t, host)) for m in view.maintenances]
    # Of what happened in the same moment the later line stands first.
    entries.reverse()
    entries.sort(key=lambda e: -e[0])
    return _feed(view, t, "feed", "feed.atom", view.info.name, [e for _, e in entries[:MAX_ENTRIES]])


def history(view: PageView, t: Locale) -> str:
    """`/history.atom`: one entry for each incident, newest first."""
    host = _host(view)
    entries = [_work(m, view, t, host) for m in view.maintenances]
    for incident in view.incidents[:MAX_ENTRIES]:
        title = timeline.headline(incident, t)
        id = f"tag:{host},2005:Incident/{incident.id}"
        told = steps(incident, t)
        body = "".join(_paragraph(s, t) for s in reversed(told))
        updated = max(incident.updated_at, told[-1].at)
        address = link(view, f"incidents/{incident.id}")
        entries.append(_entry(id, title, address, incident.opened_at, updated, body))
    title = _archive(view, t)
    return _feed(view, t, "history", "history.atom", title, entries[:MAX_ENTRIES])


def rss(view: PageView, t: Locale) -> str:
    """`/history.rss`: the same as RSS 2.0."""
    items = [_rss_work(m, view, t) for m in view.maintenances]
    items += [_rss_incident(i, view, t) for i in view.incidents[:MAX_ENTRIES]]
    title = _archive(view, t)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
        f"<title>{_xml(title)}</title><link>{_xml(link(view))}</link><description>Statuspage</description>"
        f'<atom:link rel="self" type="application/rss+xml" href="{_xml(link(view, "history.rss"))}"/>'
        f"<language>{_xml(t.code)}</language><pubDate>{_rfc822(changed_at(view), t)}</pubDate>"
        f"{''.join(items[:MAX_ENTRIES])}</channel></rss>"
    )


def _archive(view: PageView, t: Locale) -> str:
    named = view.info.name.lower().endswith("status")
    words = t.gettext("%(name)s - Incident History") if named else t.gettext("%(name)s Status - Incident History")
    return words % {"name": view.info.name}


def _feed(view: PageView, t: Locale, name: str, path: str, title: str, entries: list[str]) -> str:
    author = view.info.company or view.info.name
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<?xml-stylesheet type="text/css" href="{_xml(view.info.path(view.info.feed_style))}"?>\n'
        f'<feed xml:lang="{_xml(t.code)}" xmlns="http://www.w3.org/2005/Atom">'
        f"<id>tag:{_host(view)},2005:/{name}</id>"
        f'<link rel="alternate" type="text/html" href="{_xml(link(view))}"/>'
        f'<link rel="self" type="application/atom+xml" href="{_xml(link(view, path))}"/>'
        f"<title>{_xml(title)}</title><updated>{_at(changed_at(view))}</updated>"
        f"<author><name>{_xml(author)}</name></author>{''.join(entries)}</feed>"
    )


def _entry(id: str, title: str, address: str, published: float, updated: float, html: str) -> str:
    return (
        f"<entry><id>{_xml(id)}</id><published>{_at(published)}</published><updated>{_at(updated)}</updated>"
        f'<link rel="alternate" type="text/html" href="{_xml(address)}"/><title>{_xml(title)}</title>'
        f"<summary>{_xml(Markup(html.replace('<br>', ' ')).striptags())}</summary>"
        f'<content type="html">{_xml(html)}</content></entry>'
    )


def _posted(work: MaintenanceView, view: PageView) -> float:
    return min(work.created_at or work.first_at or work.starts_at, view.at)


def _work(work: MaintenanceView, view: PageView, t: Locale, host: str) -> str:
    at = _posted(work, view)
    body = f"<p>{_when(work, view, t)}</p>{work.html}"
    # Each window of a recurring one is news of its own.
    id = f"tag:{host},2005:Maintenance/{work.id}/{int(work.starts_at)}"
    return _entry(id, work.title, link(view), at, at, body)


def _when(work: MaintenanceView, view: PageView, t: Locale) -> str:
    start = t.moment(work.starts_at, "").striptags()
    end = t.moment(work.ends_at, "").striptags() if work.ends_at else ""
    names = ", ".join(work.names)
    return escape(f"{names}: {start} – {end}" if end else f"{names}: {start} –")


def _rss_incident(incident: IncidentView, view: PageView, t: Locale) -> str:
    told = steps(incident, t)
    body = "".join(_paragraph(s, t) for s in reversed(told))
    return _item(timeline.headline(incident, t), body, incident.opened_at, link(view, f"incidents/{incident.id}"), t)


def _rss_work(work: MaintenanceView, view: PageView, t: Locale) -> str:
    body = f"<p><strong>THIS IS A SCHEDULED EVENT</strong> {_when(work, view, t)}</p>{work.html}"
    end = f"<maintenanceEndDate>{_rfc822(work.ends_at, t)}</maintenanceEndDate>" if work.ends_at else ""
    address = link(view, f"#maintenance-{work.id}-{int(work.starts_at)}")
    return _item(work.title, body, work.starts_at, address, t, end)


def _item(title: str, html: str, at: float, address: str, t: Locale, extra: str = "") -> str:
    return (
        f"<item><title>{_xml(title)}</title><description>{_xml(html)}</description>"
        f"<pubDate>{_rfc822(at, t)}</pubDate>{extra}<link>{_xml(address)}</link><guid>{_xml(address)}</guid></item>"
    )


def _paragraph(step: PhaseUpdate, t: Locale) -> str:
    when = t.local(step.at)
    return (
        f"<p><small>{when:%b} <var data-var='date'>{when.day}</var>, "
        f"<var data-var='time'>{when:%H:%M}</var> {escape(t.zone_name(step.at))}</small><br>"
        f"<strong>{_STATES[step.phase]}</strong> - {step.html}</p>"
    )


def _host(view: PageView) -> str:
    return urlsplit(view.info.url).hostname or "localhost"


def _xml(text: str) -> str:
    """Escaped, and without what XML cannot carry."""
    return escape(_NOT_XML.sub("", str(text)))


def _at(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rfc822(at: float, t: Locale) -> str:
    return format_datetime(t.local(int(at)))
