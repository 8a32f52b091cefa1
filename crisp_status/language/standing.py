"""How things stand, in a few words each: above the headline, on the button, beside a service, over a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.model import Health
from crisp_status.language import headline as words
from crisp_status.language import storyline
from crisp_status.language.locale import capital

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, Look, PageView, ServiceView

DAY: Final = 86400.0

YOUNG_DAYS: Final = 7
"""A page with fewer days is new; "without an outage" would mean little."""

CALM_DAYS: Final = 2
"""Days without an outage from which that is worth a word."""

CHIPS_SHOWN: Final = 6
"""Links to what is affected; above that services are named instead of nodes."""

RANK: Final[dict[Look, int]] = {"dead": 0, "sick": 1, "work": 2, "ok": 3, "pend": 4}


class Chip(NamedTuple):
    """A link under the headline, to a row or a service."""

    target: str
    name: str
    look: Look


def eye(view: PageView, t: Locale) -> Markup:
    """The line above the headline; empty where there is nothing to say."""
    if not view.nodes or view.offline_since:
        return Markup()
    if view.look == "pend":
        return escape(t.gettext("A new page"))
    if view.look == "work":
        return _work(view, t)
    if view.look == "ok":
        return _calm(view, t)
    incident = main_incident(view)
    if incident is None:
        return Markup()
    so_far = escape(t.gettext("%(duration)s so far") % {"duration": t.so_far(view.at - incident.opened_at)})
    state = next((u.phase for u in reversed(incident.updates) if u.phase), "")
    word = storyline.state(state, t)
    return Markup('<span class="pill">{}</span>{}').format(word, so_far) if word else so_far


def main_incident(view: PageView) -> IncidentView | None:
    """The open incident that the headline speaks of: the worst, then the longest."""
    return min(view.open, key=lambda i: (-i.worst, i.opened_at), default=None)


def _work(view: PageView, t: Locale) -> Markup:
    running = [m for m in view.maintenances if m.running]
    if not running or not all(m.ends_at for m in running):
        return escape(t.gettext("Planned work"))
    start, end = min(m.starts_at for m in running), max(m.ends_at for m in running)
    total, done = max(1, int((end - start) // 60)), int((view.at - start) // 60)
    if total > 180:
        return escape(t.gettext("Planned work"))
    words = t.ngettext("Planned, %(done)s of %(n)s minute done", "Planned, %(done)s of %(n)s minutes done", total)
    return escape(words % {"done": done, "n": total})


def _calm(view: PageView, t: Locale) -> Markup:
    watched = view.history.observed
    if watched < YOUNG_DAYS:
        blank = set(view.history.blank)
        first = next((day for index, day in enumerate(view.days) if index not in blank), "")
        if not first or first == view.days[-1]:
            return escape(t.gettext("A new page"))
        since = t.weekdays[t.weekday(first)]
        return escape(t.gettext("A new page: watching since %(day)s") % {"day": since})
    ends = [i.closed_at for i in view.incidents if i.worst is Health.DEAD]
    days = min(watched, int((view.at - max(ends)) // DAY)) if ends else watched
    if days < CALM_DAYS:
        return Markup()
    return escape(t.ngettext("%(n)s day without an outage", "%(n)s days without an outage", days) % {"n": days})


def call(view: PageView, t: Locale) -> str:
    """What the button beside the answer offers."""
    if view.look in {"dead", "sick"}:
        return t.gettext("Tell me when it is back")
    if view.look == "work":
        return t.gettext("Tell me when it is done")
    return t.gettext("Get updates")


def chips(view: PageView, t: Locale, *, large: bool) -> list[Chip]:
    """Links to what is affected, worst first; on a large page to services, each with how many nodes."""
    hit = words.affected(view)
    if view.look == "pend" or not hit:
        return []
    if not large and len(hit) <= CHIPS_SHOWN:
        return [Chip(f"n-{node.key}", node.label, node.look) for node in hit]
    counts: dict[str, int] = {}
    for node in hit:
        counts[node.service] = counts.get(node.service, 0) + 1
    found = [s for s in view.services if s.id in counts]
    found.sort(key=lambda s: RANK[s.look])
    return [Chip(f"svc-{s.id}", t.labelled(s.name, str(counts[s.id])), s.look) for s in found]


def service(view: ServiceView, t: Locale, *, hurt: bool) -> Markup:
    """Beside the name of a service: `2 of 2 nodes down`, `100 % uptime in 90 days`."""
    if hurt and (said := trouble(view, t)):
        return Markup("<b>{}</b>").format(said)
    if view.history.uptime is None:
        return escape(t.gettext("Not checked yet") if view.look == "pend" else t.gettext("No history yet"))
    n = view.history.observed
    text = t.ngettext("%(percent)s uptime in %(n)s day", "%(percent)s uptime in %(n)s days", n)
    percent = Markup("<b>{}</b>").format(t.percent(view.history.uptime))
    if t.direction == "rtl":
        percent = Markup("<bdi>{}</bdi>").format(percent)
    return Markup(escape(text)) % {"percent": percent, "n": n}


def trouble(view: ServiceView, t: Locale) -> str:
    """`1 of 3 nodes sick`; "" when nothing is the matter."""
    looks = [node.look for node in view.nodes]
    total = len(looks)
    for look in ("dead", "sick", "work"):
        n = looks.count(look)
        if n:
            text = {
                "dead": t.ngettext("%(n)s of %(total)s node down", "%(n)s of %(total)s nodes down", total),
                "sick": t.ngettext("%(n)s of %(total)s node sick", "%(n)s of %(total)s nodes sick", total),
                "work": t.ngettext(
                    "%(n)s of %(total)s node in maintenance", "%(n)s of %(total)s nodes in maintenance", total
                ),
            }[look]
            return text % {"n": n, "total": total}
    return ""


def folded(view: ServiceView, t: Locale) -> str:
    """Under the name of a folded service: `3 nodes healthy`."""
    said = trouble(view, t)
    if said:
        return said
    n = len(view.nodes)
    waiting = sum(node.look == "pend" for node in view.nodes)
    if waiting:
        text = t.ngettext("%(n)s node waits for its first check", "%(n)s nodes wait for their first check", waiting)
        return text % {"n": waiting}
    if not n:
        return t.gettext("No nodes so far")
    return t.ngettext("%(n)s node healthy", "%(n)s nodes healthy", n) % {"n": n}


def tally(services: Sequence[ServiceView], t: Locale) -> str:
    """Over a list: `7 nodes in 3 services`."""
    nodes = sum(len(s.nodes) for s in services)
    values = {
        "nodes": t.ngettext("%(n)s node", "%(n)s nodes", nodes) % {"n": t.count(nodes)},
        "services": t.ngettext("%(n)s service", "%(n)s services", len(services)) % {"n": t.count(len(services))},
    }
    return capital(t.gettext("%(nodes)s in %(services)s") % values)


def affected_tally(view: PageView, hurt: Sequence[ServiceView], t: Locale) -> Markup:
    """Over what is affected: `2 of 40 services, 15 of 1,000 nodes`."""
    bad = sum(node.look in ("dead", "sick", "work") for s in hurt for node in s.nodes)
    total, every = len(view.services), len(view.nodes)
    values = {
        "n": Markup("<b>{}</b>").format(len(hurt)),
        "services": t.ngettext("%(n)s service", "%(n)s services", total) % {"n": t.count(total)},
        "bad": Markup("<b>{}</b>").format(bad),
        "nodes": t.ngettext("%(n)s node", "%(n)s nodes", every) % {"n": t.count(every)},
    }
    return Markup(escape(t.gettext("%(n)s of %(services)s, %(bad)s of %(nodes)s"))) % values
