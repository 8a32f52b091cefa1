"""A `PageView` as HTML. Rows are kept as long as their node did not change, so that a page costs what changed."""

from __future__ import annotations

import re
from gettext import NullTranslations
from typing import TYPE_CHECKING, Any, Final

import msgspec
from jinja2 import TemplateError
from markupsafe import Markup

from crisp_status import log
from crisp_status.formats import bars, discovery, preview
from crisp_status.formats.alike import Patterns
from crisp_status.formats.templates import environment
from crisp_status.language import headline as words
from crisp_status.language import standing
from crisp_status.language.locale import Locale
from crisp_status.language.troubles import Troubles, node_day
from crisp_status.view.page_view import DayView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from crisp_status.language.action_words import ActionText
    from crisp_status.language.troubles import DayLine
    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import HistoryView, NodeView, PageView, ServiceView

CONTENT_TYPE: Final = "text/html; charset=utf-8"

LARGE_FROM: Final = 41
"""Nodes from which services are folded and rows show no bars."""

OPEN_ROWS: Final = 100
"""Rows of affected services that are unfolded on a large page."""

BOXES_SHOWN: Final = 60
"""Replica boxes of a row; a node with more shows the bad ones first and counts the rest."""

COMING_SHOWN: Final = 5
"""Coming maintenances on the home page."""

CHIPS_SHOWN: Final = 6
"""Links under the headline."""

_USED: Final = re.compile(r'<use href="#(\w+)"')
_SYMBOL: Final = re.compile(r'<symbol id="(\w+)".*?</symbol>\n?', re.DOTALL)


