"""Incidents in words: what happened, when, to whom, how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from crisp_status.core.incident_records import TIMELINE
from crisp_status.core.model import Health, ReasonCode, TimelineKind
from crisp_status.core.verdict import LOAD, PACE, SILENCE, UNASKED
from crisp_status.language import sights
from crisp_status.language.headline import LETTERS_SHOWN, NAMES_SHOWN
from crisp_status.language.locale import capital
from crisp_status.language.reasons import NUMBERS_SHOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import (
        AffectedNodeView,
        HistoryView,
        IncidentView,
        Look,
        MaintenanceView,
        PageView,
        UpdateView,
    )  # fmt: skip

DAYS_LEAST = 1
"""Observed days from which a month may be said to have been healthy every day."""

ICONS: Final[Mapping[TimelineKind, str]] = {
    TimelineKind.DEAD: "dead",
    TimelineKind.SICK: "sick",
    TimelineKind.HEALTHY: "ok",
    TimelineKind.REMOVED: "ok",
    TimelineKind.UNSTABLE: "sick",
    TimelineKind.CALM: "ok",
    TimelineKind.ALERTED: "bell",
    TimelineKind.ACKNOWLEDGED: "bell",
    TimelineKind.NOTE: "say",
    TimelineKind.OTHER: "say",
}
"""Icon of each kind of line."""


def look(incident: IncidentView) -> Look:
    """How it is; the worst that it was when nothing in it is bad any more."""
    return "dead" if _shown(incident) is Health.DEAD else "sick"


def _shown(incident: IncidentView) -> Health:
    """The worst health in it now; the worst that it was when nothing in it is bad any more."""
    now = max((node.state for node in incident.nodes), default=incident.worst)
    return now if now.bad else incident.worst


def headline(incident: IncidentView, t: Locale) -> str:
    """Plain text: `Checkout was down`, `Search is slower than usual`; the operator's own words of one opened by hand."""
    if incident.title:
        return incident.title
    shown = _shown(incident)
    going = not incident.closed_at and any(node.state.bad for node in incident.nodes)
    worst = [h for h in incident.nodes if (h.state if going else h.worst) is shown] or list(incident.nodes)
    n = len(worst)
    listed = str(t.listing(Markup(h.name) for h in worst)) if n <= NAMES_SHOWN else ""
    values = {"names": listed if n == 1 or len(listed) <= LETTERS_SHOWN else "", "n": n}
    if shown is not Health.DEAD:
        return _sick(incident, n, values, t, going=going)
    if _partly(incident, worst):
        if values["names"]:
            now = t.ngettext("%(names)s is partly down", "%(names)s are partly down", n)
            then = t.ngettext("%(names)s was partly down", "%(names)s were partly down", n)
        else:
            now = t.ngettext("%(n)s node is partly down", "%(n)s nodes are partly down", n)
            then = t.ngettext("%(n)s node was partly down", "%(n)s nodes were partly down", n)
    elif values["names"]:
        now = t.ngettext("%(names)s is down", "%(names)s are down", n)
        then = t.ngettext("%(names)s was down", "%(names)s were down", n)
    else:
        now = t.ngettext("%(n)s node is down", "%(n)s nodes are down", n)
        then = t.ngettext("%(n)s node was down", "%(n)s nodes were down", n)
    return (now if going else then) % values


def _sick(incident: IncidentView, n: int, values: dict[str, object], t: Locale, *, going: bool) -> str:
    slow = any(u.code in PACE for u in incident.updates if u.what is TimelineKind.SICK)
    if slow and values["names"]:
        now = t.ngettext("%(names)s is slower than usual", "%(names)s are slower than usual", n)
        then = t.ngettext("%(names)s was slow", "%(names)s were slow", n)
    elif slow:
        now = t.ngettext("%(n)s node is slower than usual", "%(n)s nodes are slower than usual", n)
        then = t.ngettext("%(n)s node was slow", "%(n)s nodes were slow", n)
    elif values["names"]:
        now = t.ngettext("%(names)s needs attention", "%(names)s need attention", n)
        then = t.ngettext("%(names)s needed attention", "%(names)s needed attention", n)
    else:
        now = t.ngettext("%(n)s node needs attention", "%(n)s nodes need attention", n)
        then = t.ngettext("%(n)s node needed attention", "%(n)s nodes needed attention", n)
    return (now if going else then) % values


