"""The answer, first: headline, sentence and title of the page (visual specification, section 5).

Everything is derived from data: nothing is said that was not observed, nobody is said to be alerted who was not.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from crisp_status.core.model import Health
from crisp_status.core.verdict import PACE, SILENCE, UNASKED
from crisp_status.language import reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import Look, NodeView, PageView

NAMES_SHOWN: Final = 2
LETTERS_SHOWN: Final = 40
"""Up to so many names with so many letters stand in a headline; more are counted: a phone shows about three lines."""

TOGETHER: Final = 300.0
"""Seconds within which failures count as simultaneous."""

TITLE_MARKS: Final[dict[Look, str]] = {"dead": "✕ ", "sick": "! ", "pend": "… ", "ok": "", "work": ""}
"""Before the headline in the title of a tab, where colour and shape do not reach."""


def affected(view: PageView) -> list[NodeView]:
    """Nodes that are not well, the worst first, then in the order of the page."""
    rank = {"dead": 0, "sick": 2, "work": 3}
    hit = [n for n in view.nodes.values() if n.look in rank]
    if view.look != "work":
        hit = [n for n in hit if n.look != "work"]
    return sorted(hit, key=lambda n: rank[n.look] + (n.look == "dead" and not n.all_dead))


def names(nodes: Sequence[NodeView], t: Locale) -> str:
    """Their names as they stand in a headline; "" when they are too many or too long."""
    if len(nodes) > NAMES_SHOWN:
        return ""
    plain = str(t.listing(Markup(n.label) for n in nodes))
    return plain if len(nodes) == 1 or len(plain) <= LETTERS_SHOWN else ""


def headline(view: PageView, t: Locale) -> str:
    """The H1, as plain text: `Checkout and Invoicing are down`."""
    if not view.nodes:
        return t.gettext("Nothing is watched yet")
    if view.look == "ok":
        if view.offline_since:
            return t.gettext("Everything was working at the last check")
        return t.gettext("Everything is working")
    if view.look == "pend":
        return t.gettext("First checks are on their way")
    if view.look == "work":
        return t.gettext("Planned maintenance is under way")
    hit, total = affected(view), len(view.nodes)
    if view.look == "sick":
        return _sick_headline([n for n in hit if n.look == "sick"], total, t)
    dead = [n for n in hit if n.look == "dead"]
    whole = [n for n in dead if n.all_dead]
    if len(whole) == total > 1:
        return t.gettext("Everything is down")
    group = whole or dead
    n, listed = len(group), names(group, t)
    values = {"names": listed, "n": n, "total": total}
    if whole:
        if listed:
            return t.ngettext("%(names)s is down", "%(names)s are down", n) % values
        return t.ngettext("%(n)s of %(total)s nodes is down", "%(n)s of %(total)s nodes are down", n) % values
    if listed:
        return t.ngettext("%(names)s is partly down", "%(names)s are partly down", n) % values
    return t.ngettext("%(n)s of %(total)s nodes is partly down", "%(n)s of %(total)s nodes are partly down", n) % values


def _sick_headline(sick: Sequence[NodeView], total: int, t: Locale) -> str:
    n, listed = len(sick), names(sick, t)
    values = {"names": listed, "n": n, "total": total}
    if is_slow(sick):
        if n == total > 1:
            return t.gettext("Everything is slower than usual")
        if listed:
            return t.ngettext("%(names)s is slower than usual", "%(names)s are slower than usual", n) % values
        return (
            t.ngettext(
                "%(n)s of %(total)s nodes is slower than usual", "%(n)s of %(total)s nodes are slower than usual", n
            )
            % values
        )
    if listed:
        return t.ngettext("%(names)s needs attention", "%(names)s need attention", n) % values
    return t.ngettext("%(n)s of %(total)s nodes needs attention", "%(n)s of %(total)s nodes need attention", n) % values


def is_slow(nodes: Sequence[NodeView]) -> bool:
    """Whether any of them is sick because it is slow or overloaded, and not for another reason alone."""
    return any(r.code in PACE for n in nodes for r in n.replicas if r.health is Health.SICK)


def title(view: PageView, t: Locale) -> str:
    """The title of the tab: `✕ Checkout is down · Acme Status`."""
    return f"{TITLE_MARKS[view.look]}{headline(view, t)} · {view.info.name}"


def sentence(view: PageView, t: Locale) -> Markup:
    """What follows the headline, as safe HTML."""
    if not view.nodes:
        return escape(t.gettext("This page has no services so far."))
    today = view.days[-1]
    parts = {"ok": _well, "pend": _new, "work": _working, "sick": _sick, "dead": _dead}[view.look](view, t, today)
    return escape(t.gap).join(part for part in parts if part)


def _well(view: PageView, t: Locale, today: str) -> list[Markup]:
    n, waiting = view.counts["ok"], view.counts["pend"]
    if waiting:
        words = t.ngettext("%(n)s node answered its last check.", "%(n)s nodes answered their last check.", n)
    else:
        words = t.ngettext("Its one node answered its last check.", "All %(n)s nodes answered their last check.", n)
        if all(node.mode == "push" for node in view.nodes.values()):
            words = t.ngettext("Its one node reported in time.", "All %(n)s nodes reported in time.", n)
    parts = [escape(words % {"n": n}), *_waiting(waiting, t)]
    if view.info.support_url:
        ask = escape(t.gettext("If something still looks wrong to you, %(link)scontact support%(end)s."))
        link = Markup('<a href="{}">').format(view.info.support_url)
        parts.append(Markup(ask) % {"link": link, "end": Markup("</a>")})
    return parts


def _waiting(n: int, t: Locale) -> list[Markup]:
    words = t.ngettext(
        "%(n)s node is waiting for its first check.", "%(n)s nodes are waiting for their first check.", n
    )
    return [escape(words % {"n": n})] if n else []


def _new(view: PageView, t: Locale, today: str) -> list[Markup]:
    looked = [n.interval for n in view.nodes.values() if n.mode != "push" and n.interval > 0]
    if not looked:
        return [
            escape(t.gettext("A replica stays grey until it reports for the first time.")),
        ]
    words = t.gettext("A replica stays grey until its first check, which takes %(duration)s at most.")
    return [escape(words % {"duration": t.duration(max(looked))})]


def _working(view: PageView, t: Locale, today: str) -> list[Markup]:
    running = [m for m in view.maintenances if m.running]
    named = list(dict.fromkeys(name for m in running for name in m.names))
    ends = [m.ends_at for m in running]
    values: dict[str, object] = {}
    if not named or len(named) > 3:
        n = view.counts["work"]
        values["names"] = t.ngettext("%(n)s node", "%(n)s nodes", n) % {"n": n}
    else:
        values["names"] = t.listing(bdi(name) for name in named)
    if ends and all(ends):
        values["time"] = t.moment(max(ends), today)
        words = t.gettext("Work on %(names)s goes on until %(time)s, as announced.")
    else:
        words = t.gettext("Work on %(names)s is going on, as announced.")
    return [Markup(escape(words)) % values, *_others(view, t, {"work"})]


def _sick(view: PageView, t: Locale, today: str) -> list[Markup]:
    sick = [n for n in view.nodes.values() if n.look == "sick"]
    if is_slow(sick):
        words = t.ngettext(
            "It still answers, but not as fast as it should, since %(time)s.",
            "They still answer, but not as fast as they should, since %(time)s.",
            len(sick),
        )
    else:
        words = t.ngettext(
            "It still answers, but something about it is not as it should be, since %(time)s.",
            "They still answer, but something about them is not as it should be, since %(time)s.",
            len(sick),
        )
    since = min((r.since for n in sick for r in n.replicas if r.health is Health.SICK), default=view.since)
    return [
        Markup(escape(words)) % {"time": t.moment(since, today)},
        *_team(view, sick, t, today),
        *_others(view, t, {"sick"}),
    ]


def _dead(view: PageView, t: Locale, today: str) -> list[Markup]:
    dead = [n for n in affected(view) if n.look == "dead"]
    whole = [n for n in dead if n.all_dead]
    partly = [n for n in dead if not n.all_dead]
    group = whole or partly
    parts = [_since(group, t, today) if whole else _partly(partly, t, today)]
    parts += _team(view, group, t, today)
    if whole and partly:
        listed = names(partly, t)
        if listed:
            words = t.ngettext("%(names)s is partly down.", "%(names)s are partly down.", len(partly))
            parts.append(escape(words % {"names": listed}))
        else:
            words = t.ngettext("%(n)s node is partly down.", "%(n)s nodes are partly down.", len(partly))
            parts.append(escape(words % {"n": len(partly)}))
    slow = view.counts["sick"]
    if slow:
        words = t.ngettext("%(n)s node is sick.", "%(n)s nodes are sick.", slow)
        parts.append(escape(words % {"n": slow}))
    return [*parts, *_others(view, t, {"dead"})]


def _since(group: Sequence[NodeView], t: Locale, today: str) -> Markup:
    first = min(n.since for n in group)
    values = {"time": t.moment(first, today)}
    codes = {r.code for n in group for r in n.replicas}
    if max(n.since for n in group) - first > TOGETHER:
        return Markup(escape(t.gettext("The first of them failed at %(time)s."))) % values
    if codes <= UNASKED:
        words = t.ngettext(
            "It has not reported since %(time)s.",
            "They have not reported since %(time)s.",
            len(group),
        )
    elif codes <= SILENCE:
        words = t.ngettext(
            "It has not answered since %(time)s.",
            "They have not answered since %(time)s.",
            len(group),
        )
    else:
        words = t.ngettext(
            "It has not worked since %(time)s.",
            "They have not worked since %(time)s.",
            len(group),
        )
    return Markup(escape(words)) % values


def _partly(partly: Sequence[NodeView], t: Locale, today: str) -> Markup:
    bad = [r for n in partly for r in n.replicas if r.health is Health.DEAD]
    values: dict[str, object] = {
        "time": t.moment(min((r.since for r in bad), default=partly[0].since), today),
        "n": len(bad),
        "total": sum(len(n.replicas) for n in partly),
    }
    if len(partly) == 1:
        words = t.ngettext(
            "%(n)s of %(total)s replicas has not answered since %(time)s.",
            "%(n)s of %(total)s replicas have not answered since %(time)s.",
            len(bad),
        )
        if not all(r.code in SILENCE for r in bad):
            words = t.ngettext(
                "%(n)s of %(total)s replicas has not worked since %(time)s.",
                "%(n)s of %(total)s replicas have not worked since %(time)s.",
                len(bad),
            )
    else:
        words = t.gettext("%(n)s of their %(total)s replicas do not work; the first failed at %(time)s.")
    return Markup(escape(words)) % values


def node_headline(node: NodeView, t: Locale) -> str:
    """The headline of a node's own page: `Checkout is healthy`."""
    values = {"names": node.name, "name": node.name}
    if node.look == "dead":
        if node.all_dead:
            return t.ngettext("%(names)s is down", "%(names)s are down", 1) % values
        return t.ngettext("%(names)s is partly down", "%(names)s are partly down", 1) % values
    if node.look == "sick":
        if is_slow([node]):
            return t.ngettext("%(names)s is slower than usual", "%(names)s are slower than usual", 1) % values
        return t.ngettext("%(names)s needs attention", "%(names)s need attention", 1) % values
    if node.look == "work":
        return t.gettext("Planned work on %(name)s is under way") % values
    if node.look == "pend":
        return t.gettext("%(name)s waits for its first check") % values
    return t.gettext("%(name)s is healthy") % values


