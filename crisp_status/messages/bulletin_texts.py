"""What subscribers read: a bulletin in their language, about what they chose. Pure.

Only what the page says to everybody stands in it: it is made from the same views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup
from msgspec.structs import replace

from crisp_status.core.model import Health, TimelineKind
from crisp_status.core.subscriber_records import PAGE
from crisp_status.language import storyline
from crisp_status.language import timeline as tales
from crisp_status.view.incident_views import Names, incident_view, names_of
from crisp_status.view.page_view import MaintenanceView
from crisp_status.view.sanitize import MAX_LINE, clean, prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.core.model import State
    from crisp_status.core.subscriber_records import Bulletin, Subscriber
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import AffectedNodeView, IncidentView, UpdateView

TEXT_MAX = 4000
"""Characters of an operator's words; the page has them all."""


class BulletinText(NamedTuple):
    """A bulletin in words, the same for all who chose the same and speak the same language."""

    subject: str
    headline: str
    sentences: tuple[str, ...]
    look: str
    """Colour: dead, sick, ok, work, pend."""
    url: str
    button: str
    event: str
    """What it is for machines: incident.opened …"""


def compose(bulletin: Bulletin, subscriber: Subscriber, state: State, info: PageInfo, t: Locale) -> BulletinText | None:
    """Say it; None: there is nothing to say any more."""
    if bulletin.incident:
        return _incident(bulletin, subscriber, state, info, t)
    if bulletin.work is not None:
        return _work(bulletin, state, info, t)
    return _announcement(bulletin, state, info, t)


def _incident(
    bulletin: Bulletin, subscriber: Subscriber, state: State, info: PageInfo, t: Locale
) -> BulletinText | None:
    found = state.incident(bulletin.incident)
    if found is None:
        return None
    view = incident_view(state, found, names_of(state.plan))
    chosen = [n for n in view.nodes if _chosen(n.key, bulletin, subscriber)]
    if chosen:
        view = replace(view, nodes=tuple(chosen))
    notes = [u for u in view.updates if u.what is TimelineKind.NOTE]
    url = f"{info.url}{_code(info, t)}incidents/{view.id}"
    button = t.gettext("Read the whole story")
    today = t.day_of(state.at)
    if bulletin.kind == "ended":
        headline = _back(view, t)
        said = [_lasted(view, state.at, t, today), *_quoted(notes[-1:], t, today)]
        look, subject = "ok", t.gettext("Back: %(names)s") % {"names": _names(view, t)}
        return BulletinText(f"{subject} ({info.name})", headline, tuple(said), look, url, button, "incident.resolved")
    headline = tales.headline(view, t)
    if bulletin.kind == "update":
        said = _quoted(notes[-max(1, bulletin.news) :], t, today)
        state_word = storyline.state(notes[-1].phase, t) if notes and notes[-1].phase else t.gettext("Update")
        subject = t.labelled(state_word, headline)
        return BulletinText(
            f"{subject} ({info.name})", headline, tuple(said), tales.look(view), url, button, "incident.updated"
        )
    said = [str(tales.hours(view.opened_at, 0.0, t, today).striptags()) + ".", *_quoted(notes[-1:], t, today)]
    return BulletinText(
        f"{headline} ({info.name})", headline, tuple(said), tales.look(view), url, button, "incident.opened"
    )


def _chosen(key: str, bulletin: Bulletin, subscriber: Subscriber) -> bool:
    """Whether a node stands in the message: one of a service that it is about, and that was chosen."""
    service = key.partition("/")[0]
    about = not bulletin.services or PAGE in bulletin.services or service in bulletin.services
    return about and (not subscriber.services or service in subscriber.services.split())


def _names(view: IncidentView, t: Locale) -> str:
    nodes = view.nodes
    if not nodes:
        return view.title
    listed = str(t.listing(Markup(n.name) for n in nodes)) if len(nodes) <= 2 else ""
    return listed or t.ngettext("%(n)s node", "%(n)s nodes", len(nodes)) % {"n": len(nodes)}


def _back(view: IncidentView, t: Locale) -> str:
    if view.title:
        return t.gettext("Resolved: %(names)s") % {"names": view.title}
    values = {"names": _names(view, t)}
    return t.ngettext("%(names)s is back", "%(names)s are back", max(1, len(view.nodes))) % values


def _lasted(view: IncidentView, now: float, t: Locale, today: str) -> str:
    since = min((_began(n) for n in view.nodes), default=view.opened_at)
    until = max((n.until for n in view.nodes), default=0.0) or view.closed_at or now
    span = tales.hours(since, until, t, today).striptags()
    values = {"duration": t.duration(max(1.0, until - since)), "span": span}
    if any(n.worst is Health.DEAD for n in view.nodes):
        return t.gettext("It was down for %(duration)s: %(span)s.") % values
    return t.gettext("It took %(duration)s: %(span)s.") % values


def _began(node: AffectedNodeView) -> float:
    return node.dead_at or node.since


def _quoted(notes: Sequence[UpdateView], t: Locale, today: str) -> list[str]:
    said = []
    for note in notes:
        at = str(t.moment(note.at, today).striptags())
        words = f"{storyline.state(note.phase, t)}, {at}" if note.phase else at
        said.append(t.labelled(words, note.text[:TEXT_MAX]))
    return said


def _work(bulletin: Bulletin, state: State, info: PageInfo, t: Locale) -> BulletinText | None:
    work = bulletin.work
    assert work is not None
    names: Names = names_of(state.plan)
    listed = str(t.listing(Markup(names.any(s)) for s in work.services).striptags())
    title = clean(work.title, MAX_LINE)
    shown = MaintenanceView(
        id=bulletin.announcement, title=title, text="", html="", starts_at=work.starts_at, ends_at=work.ends_at,
        running=False, keys=(), names=(), created_at=0.0,
    )  # fmt: skip
    span = str(tales.work_span(shown, t, t.day_of(state.at), state.at).striptags())
    words = {
        "work_soon": t.gettext("Planned: %(title)s"),
        "work_begun": t.gettext("Begun: %(title)s"),
        "work_over": t.gettext("Finished: %(title)s"),
    }[bulletin.kind] % {"title": title}
    known = state.announcements.get(bulletin.announcement)
    text = prose(known.text, TEXT_MAX) if known and bulletin.kind != "work_over" else ""
    said = [t.labelled(listed, span), *([text] if text else [])]
    event = f"maintenance.{bulletin.kind.removeprefix('work_')}"
    look = "ok" if bulletin.kind == "work_over" else "work"
    return BulletinText(f"{words} ({info.name})", words, tuple(said), look, info.url, t.gettext("To the status"), event)


def _announcement(bulletin: Bulletin, state: State, info: PageInfo, t: Locale) -> BulletinText | None:
    found = state.announcements.get(bulletin.announcement)
    if found is None:
        return None
    title, text = clean(found.title, MAX_LINE), prose(found.text, TEXT_MAX)
    said = (text,) if text else ()
    return BulletinText(
        f"{title} ({info.name})", title, said, "pend", info.url, t.gettext("To the status"), "announcement.published"
    )


def _code(info: PageInfo, t: Locale) -> str:
    return info.base(t.code).removeprefix(info.root)