def _partly(incident: IncidentView, nodes: Sequence[AffectedNodeView]) -> bool:
    """Whether each of these dead nodes kept a replica that answered."""
    if all(node.wholly is not None for node in nodes):
        return not any(node.wholly for node in nodes)
    dead: dict[str, set[int]] = {}
    more: dict[str, int] = {}
    total: dict[str, int] = {}
    for update in incident.updates:
        if update.what is TimelineKind.DEAD:
            dead.setdefault(update.key, set()).update(update.replicas)
            more[update.key] = more.get(update.key, 0) + update.more
            total[update.key] = update.total
    return bool(dead) and all(len(numbers) + more[key] < total[key] for key, numbers in dead.items())


def length(incident: IncidentView, now: float) -> float:
    """How long it lasted or has lasted, in seconds."""
    return max(0.0, (incident.closed_at or now) - incident.opened_at)


def span(incident: IncidentView, t: Locale, today: str) -> Markup:
    """When: `8 November, 03:20 to 03:32 UTC`; over midnight with both dates."""
    return hours(incident.opened_at, incident.closed_at, t, today)


def hours(start: float, end: float, t: Locale, today: str) -> Markup:
    """From when to when; `end` is 0 while it goes on."""
    values: dict[str, object] = {"start": t.moment(start, today)}
    if not end:
        return Markup(escape(t.gettext("Since %(start)s"))) % values
    if t.local(start).replace(second=0, microsecond=0) == t.local(end).replace(second=0, microsecond=0):
        values = {"date": t.date(start, year=t.day_of(start)[:4] != today[:4]), "time": t.time(start)}
        return Markup(escape(t.pgettext("moment alone", "%(date)s, %(time)s"))) % values
    if t.day_of(start) == t.day_of(end):
        values = {
            "date": t.date(start, year=t.day_of(start)[:4] != today[:4]),
            "start": t.time(start, zone=False),
            "end": t.time(end),
        }
        return Markup(escape(t.gettext("%(date)s, %(start)s to %(end)s"))) % values
    values["end"] = t.moment(end, f"{today[:4]}-00-00")
    return Markup(escape(t.gettext("%(start)s to %(end)s"))) % values


def anchor(incident: IncidentView, t: Locale, today: str) -> str:
    """The day whose date need not stand on each line: of an incident that is over its own, else today."""
    return t.day_of(incident.opened_at) if incident.closed_at else today


def icon(update: UpdateView) -> str:
    """Name of the icon of a line."""
    return ICONS[update.what]


def line(update: UpdateView, t: Locale) -> Markup:
    """What a line says, as safe HTML: `Checkout: replicas 2 and 3 stopped answering`."""
    if update.what is TimelineKind.NOTE:
        return Markup(update.html)
    if update.what is TimelineKind.ALERTED:
        return escape(t.gettext("Our team was alerted"))
    if update.what is TimelineKind.ACKNOWLEDGED:
        return escape(t.gettext("Somebody is looking into it"))
    node = Markup("<bdi>{}</bdi>").format(update.node)
    values: dict[str, object] = {"node": node, "value": update.value}
    if update.what is TimelineKind.UNSTABLE:
        return Markup(escape(t.gettext("%(node)s keeps changing between states"))) % values
    if update.what is TimelineKind.CALM:
        return Markup(escape(t.gettext("%(node)s has calmed down"))) % values
    if not TIMELINE[update.what].replicas:
        return node  # of a later version
    words = _change(update, values, t)
    seen_from = sights.line(update.seen_from, t)
    if not seen_from:
        return words
    labelled = escape(t.pgettext("label and value", "%(label)s: %(value)s"))
    return Markup(labelled) % {"label": words, "value": seen_from}