def node_sentence(node: NodeView, t: Locale, today: str) -> Markup:
    """What follows: what is the matter, or how it answered; and how it is watched."""
    parts: list[Markup] = []
    if node.look == "ok":
        n = len(node.replicas)
        at = max((r.seen_at for r in node.replicas), default=0.0)
        if node.mode == "push":
            told = t.ngettext("Its one replica reported at %(time)s.", "All %(n)s replicas reported in time.", n)
        else:
            told = t.ngettext(
                "Its one replica answered at %(time)s.", "All %(n)s replicas answered their last check.", n
            )
        if at:
            parts.append(Markup(escape(told)) % {"n": n, "time": t.moment(at, today)})
    elif node.look != "pend" and (matter := reasons.matter(node, t, today)):
        parts.append(Markup(escape(t.pgettext("sentence", "%(words)s."))) % {"words": matter})
    parts.append(escape(reasons.habit(node, t)))
    return escape(t.gap).join(parts)


def _team(view: PageView, group: Sequence[NodeView], t: Locale, today: str) -> list[Markup]:
    """Only what really happened: a receiver said yes, an operator acknowledged."""
    keys = {n.key for n in group}
    about = [i for i in view.open if any(h.key in keys and not h.until for h in i.nodes)]
    alerted = min((i.alerted_at for i in about if i.alerted_at), default=0.0)
    seen = min((i.acknowledged_at for i in about if i.acknowledged_at), default=0.0)
    parts = []
    if alerted:
        words = escape(t.gettext("Our team was alerted at %(time)s."))
        parts.append(Markup(words) % {"time": t.moment(alerted, today)})
    if seen:
        words = escape(t.gettext("Somebody has been looking into it since %(time)s."))
        parts.append(Markup(words) % {"time": t.moment(seen, today)})
    return parts