class Html:
    """Renders the pages of one configuration. Used by one thread at a time."""

    def __init__(self, info: PageInfo, catalogues: Mapping[str, NullTranslations] | None = None) -> None:
        """`catalogues`: translations by language; one that is missing speaks English."""
        self.info = info
        self.troubles = Troubles()
        self._catalogues = catalogues or {}
        self._tongues: dict[str, Locale] = {}
        self._ours = environment()
        self._env = environment(info.templates) if info.templates else self._ours
        self._rows: dict[tuple[str, str], dict[str, tuple[NodeView, tuple[object, ...], Markup]]] = {}
        self._patterns = Patterns()
        self._pictured: tuple[PageView | None, dict[str, str]] = (None, {})

    def locale(self, language: str = "") -> Locale:
        """The language, in the page's zone; one that the page does not speak, or "", is the default."""
        language = language or self.info.language
        found = self._tongues.get(language)
        if found is None:
            if language not in self.info.languages:
                language = self.info.language
            found = Locale(
                language,
                self.info.timezone,
                self._catalogues.get(language),
                self.info.labels,
                plain=self.info.plain_labels,
            )
            self._tongues[language] = found
        return found

    def home(self, view: PageView, language: str = "") -> str:
        """The page."""
        t = self.locale(language)
        large = len(view.nodes) >= LARGE_FROM
        hurt, well = _sorted(view, large=large)
        folds = _Folds(self, view, t, large=large)
        chips = standing.chips(view, t, large=large)
        headline, sentence = words.headline(view, t), words.sentence(view, t)
        return self.render(
            "home.html",
            view,
            t,
            title=words.title(view, t),
            about=self.info.description or sentence.striptags(),
            headline=headline,
            sentence=sentence,
            eye=standing.eye(view, t),
            call=standing.call(view, t),
            chips=chips[:CHIPS_SHOWN],
            more_chips=max(0, len(chips) - CHIPS_SHOWN),
            large=large,
            inner=large,
            hurt=hurt,
            well=well,
            folded=folds.row,
            rows=lambda service: self.rows_of(service, view, t, large=large),
            standing=lambda service: standing.service(service, t, hurt=view.look not in {"ok", "pend"}),
            tally=standing.affected_tally(view, hurt, t),
            well_tally=standing.tally(well, t),
            current="home",
            works=view.maintenances[: COMING_SHOWN + sum(m.running for m in view.maintenances)],
            **self.strip_of_page(view, t),
            **self.found(view, t, words.title(view, t), sentence.striptags(), "", linked=True),
        )

    def strip_of_page(self, view: PageView, t: Locale) -> dict[str, Markup]:
        """The ninety days of everything: the bars, what stands under them, and the same in words."""
        base = self.info.base(t.code)

        def lines_of(day: DayView) -> Sequence[DayLine]:
            return self.troubles.of_day(view, view.days[day.index], t)

        history = self.with_work(view, view.history, view.days)
        label = bars.named(t.gettext("All services"), history, t)
        since = view.since if history.observed <= 1 else 0.0
        return {
            "strip": bars.strip(label, history, view.days, lines_of, base, t),
            "caption": bars.caption(history, view.days, t, since),
            "in_words": bars.in_words(history, view.days, lines_of, base, t),
        }

    def with_work(self, view: PageView, history: HistoryView, axis: tuple[str, ...], service: str = "") -> HistoryView:
        """The history of the page or a service, with days on which some of its nodes were worked on, and nothing else."""
        known = {day.index for day in history.days} | set(history.blank)
        added = []
        for index, day in enumerate(axis):
            if index not in known and (mentions := self.troubles.mentions(view, day, service)):
                work = [m.seconds for m in mentions if m.look == "work"]
                if work:
                    added.append(DayView(index, "work", maintenance=max(work)))
        if not added:
            return history
        days = tuple(sorted((*history.days, *added), key=lambda day: day.index))
        return msgspec.structs.replace(history, days=days)

    def strip_of_node(self, node: NodeView, view: PageView, t: Locale) -> tuple[Markup, Markup]:
        """The bars of one node, and the same in words."""
        base = self.info.base(t.code)

        def lines_of(day: DayView) -> Sequence[DayLine]:
            slow = self.troubles.slow(view, node.key, view.days[day.index])
            over = day.index < len(view.days) - 1 or node.look != day.look
            return node_day(day, t, slow=slow, over=over)

        label = bars.named(node.name, node.history, t)
        strip = bars.strip(label, node.history, view.days, lines_of, base, t)
        return strip, bars.in_words(node.history, view.days, lines_of, base, t, node.name)

    def strip_of_service(self, service: ServiceView, view: PageView, t: Locale) -> Markup:
        """The worst of its nodes, day by day."""

        def lines_of(day: DayView) -> Sequence[DayLine]:
            return self.troubles.of_day(view, view.days[day.index], t, service.id)

        history = self.with_work(view, service.history, view.days, service.id)
        label = bars.named(service.name, history, t)
        return bars.strip(label, history, view.days, lines_of, self.info.base(t.code), t)

    def error(self, status: int, language: str = "") -> str:
        """A small page for an error of a visitor's request, such as 404 or 410. Needs no state."""
        t = self.locale(language)
        said = {
            401: (
                t.gettext("This page is not public"),
                t.gettext("Sign in with the password that you were given."),
            ),
            403: (t.gettext("This page is not public"), t.gettext("It can be seen from certain networks only.")),
            404: (
                t.gettext("There is no such page"),
                t.gettext("The address may be old or mistyped. The present state is on the first page."),
            ),
            410: (t.gettext("This is no longer kept"), t.gettext("History is kept for a limited time.")),
            405: (
                t.gettext("This can not be done here"),
                t.gettext("The address exists, but not for this kind of request."),
            ),
            429: (t.gettext("Too many requests"), t.gettext("Please wait a moment, then try again.")),
            503: (t.gettext("One moment, please"), t.gettext("The page is just starting. Please try again.")),
        }
        headline, sentence = said.get(
            status, (t.gettext("This did not work"), t.gettext("Please go back to the page and try again."))
        )
        return self.render(
            "error.html",
            None,
            t,
            title=f"{headline} · {self.info.name}",
            headline=headline,
            sentence=sentence,
            status=status,
            current="error",
            slim=True,
        )

    def notice(self, text: ActionText, language: str = "") -> str:
        """A page of a few words, for those who follow a link in a message."""
        t = self.locale(language)
        return self.render(
            "notice.html", None, t, title=f"{text.title} · {self.info.name}", text=text, current="notice", slim=True
        )

    def found(
        self, view: PageView, t: Locale, title: str, about: str, path: str, *, linked: bool = False
    ) -> dict[str, Any]:
        """What search engines and previews of links are told."""
        return {
            "og": discovery.open_graph(view, t, title, about, path, self._picture(view, t)),
            "addresses": discovery.addresses(view, path),
            "linked_data": discovery.structured(view, t, self.info.description or about) if linked else "",
        }

    def _picture(self, view: PageView, t: Locale) -> str:
        if not preview.installed() or self.info.private:
            return ""
        if self._pictured[0] is not view:
            self._pictured = view, {}
        marks = self._pictured[1]
        if t.code not in marks:
            marks[t.code] = preview.mark(view, t)
        return marks[t.code]

    def _row(self, node: NodeView, view: PageView, t: Locale, *, large: bool) -> Markup:
        if not large:
            return self._cached("node.html", node, view, t, lambda: self.strip_of_node(node, view, t))
        # A template of the operator may show anything of a node.
        if node.look in ("ok", "pend") and self._env is self._ours:
            return self._patterns.row(
                node,
                (t.code,),
                lambda alike: self._part("many.html", view, t, node=alike, boxes_shown=BOXES_SHOWN),
            )
        return self._cached("many.html", node, view, t)

    def _cached(
        self,
        template: str,
        node: NodeView,
        view: PageView,
        t: Locale,
        past: Callable[[], tuple[Markup, Markup]] | None = None,
    ) -> Markup:
        rows = self._rows.setdefault((template, t.code), {})
        # What else a row shows: the date, whether pending is worth a word.
        around = (view.days[-1], view.look == "pend")
        kept = rows.get(node.key)
        if kept is not None and kept[0] is node and kept[1] == around:
            return kept[2]
        strip, in_words = past() if past else (Markup(), Markup())
        html = Markup(self._part(template, view, t, node=node, boxes_shown=BOXES_SHOWN, strip=strip, in_words=in_words))
        if len(rows) > 2 * len(view.nodes) + 100:
            for gone in rows.keys() - view.nodes.keys():
                del rows[gone]
        rows[node.key] = node, around, html
        return html

    def render(self, template: str, view: PageView | None, t: Locale, **values: Any) -> str:
        """A whole page, with the icons that it shows."""
        text = self._part(template, view, t, **{"inner": True, "slim": False, "about": "", "call": "", **values})
        used = set(_USED.findall(text))
        return _SYMBOL.sub(lambda symbol: symbol.group() if symbol.group(1) in used else "", text)

    def _part(self, template: str, view: PageView | None, t: Locale, **values: Any) -> str:
        values |= {
            "t": t,
            "info": self.info,
            "view": view,
            "base": self.info.base(t.code),
            "comma": t.pgettext("between items of a list", ", "),
            "today": view.days[-1] if view else "",
            # A page without a view is shown to anybody.
            "key": f"?key={self.info.read_key}" if view and self.info.read_key else "",
        }
        if self._env is not self._ours:
            try:
                return self._env.get_template(template).render(values)
            except (TemplateError, TypeError, ValueError, AttributeError, LookupError) as error:
                # A page is worth more than a look: a template of the operator that fails is replaced by ours.
                log.get().error("own template failed", template=template, error=str(error))
        return self._ours.get_template(template).render(values)

    def part(self, template: str, view: PageView, t: Locale, **values: Any) -> Markup:
        """A piece of a page."""
        return Markup(self._part(template, view, t, **values))

    def rows_of(self, service: ServiceView, view: PageView, t: Locale, *, large: bool) -> Markup:
        """The rows of a service."""
        return Markup("").join([self._row(node, view, t, large=large) for node in service.nodes])