def _change(update: UpdateView, values: dict[str, object], t: Locale) -> Markup:
    """How the replicas of a node changed."""
    count = len(update.replicas) + update.more
    alone = count == 0 or update.total == 1 or (update.total == 0 and update.replicas == (1,))
    if alone or (update.what is TimelineKind.HEALTHY and count >= update.total > 0):
        return Markup(escape(_alone(update, t))) % values
    if count > NUMBERS_SHOWN:
        values["n"] = count
        return Markup(escape(many(update, count, t))) % values
    values["numbers"] = t.listing(update.replicas)
    return Markup(escape(_numbered(update, count, t))) % values


def kind(update: UpdateView) -> str:
    """What sort of change it was: lines of the same sort and minute are told together."""
    code = update.code
    if TIMELINE[update.what].well:
        return update.what
    if update.what is TimelineKind.DEAD:
        if code in UNASKED:
            return "quiet"
        if code == ReasonCode.STATUS and update.value:
            return "error"
        return "mute" if code in SILENCE else "broken"
    if code in LOAD:
        return "loaded"
    return "slow" if code in PACE else "odd"


def _alone(update: UpdateView, t: Locale) -> str:
    return {
        "healthy": t.gettext("%(node)s is healthy again"),
        "removed": t.gettext("%(node)s is no longer watched"),
        "quiet": t.gettext("%(node)s stopped reporting"),
        "error": t.gettext("%(node)s began to answer with error %(value)s"),
        "mute": t.gettext("%(node)s stopped answering"),
        "broken": t.gettext("%(node)s stopped working"),
        "loaded": t.gettext("%(node)s became overloaded"),
        "slow": t.gettext("%(node)s became slow"),
        "odd": t.gettext("%(node)s needs attention"),
    }[kind(update)]


def _numbered(update: UpdateView, n: int, t: Locale) -> str:
    return {
        "healthy": t.ngettext(
            "%(node)s: replica %(numbers)s is healthy again", "%(node)s: replicas %(numbers)s are healthy again", n
        ),
        "removed": t.ngettext(
            "%(node)s: replica %(numbers)s is no longer watched",
            "%(node)s: replicas %(numbers)s are no longer watched",
            n,
        ),
        "quiet": t.ngettext(
            "%(node)s: replica %(numbers)s stopped reporting", "%(node)s: replicas %(numbers)s stopped reporting", n
        ),
        "error": t.ngettext(
            "%(node)s: replica %(numbers)s began to answer with error %(value)s",
            "%(node)s: replicas %(numbers)s began to answer with error %(value)s",
            n,
        ),
        "mute": t.ngettext(
            "%(node)s: replica %(numbers)s stopped answering", "%(node)s: replicas %(numbers)s stopped answering", n
        ),
        "broken": t.ngettext(
            "%(node)s: replica %(numbers)s stopped working", "%(node)s: replicas %(numbers)s stopped working", n
        ),
        "loaded": t.ngettext(
            "%(node)s: replica %(numbers)s became overloaded", "%(node)s: replicas %(numbers)s became overloaded", n
        ),
        "slow": t.ngettext(
            "%(node)s: replica %(numbers)s became slow", "%(node)s: replicas %(numbers)s became slow", n
        ),
        "odd": t.ngettext(
            "%(node)s: replica %(numbers)s needs attention", "%(node)s: replicas %(numbers)s need attention", n
        ),
    }[kind(update)]


def many(update: UpdateView, n: int, t: Locale) -> str:
    """The sentence for `n` replicas, without their numbers; `%(node)s` may be several."""
    return {
        "healthy": t.ngettext(
            "%(node)s: %(n)s replica is healthy again", "%(node)s: %(n)s replicas are healthy again", n
        ),
        "removed": t.ngettext(
            "%(node)s: %(n)s replica is no longer watched", "%(node)s: %(n)s replicas are no longer watched", n
        ),
        "loaded": t.ngettext(
            "%(node)s: %(n)s replica became overloaded", "%(node)s: %(n)s replicas became overloaded", n
        ),
        "slow": t.ngettext("%(node)s: %(n)s replica became slow", "%(node)s: %(n)s replicas became slow", n),
        "odd": t.ngettext("%(node)s: %(n)s replica needs attention", "%(node)s: %(n)s replicas need attention", n),
    }.get(kind(update)) or t.ngettext(
        "%(node)s: %(n)s replica stopped working", "%(node)s: %(n)s replicas stopped working", n
    )


