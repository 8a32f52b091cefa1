"""What was wrong on a day, in words: of one node, of a service, of the whole page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from markupsafe import Markup, escape

from crisp_status.core.model import Tally, TimelineKind
from crisp_status.core.uptime import day_of
from crisp_status.core.verdict import PACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.book import Book
    from crisp_status.view.page_view import DayView, HistoryView, IncidentView, Look, NodeView, PageView

NAMES: Final = 2
LETTERS: Final = 40
"""Up to so many names with so many letters stand in a line; more are counted."""

DAYS_KEPT: Final = 4000
"""Past days whose words are remembered, of page and services: ninety for each of forty services, and some."""


class DayLine(NamedTuple):
    """One line: of a card, or of the list in words."""

    look: Look
    words: Markup


class Mention(NamedTuple):
    """Nodes that were the same way on one day."""

    look: Look
    names: tuple[str, ...]
    """At most `NAMES`; () when they are counted."""
    number: int
    seconds: float
    """Of the one that was it the longest."""
    slow: bool
    """Of sick ones: slower than usual, as opposed to something else that needs attention."""
    over: bool


def node_day(day: DayView, t: Locale, *, slow: bool, over: bool) -> list[DayLine]:
    """Of one node, without its name: `Down for 12 min`."""
    said: list[DayLine] = []
    if day.dead or day.look == "dead":
        said.append(_alone("dead", t.gettext("Down for %(time)s"), day.dead, t, over=over or day.look != "dead"))
    if day.sick or day.look == "sick":
        words = t.gettext("Slow for %(time)s") if slow else t.gettext("Sick for %(time)s")
        said.append(_alone("sick", words, day.sick, t, over=over or day.look != "sick"))
    if day.maintenance or day.look == "work":
        words = t.gettext("Planned work for %(time)s")
        said.append(_alone("work", words, day.maintenance, t, over=over or day.look != "work"))
    return said


def _alone(look: Look, words: str, seconds: float, t: Locale, *, over: bool) -> DayLine:
    text = words % {"time": t.brief(seconds)}
    return DayLine(look, escape(text if over else t.gettext("%(what)s, not over") % {"what": text}))


class Troubles:
    """Finds and words them. Remembers past days as long as the book of a view is the same. One thread at a time."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._mentions: dict[tuple[str, str], tuple[Mention, ...]] = {}
        self._odd: dict[int, tuple[IncidentView, frozenset[str]]] = {}
        self._incidents: tuple[IncidentView, ...] = ()
        self._odd_days: dict[str, list[IncidentView]] = {}

    def of_day(self, view: PageView, day: str, t: Locale, service: str = "") -> list[DayLine]:
        """Of the page or a service: `Checkout was down for 12 min`."""
        return [DayLine(m.look, sentence(m, t)) for m in self.mentions(view, day, service)]

    def mentions(self, view: PageView, day: str, service: str = "") -> tuple[Mention, ...]:
        """Who was in trouble on a day: dead, then sick, then worked on."""
        self._follow(view)
        if day == view.days[-1]:
            return self._made(view, day, _today(view, service), running=True)
        key = (day, service)
        found = self._mentions.get(key)
        if found is None:
            keys = [k for k in view.nodes if not service or k.startswith(service + "/")]
            found = self._made(view, day, view.book.troubled(day, keys), running=False)
            if len(self._mentions) >= DAYS_KEPT:
                self._mentions.clear()
            self._mentions[key] = found
        return found

    def slow(self, view: PageView, key: str, day: str) -> bool:
        """Whether a node that was sick on that day was slow or overloaded, by all that its incidents say."""
        self._follow(view)
        node = view.nodes.get(key)
        if day == view.days[-1] and node is not None and node.look == "sick":
            return any(r.code in PACE for r in node.replicas)
        return not any(key in self._odd[i.id][1] for i in self._odd_days.get(day, ()))

    def _follow(self, view: PageView) -> None:
        if view.book is not self._book:
            self._book, self._mentions = view.book, {}
        if view.incidents is self._incidents:
            return
        # Incidents whose sick nodes were anything but slow are few; they are found once an incident.
        self._incidents, self._odd_days, odd = view.incidents, {}, {}
        for incident in view.incidents:
            known = self._odd.get(incident.id)
            if known is None or known[0] is not incident:
                known = incident, _odd(incident)
            odd[incident.id] = known
        self._odd = odd
        zone = _Days(view)
        for incident, keys in odd.values():
            if keys:
                for day in zone.of(incident.opened_at, incident.closed_at or view.at):
                    self._odd_days.setdefault(day, []).append(incident)

    def _made(
        self, view: PageView, day: str, tallies: Iterable[tuple[str, Tally]], *, running: bool
    ) -> tuple[Mention, ...]:
        dead: list[tuple[NodeView, float, bool]] = []
        slow: list[tuple[NodeView, float, bool]] = []
        sick: list[tuple[NodeView, float, bool]] = []
        work: list[tuple[NodeView, float, bool]] = []
        for key, tally in tallies:
            node = view.nodes[key]
            if tally.dead:
                dead.append((node, tally.dead, not running or node.look != "dead"))
            if tally.sick:
                kind = slow if self.slow(view, key, day) else sick
                kind.append((node, tally.sick, not running or node.look != "sick"))
            if tally.maintenance:
                work.append((node, tally.maintenance, not running or node.look != "work"))
        return (
            *_grouped("dead", dead, slow=False),
            *_grouped("sick", slow, slow=True),
            *_grouped("sick", sick, slow=False),
            *_grouped("work", work, slow=False),
        )


