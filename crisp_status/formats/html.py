"""A `PageView` as HTML. Rows are kept as long as their node did not change, so that a page costs what changed."""

from __future__ import annotations

from gettext import NullTranslations
from typing import TYPE_CHECKING, Any, Final

from jinja2 import TemplateError
from markupsafe import Markup

from crisp_status import log
from crisp_status.formats import discovery
from crisp_status.formats.alike import Patterns
from crisp_status.formats.templates import environment
from crisp_status.language import headline as words
from crisp_status.language import timeline
from crisp_status.language.locale import Locale, capital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import IncidentView, NodeView, PageView

CONTENT_TYPE: Final = "text/html; charset=utf-8"

WIDE_FROM: Final = 41
"""Nodes from which the page is wider, and rows show no strip (visual specification, section 4.8)."""

TOOLS_FROM: Final = 21
"""Nodes from which there are "problems only" and links to the services."""

MANY_FROM: Final = 7
"""Nodes of a service from which they stand in a grid."""

TABLES_UP_TO: Final = 200
"""Nodes up to which every row holds the table of its replicas; above, only rows of those that are not well do:
a page of a thousand nodes stays under a megabyte before compression."""

BOXES_SHOWN: Final = 60
"""Replica boxes of a row; a node with more shows the bad ones first and counts the rest."""

MONTHS_SHOWN: Final = 4
"""Months of incidents on the history page; older ones have a page each."""

INCIDENTS_SHOWN: Final = 300
"""Incidents of a month that are shown."""

LINES_SHOWN: Final = 30
"""Lines of a timeline on the home and history page; the incident's own page has all."""

COMING_SHOWN: Final = 5
"""Coming maintenances on the home page."""