def story(incident: IncidentView, t: Locale, today: str, now: float) -> Markup:
    """The sentences under an incident's headline."""
    parts: list[Markup] = [Markup(escape(t.pgettext("sentence", "%(words)s."))) % {"words": span(incident, t, today)}]
    if incident.alerted_at:
        words = escape(t.gettext("Our team was alerted at %(time)s."))
        parts.append(Markup(words) % {"time": t.moment(incident.alerted_at, anchor(incident, t, today))})
    if incident.closed_at:
        parts.append(escape(t.gettext("It is over: everything affected is healthy again.")))
    return escape(t.gap).join(parts)


def summary(history: HistoryView, t: Locale) -> str:
    """The page's last days in a sentence."""
    n = history.observed
    values = {"n": n, "down": t.duration(history.dead), "sick": t.duration(history.sick)}
    if history.dead and history.sick:
        words = t.ngettext(
            "In the last day something was down for %(down)s and sick for %(sick)s.",
            "In the last %(n)s days something was down for %(down)s and sick for %(sick)s.",
            n,
        )
    elif history.dead:
        words = t.ngettext(
            "In the last day something was down for %(down)s.",
            "In the last %(n)s days something was down for %(down)s.",
            n,
        )
    elif history.sick:
        words = t.ngettext(
            "In the last day nothing was down; something was sick for %(sick)s.",
            "In the last %(n)s days nothing was down; something was sick for %(sick)s.",
            n,
        )
    else:
        words = t.ngettext("In the last day nothing was down.", "In the last %(n)s days nothing was down.", n)
    return words % values


def covered(view: PageView, month: str) -> bool:
    """Whether every day of a month within the strip was observed, and none was bad: only then that may be said."""
    indexes = [index for index, day in enumerate(view.days) if day.startswith(month)]
    whole = len(indexes) >= DAYS_LEAST and (not view.days[0].startswith(month) or view.days[0].endswith("-01"))
    bad = {d.index for d in view.history.days if d.look in ("sick", "dead", "pend")} | set(view.history.blank)
    return whole and not bad.intersection(indexes)


def work_hours(work: MaintenanceView, t: Locale, today: str) -> Markup:
    """When announced work that goes on is, beside its heading: `14:00 UTC to 15:30 UTC`."""
    start = t.moment(work.starts_at, today)
    if not work.ends_at:
        return Markup(escape(t.gettext("Since %(start)s."))) % {"start": start}
    return Markup(escape(t.gettext("%(start)s to %(end)s"))) % {"start": start, "end": t.moment(work.ends_at, today)}


def work_span(work: MaintenanceView, t: Locale, today: str, now: float) -> Markup:
    """When announced work is: `Wednesday 26 November, 02:00 to 04:00 UTC`."""
    start, end = work.starts_at, work.ends_at
    values: dict[str, object] = {"start": t.moment(start, today), "end": t.moment(end, today) if end else ""}
    if work.running:
        if not end:
            return Markup(escape(t.gettext("Since %(start)s."))) % values
        values["left"] = t.so_far(end - now)
        return Markup(escape(t.gettext("%(start)s to %(end)s. %(left)s left."))) % values
    values |= {"date": capital(t.date(start, weekday=True)), "start": t.time(start, zone=not end)}
    if not end:
        return Markup(escape(t.gettext("From %(date)s, %(start)s"))) % values
    if t.day_of(start) == t.day_of(end):
        values["end"] = t.time(end)
    else:
        values["end"] = t.moment(end, f"{today[:4]}-00-00")
    return Markup(escape(t.gettext("%(date)s, %(start)s to %(end)s"))) % values
