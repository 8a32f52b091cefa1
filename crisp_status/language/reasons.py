"""Reasons in plain words, for visitors: what a replica's last result was, and what is the matter with a node."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.verdict import LOAD, PACE, REASONS, SILENCE, UNASKED, Health, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import Look, NodeView, ReplicaView

NUMBERS_SHOWN: Final = 4
"""Replica numbers named in a line; more are counted."""

KEPT: Final = 4096
"""Sentences that are remembered, of each kind: thousands of rows say the same few."""

_ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@lru_cache(KEPT)
def word(look: Look, t: Locale) -> str:
    """The word for a look: the operator's, else ours."""
    if look in t.labels:
        return t.labels[look]
    if t.plain and look in {"ok", "sick", "dead"}:
        return {"ok": t.gettext("Operational"), "sick": t.gettext("Degraded"), "dead": t.pgettext("state", "Down")}[
            look
        ]
    return {
        "ok": t.gettext("Healthy"),
        "sick": t.gettext("Sick"),
        "dead": t.gettext("Dead"),
        "pend": t.gettext("Pending"),
        "work": t.gettext("Maintenance"),
    }[look]


def result(replica: ReplicaView, node: NodeView, t: Locale, today: str) -> Markup:
    """The last result of one replica: `Answered at 14:40 UTC`, `Error 503 since 14:02 UTC`."""
    if replica.health is Health.PENDING:
        return escape(_waiting(node, t))
    if replica.health is Health.HEALTHY:
        if not replica.seen_at:
            return escape(t.gettext("Healthy at its last check"))
        told = node.mode == "push"
        words = t.gettext("Reported at %(time)s") if told else t.gettext("Answered at %(time)s")
        return Markup(escape(words)) % {"time": t.moment(replica.seen_at, today)}
    value = _value(replica, node, t)
    values: dict[str, object] = {"time": t.moment(replica.since, today), "value": value, "date": value}
    return Markup(escape(_sentence(replica, t, detail=bool(value)))) % values


def _value(replica: ReplicaView, node: NodeView, t: Locale) -> str:
    """The detail of its reason as visitors read it; of what has a limit, the limit in force."""
    if replica.code == ReasonCode.CERTIFICATE:
        day = _ISO_DAY.match(replica.value)
        return t.date(day.group(), year=True) if day else ""
    if replica.code == ReasonCode.SLOW:
        return t.seconds(node.sick_above)
    if replica.code == ReasonCode.CPU:
        return t.percent(node.cpu_above * 100, 0)
    if replica.code == ReasonCode.RAM:
        return t.percent(node.ram_above * 100, 0)
    return replica.value


def _waiting(node: NodeView, t: Locale) -> str:
    return (
        t.gettext("Waiting for its first report") if node.mode == "push" else t.gettext("Waiting for its first check")
    )


@lru_cache(KEPT)
def sentence(code: ReasonCode, health: Health, t: Locale, *, detail: bool) -> str:
    """What a reason says, with `%(time)s` for since when, and `%(value)s` or `%(date)s` for its detail, if it has one.

    "" for a code that says no more than the health does.
    """
    dead = health is Health.DEAD
    return {
        ReasonCode.OK: "",
        ReasonCode.NO_ANSWER: t.gettext("No answer since %(time)s"),
        ReasonCode.REFUSED: t.gettext("Connection refused since %(time)s"),
        ReasonCode.UNREACHABLE: t.gettext("Not reachable since %(time)s"),
        ReasonCode.NAME: t.gettext("Address not found since %(time)s"),
        ReasonCode.TLS: t.gettext("No secure connection since %(time)s"),
        ReasonCode.CERTIFICATE: t.gettext("Its certificate ends on %(date)s")
        if detail and not dead
        else t.gettext("Its certificate has not been valid since %(time)s"),
        ReasonCode.STATUS: t.gettext("Error %(value)s since %(time)s")
        if detail
        else t.gettext("Answering with an error since %(time)s"),
        ReasonCode.MATCH: t.gettext("Unexpected answer since %(time)s"),
        ReasonCode.BANNER: t.gettext("Unexpected answer since %(time)s"),
        ReasonCode.RECORD: t.gettext("Wrong address record since %(time)s"),
        ReasonCode.EXIT: t.gettext("Check failed since %(time)s"),
        ReasonCode.SLOW: t.gettext("Slower than %(value)s since %(time)s") if detail else "",
        ReasonCode.CPU: t.gettext("Processor above %(value)s since %(time)s") if detail else "",
        ReasonCode.RAM: t.gettext("Memory above %(value)s since %(time)s") if detail else "",
        ReasonCode.SILENT: t.gettext("Not reporting since %(time)s"),
        ReasonCode.AGENT_SILENT: t.gettext("Its monitor has been silent since %(time)s"),
        ReasonCode.REPORTED: t.gettext("Reported as dead since %(time)s")
        if dead
        else t.gettext("Reported as sick since %(time)s"),
        ReasonCode.ERROR: "",
    }[code]