class _Days:
    """Days of the page's zone that a time touches, by the axis of a view and the days before it."""

    def __init__(self, view: PageView) -> None:
        self._zone = view.info.timezone
        self._axis = view.days

    def of(self, start: float, end: float) -> list[str]:
        first, last = day_of(start, self._zone), day_of(end, self._zone)
        return [d for d in self._axis if first <= d <= last]


def _today(view: PageView, service: str) -> list[tuple[str, Tally]]:
    found = []
    last = len(view.days) - 1
    for key, node in view.nodes.items():
        days = node.history.days
        if days and days[-1].index == last and (not service or node.service == service):
            day = days[-1]
            if day.look != "pend":
                # What began this minute has no seconds yet.
                dead = day.dead or (1.0 if day.look == "dead" else 0.0)
                sick = day.sick or (1.0 if day.look == "sick" else 0.0)
                found.append((key, Tally(0.0, sick, dead, day.maintenance or (1.0 if day.look == "work" else 0.0))))
    return found


def _odd(incident: IncidentView) -> frozenset[str]:
    """Nodes that were sick for another reason than being slow."""
    sick = [u for u in incident.updates if u.what is TimelineKind.SICK]
    return frozenset({u.key for u in sick if u.code not in PACE} - {u.key for u in sick if u.code in PACE})


def _grouped(look: Look, hit: list[tuple[NodeView, float, bool]], *, slow: bool) -> list[Mention]:
    """Those that go on and those that are over each in one line, unless few of them differ in how long it was."""
    made = []
    for over in (False, True):
        group = [(node, seconds) for node, seconds, is_over in hit if is_over is over]
        if not group:
            continue
        longest = max(seconds for _, seconds in group)
        names = tuple(node.label for node, _ in group)
        same = len({int(seconds // 60) for _, seconds in group}) == 1
        if len(group) <= NAMES and not same:
            made += [Mention(look, (n.label,), 1, s, slow, over) for n, s in sorted(group, key=lambda p: -p[1])]
            continue
        short = len(names) == 1 or (len(names) <= NAMES and sum(map(len, names)) <= LETTERS)
        made.append(Mention(look, names if short else (), len(group), longest, slow, over))
    return made


def month_sentence(record: HistoryView, axis: Sequence[str], t: Locale, *, running: bool) -> Markup:
    """What stands under the name of a month: `Nothing was down. Something was sick for 35 minutes`."""
    if not record.observed:
        return escape(t.gettext("Nothing was observed in this month."))
    parts = []
    if record.dead:
        words = t.gettext("Something was down for %(time)s.")
        parts.append(Markup(escape(words)) % {"time": Markup("<b>{}</b>").format(t.duration(record.dead))})
    elif running:
        parts.append(escape(t.gettext("Nothing was down so far.")))
    else:
        parts.append(escape(t.gettext("Nothing was down.")))
    if record.sick:
        words = t.gettext("Something was sick for %(time)s.")
        parts.append(Markup(escape(words)) % {"time": Markup("<b>{}</b>").format(t.duration(record.sick))})
    return escape(t.gap).join(parts)


def day_sentence(said: Sequence[DayLine], fine: int, total: int, t: Locale) -> Markup:
    """Under the name of a day: what was wrong, and how many nodes were healthy all day."""
    if not said and not fine:
        return escape(t.gettext("Nothing was observed on this day."))
    parts = [Markup(escape(t.pgettext("sentence", "%(words)s."))) % {"words": s.words} for s in said]
    if not parts and fine == total:
        words = t.ngettext("Its one node was healthy all day.", "All %(n)s nodes were healthy all day.", fine)
        parts.append(escape(words % {"n": fine}))
    elif not parts:
        words = t.ngettext("%(n)s node was healthy all day.", "%(n)s nodes were healthy all day.", fine)
        parts.append(escape(words % {"n": fine}))
    elif fine:
        words = t.ngettext("%(n)s other node was healthy all day.", "%(n)s other nodes were healthy all day.", fine)
        parts.append(escape(words % {"n": fine}))
    return escape(t.gap).join(parts)


def sentence(mention: Mention, t: Locale) -> Markup:
    """`Checkout was down for 12 min`; of what goes on `Checkout down for 38 min, not over`."""
    n = mention.number
    if mention.names:
        names = t.listing(Markup("<bdi>{}</bdi>").format(name) for name in mention.names)
    else:
        names = escape(t.ngettext("%(n)s node", "%(n)s nodes", n) % {"n": n})
    values = {"names": names, "time": t.brief(mention.seconds)}
    if not mention.over:
        going = {
            "dead": t.gettext("%(names)s down for %(time)s, not over"),
            "work": t.gettext("%(names)s: planned work for %(time)s, not over"),
        }.get(mention.look) or (
            t.gettext("%(names)s slow for %(time)s, not over")
            if mention.slow
            else t.gettext("%(names)s sick for %(time)s, not over")
        )
        return Markup(escape(going)) % values
    if mention.look == "dead":
        words = t.ngettext("%(names)s was down for %(time)s", "%(names)s were down for %(time)s", n)
    elif mention.look == "work":
        words = t.gettext("%(names)s: planned work for %(time)s")
    elif mention.slow:
        words = t.ngettext("%(names)s was slow for %(time)s", "%(names)s were slow for %(time)s", n)
    else:
        words = t.ngettext("%(names)s was sick for %(time)s", "%(names)s were sick for %(time)s", n)
    return Markup(escape(words)) % values