class _Folds:
    """Folded services of one page; the first affected ones stand open."""

    def __init__(self, html: Html, view: PageView, t: Locale, *, large: bool) -> None:
        self._html, self._view, self._t, self._large = html, view, t, large
        self._room = OPEN_ROWS

    def row(self, service: ServiceView) -> Markup:
        """One of them."""
        opened = False
        if self._large and service.look == self._view.look != "ok" and len(service.nodes) <= self._room:
            opened = True
            self._room -= len(service.nodes)
        return self._html.part(
            "service.html",
            self._view,
            self._t,
            service=service,
            opened=opened,
            large=self._large,
            standing=standing.folded(service, self._t),
            rows=self._html.rows_of(service, self._view, self._t, large=self._large),
            strip=self._html.strip_of_service(service, self._view, self._t),
        )


def _sorted(view: PageView, *, large: bool) -> tuple[list[ServiceView], list[ServiceView]]:
    """Services that are shown in full, the worst first, and those that are folded."""
    if view.look in {"ok", "pend"} and not large:
        return list(view.services), []
    bad = {"dead", "sick", "work"}
    hurt = [s for s in view.services if any(node.look in bad for node in s.nodes)]
    worst = {s.id: min(standing.RANK[node.look] for node in s.nodes) for s in hurt}
    hurt.sort(key=lambda s: worst[s.id])
    return hurt, [s for s in view.services if s.id not in worst]