def _sentence(replica: ReplicaView, t: Locale, *, detail: bool) -> str:
    return sentence(replica.code, replica.health, t, detail=detail) or (
        t.gettext("Not working since %(time)s")
        if replica.health is Health.DEAD
        else t.gettext("Not quite well since %(time)s")
    )


def figure(replica: ReplicaView, node: NodeView, t: Locale) -> str:
    """Latency or load of the last result; "" when there is none."""
    if node.mode == "push" and replica.cpu >= 0:
        return t.gettext("CPU %(percent)s") % {"percent": t.percent(round(replica.cpu * 100), 0)}
    if replica.latency_ms >= 0 and replica.health is not Health.PENDING:
        return t.seconds(replica.latency_ms / 1000)
    return ""


def subtitle(node: NodeView, t: Locale, today: str, page: Look) -> Markup:
    """The second line of a row: what is the matter, else how fast it answers or how often it reports."""
    if node.look == "pend" and page == "pend":
        return Markup()
    if node.look != "ok" or node.unstable:
        return matter(node, t, today)
    if node.mode == "push":
        if node.interval <= 0:
            return Markup()
        return escape(t.gettext("Reports every %(time)s") % {"time": t.brief(node.interval)})
    answer = node.typical_ms
    return escape(t.gettext("Answers in %(time)s") % {"time": t.seconds(answer / 1000)}) if answer else Markup()


class ReplicaRow(NamedTuple):
    """A line of the table of replicas."""

    number: int
    name: str
    look: str
    """Class of its box; "" for a healthy one."""
    word: str
    result: Markup
    figure: str


SHOWN_MOST: Final = 200
"""Replicas listed on a node's own page, bad ones first."""


def shown(node: NodeView, t: Locale, today: str) -> list[ReplicaRow]:
    """Its replicas, as they stand in a table."""
    replicas = node.replicas
    if len(replicas) > SHOWN_MOST:
        replicas = tuple(sorted(replicas, key=lambda r: -r.health)[:SHOWN_MOST])
    looks: tuple[Look, ...] = ("pend", "ok", "sick", "dead")
    return [
        ReplicaRow(
            r.number,
            r.name,
            "work" if node.look == "work" else ("pend", "", "sick", "dead")[r.health],
            word(looks[r.health], t),
            result(r, node, t, today),
            figure(r, node, t),
        )
        for r in replicas
    ]


def matter(node: NodeView, t: Locale, today: str) -> Markup:
    """What is the matter with a node, for its row: `Replica 2 overloaded since 14:22 UTC`. Empty when nothing is."""
    if node.look == "work":
        if node.until:
            return Markup(escape(t.gettext("Planned work until %(time)s"))) % {"time": t.moment(node.until, today)}
        return escape(t.gettext("Planned work"))
    if node.look == "pend":
        return escape(_waiting(node, t))
    if node.look == "ok":
        return escape(t.gettext("Its health keeps changing")) if node.unstable else Markup()
    bad = [r for r in node.replicas if r.health is node.health]
    if not bad:
        return Markup()
    values: dict[str, object] = {"time": t.moment(min(r.since for r in bad), today), "value": bad[0].value}
    if len(bad) == len(node.replicas):
        return Markup(escape(_whole(bad, node, t))) % values
    if len(bad) > NUMBERS_SHOWN:
        values |= {"n": len(bad), "total": len(node.replicas)}
        some = t.gettext("%(n)s of %(total)s replicas down since %(time)s")
        if node.look == "sick":
            some = t.gettext("%(n)s of %(total)s replicas slow or overloaded since %(time)s")
        return Markup(escape(some)) % values
    values["numbers"] = t.listing(r.number for r in bad)
    return Markup(escape(_part(bad, node, t))) % values