def _others(view: PageView, t: Locale, told: set[Look]) -> list[Markup]:
    n = view.counts["ok"]
    rest = sum(count for look, count in view.counts.items() if look not in told and look != "ok")
    if rest or not n:
        words = t.ngettext("%(n)s other node is working normally.", "%(n)s other nodes are working normally.", n)
    else:
        words = t.ngettext("The other node is working normally.", "The %(n)s other nodes are working normally.", n)
    parts = [escape(words % {"n": n})] if n else []
    return [*parts, *_waiting(view.counts["pend"], t)]


def stamp(view: PageView, t: Locale) -> Markup:
    """When it was checked, and by when it is again; of a new page, when the first results come."""
    today = view.days[-1]
    values = {"time": t.moment(view.checked_at or view.at, today)}
    if view.checked_at and view.next_at and not view.offline_since:
        values["next"] = t.time(ceil(view.next_at / 60.0) * 60.0, zone=False)
        words = t.gettext("Checked at %(time)s, next by %(next)s")
    elif view.checked_at:
        words = t.gettext("Checked at %(time)s")
    elif looked := [n for n in view.nodes.values() if n.mode != "push" and n.interval > 0]:
        values["time"] = t.moment(min(n.born for n in looked), today)
        values["next"] = t.time(max(n.born + n.interval for n in looked), zone=False)
        words = t.gettext("Set up at %(time)s, first results by %(next)s")
    else:
        words = t.gettext("As of %(time)s")
    return Markup(escape(words)) % values


def bdi(text: str) -> Markup:
    """A name within a sentence, so that its direction does not disturb the sentence's."""
    return Markup("<bdi>{}</bdi>").format(text)