class Html:
    """Renders the pages of one configuration. Used by one thread at a time."""

    def __init__(self, info: PageInfo, catalogues: Mapping[str, NullTranslations] | None = None) -> None:
        """`catalogues`: translations by language; one that is missing speaks English."""
        self.info = info
        self._catalogues = catalogues or {}
        self._tongues: dict[str, Locale] = {}
        self._ours = environment()
        self._env = environment(info.templates) if info.templates else self._ours
        self._rows: dict[tuple[str, str], dict[str, tuple[NodeView, tuple[object, ...], Markup]]] = {}
        self._patterns = Patterns()

    def tongue(self, language: str) -> Locale:
        """The language, in the page's zone; one that the page does not speak is the default."""
        found = self._tongues.get(language)
        if found is None:
            if language not in self.info.languages:
                language = self.info.language
            found = Locale(language, self.info.timezone, self._catalogues.get(language))
            self._tongues[language] = found
        return found

    def home(self, view: PageView, language: str = "") -> str:
        """The page."""
        t = self.tongue(language or self.info.language)
        total = len(view.nodes)
        return self._render(
            "home.html",
            view,
            t,
            title=words.title(view, t),
            headline=words.headline(view, t),
            sentence=words.sentence(view, t),
            affected=words.affected(view),
            wide=total >= WIDE_FROM,
            tools=total >= TOOLS_FROM,
            many_from=MANY_FROM,
            row=lambda node: self._row(node, view, t, total),
            rows=lambda service: Markup("".join([self._row(node, view, t, total) for node in service.nodes])),
            current="home",
            **self._found(view, t, words.headline(view, t), "", linked=True),
            works=view.maintenances[: COMING_SHOWN + sum(m.running for m in view.maintenances)],
            lines_shown=LINES_SHOWN,
            chips_shown=words.CHIPS_SHOWN,
        )

    def history(self, view: PageView, language: str = "", month: str = "") -> str | None:
        """The history: uptime and the last months, or one month (`2026-11`). None: that month is not kept."""
        t = self.tongue(language or self.info.language)
        if month and month not in view.months:
            return None
        shown = (month,) if month else view.months[:MONTHS_SHOWN]
        by_month: dict[str, list[IncidentView]] = {m: [] for m in shown}
        for incident in view.incidents:
            listed = by_month.get(t.month_of(incident.opened_at))
            if listed is not None:
                listed.append(incident)
        place = view.months.index(shown[-1]) if shown else -1
        blame = {} if month else timeline.blame(view, t)
        older = view.months[place + 1] if place + 1 < len(view.months) else ""
        newer = view.months[place - 1] if month and place > 0 else ""
        name = capital(t.month(month)) if month else t.gettext("History")
        return self._render(
            "history.html",
            view,
            t,
            title=f"{name} · {self.info.name}",
            month=month,
            months=[(m, by_month[m][:INCIDENTS_SHOWN], len(by_month[m])) for m in shown],
            older=older,
            newer=newer,
            headline=words.headline(view, t),
            strip_row=lambda node: self._strip_row(node, view, t, blame.get(node.key, ())),
            wide=False,
            current="history",
            **self._found(view, t, name, f"history/{month}" if month else "history"),
            lines_shown=LINES_SHOWN,
        )

    def incident(self, view: PageView, number: int, language: str = "") -> str | None:
        """One incident with its whole timeline. None: there is none of that number."""
        t = self.tongue(language or self.info.language)
        incident = view.incident(number)
        if incident is None:
            return None
        headline = timeline.headline(incident, t)
        return self._render(
            "incident.html",
            view,
            t,
            title=f"{headline} · {self.info.name}",
            incident=incident,
            headline=headline,
            wide=False,
            current="incident",
            **self._found(view, t, headline, f"incidents/{number}")
            | {"linked_data": discovery.article(view, t, incident, headline)},
        )

    def error(self, status: int, language: str = "") -> str:
        """A small page for an error of a visitor's request, such as 404 or 410. Needs no state."""
        t = self.tongue(language or self.info.language)
        said = {
            404: (
                t.gettext("There is no such page"),
                t.gettext("The address may be mistyped, or what was here is gone."),
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
        return self._render(
            "error.html",
            None,
            t,
            title=f"{headline} · {self.info.name}",
            headline=headline,
            sentence=sentence,
            status=status,
            wide=False,
            current="error",
        )

    def _found(self, view: PageView, t: Locale, title: str, path: str, *, linked: bool = False) -> dict[str, Any]:
        """What search engines and previews of links are told."""
        about = self.info.description or words.headline(view, t)
        return {
            "og": discovery.open_graph(view, t, title, about, path),
            "addresses": discovery.addresses(view, path),
            "linked_data": discovery.structured(view, t, about) if linked else "",
        }

    def _row(self, node: NodeView, view: PageView, t: Locale, total: int) -> Markup:
        strips, tables = total < WIDE_FROM, total <= TABLES_UP_TO
        # A template of the operator may show anything of a node.
        if node.look in ("ok", "pend") and not strips and not tables and self._env is self._ours:
            return self._patterns.row(
                node,
                (t.code, view.look == "pend"),
                lambda alike: self._render(
                    "node.html", view, t, node=alike, boxes_shown=BOXES_SHOWN, strips=strips, tables=tables
                ),
            )
        return self._kept("node.html", node, view, t, strips=strips, tables=tables)

    def _strip_row(self, node: NodeView, view: PageView, t: Locale, blame: tuple[tuple[str, int], ...]) -> Markup:
        return self._kept("history-node.html", node, view, t, blame=blame)

    def _kept(self, template: str, node: NodeView, view: PageView, t: Locale, **how: object) -> Markup:
        rows = self._rows.setdefault((template, t.code), {})
        # What else a row shows: the date, the page's strip, whether pending is worth a word.
        around = (view.days[-1], view.history.blank, view.look == "pend", *how.values())
        kept = rows.get(node.key)
        if kept is not None and kept[0] is node and kept[1] == around:
            return kept[2]
        html = Markup(self._render(template, view, t, node=node, boxes_shown=BOXES_SHOWN, **how))
        if len(rows) > 2 * len(view.nodes) + 100:
            for gone in rows.keys() - view.nodes.keys():
                del rows[gone]
        rows[node.key] = node, around, html
        return html

    def _render(self, template: str, view: PageView | None, t: Locale, **values: Any) -> str:
        values |= {
            "t": t,
            "info": self.info,
            "view": view,
            "base": self.info.base(t.code),
            "today": view.days[-1] if view else "",
        }
        if self._env is not self._ours:
            try:
                return self._env.get_template(template).render(values)
            except (TemplateError, TypeError, ValueError, AttributeError, LookupError) as error:
                # A page is worth more than a look: a template of the operator that fails is replaced by ours.
                log.get().error("own template failed", template=template, error=str(error))
        return self._ours.get_template(template).render(values)