def _whole(bad: Sequence[ReplicaView], node: NodeView, t: Locale) -> str:
    codes = {r.code for r in bad}
    if node.look == "dead":
        if len(codes) == 1 and REASONS[bad[0].code].whole and len({r.value for r in bad}) == 1:
            return _sentence(bad[0], t, detail=bool(bad[0].value))
        if codes <= UNASKED:
            return t.gettext("Not reporting since %(time)s")
        if codes <= SILENCE:
            return t.gettext("No answer since %(time)s")
        if codes <= {ReasonCode.STATUS}:
            return t.gettext("Answering with errors since %(time)s")
        return t.gettext("Not working since %(time)s")
    if codes <= LOAD:
        return t.gettext("Overloaded since %(time)s")
    if codes <= PACE:
        return t.gettext("Slow since %(time)s")
    return t.gettext("Needs attention since %(time)s")


def _part(bad: Sequence[ReplicaView], node: NodeView, t: Locale) -> str:
    codes, n = {r.code for r in bad}, len(bad)
    if node.look == "dead":
        return t.ngettext("Replica %(numbers)s down since %(time)s", "Replicas %(numbers)s down since %(time)s", n)
    if codes <= LOAD:
        return t.ngettext(
            "Replica %(numbers)s overloaded since %(time)s", "Replicas %(numbers)s overloaded since %(time)s", n
        )
    if codes <= PACE:
        return t.ngettext("Replica %(numbers)s slow since %(time)s", "Replicas %(numbers)s slow since %(time)s", n)
    return t.ngettext(
        "Replica %(numbers)s needs attention since %(time)s",
        "Replicas %(numbers)s need attention since %(time)s",
        n,
    )


def tally(node: NodeView, t: Locale) -> str:
    """The row's boxes in words: `3 replicas: 1 sick, 2 healthy`."""
    return _tally(node.counts, t)


@lru_cache(KEPT)
def _tally(counts: tuple[int, int, int, int], t: Locale) -> str:
    pending, healthy, sick, dead = counts
    n = sum(counts)
    if not n:
        return t.gettext("no replica so far")
    parts = [
        t.npgettext("replicas", "%(n)s dead", "%(n)s dead", dead) % {"n": dead} if dead else "",
        t.npgettext("replicas", "%(n)s sick", "%(n)s sick", sick) % {"n": sick} if sick else "",
        t.npgettext("replicas", "%(n)s pending", "%(n)s pending", pending) % {"n": pending} if pending else "",
        t.npgettext("replicas", "%(n)s healthy", "%(n)s healthy", healthy) % {"n": healthy} if healthy else "",
    ]
    listed = t.pgettext("between items of a list", ", ").join(p for p in parts if p)
    return t.ngettext("%(n)s replica: %(list)s", "%(n)s replicas: %(list)s", n) % {"n": n, "list": listed}


def habit(node: NodeView, t: Locale) -> str:
    """How, and how often, the node is watched, as a sentence."""
    return _habit(node.mode, node.interval, t)


@lru_cache(KEPT)
def _habit(mode: str, every: float, t: Locale) -> str:
    if every <= 0:
        return t.gettext("Reports its own health.") if mode == "push" else t.gettext("Checked regularly.")
    if every % 60 == 0 and every < 7200:
        n = int(every // 60)
        return {
            "poll": t.ngettext(
                "Checked from the Internet every minute.", "Checked from the Internet every %(n)s minutes.", n
            ),
            "push": t.ngettext(
                "Reports its own health every minute.", "Reports its own health every %(n)s minutes.", n
            ),
            "local": t.ngettext(
                "Checked from inside our network every minute.",
                "Checked from inside our network every %(n)s minutes.",
                n,
            ),
            "script": t.ngettext("Checked by a script every minute.", "Checked by a script every %(n)s minutes.", n),
        }[mode] % {"n": n}
    return {
        "poll": t.gettext("Checked from the Internet every %(duration)s."),
        "push": t.gettext("Reports its own health every %(duration)s."),
        "local": t.gettext("Checked from inside our network every %(duration)s."),
        "script": t.gettext("Checked by a script every %(duration)s."),
    }[mode] % {"duration": t.duration(every)}
