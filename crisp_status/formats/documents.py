"""Every document of the page: path → how it is made. Read by the web server and by the static export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from crisp_status.formats import (
    badges,
    discovery,
    embed,
    feeds,
    ical,
    inner,
    latency_charts,
    preview,
    statuspage,
    subscriber_pages,
    uptime_report,
)
from crisp_status.formats.embed_policy import EmbedPolicy
from crisp_status.formats.html import CONTENT_TYPE as HTML
from crisp_status.formats.html import Html
from crisp_status.formats.routes import DAILY, FOREVER, FRESH, PRIVATE, DocumentCall, DocumentRoute, Made, Table
from crisp_status.language import reasons
from crisp_status.view import past

if TYPE_CHECKING:
    from gettext import NullTranslations

    from crisp_status.language.action_words import ActionText
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import Look, NodeView, PageView

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
CSV: Final = "text/csv; charset=utf-8"
SVG: Final = "image/svg+xml"
ATOM: Final = "application/atom+xml; charset=utf-8"
RSS: Final = "application/rss+xml; charset=utf-8"
XML: Final = "application/xml; charset=utf-8"
CALENDAR: Final = "text/calendar; charset=utf-8"
SCRIPT: Final = "text/javascript; charset=utf-8"

BADGE: Final = "public, max-age=30, stale-if-error=86400"
"""Badges stand on other sites, whose visitors load them again and again."""

SCRIPT_CACHE: Final = "public, max-age=3600, stale-if-error=604800"
"""The script changes with our releases only."""

UPTIME: Final = "show=uptime"

_LAST: Final = tuple(f"last={last}" for last in latency_charts.PERIODS)

_Text = Callable[["PageView", "Locale"], str]


def table(
    info: PageInfo, policy: EmbedPolicy | None = None, catalogues: Mapping[str, NullTranslations] | None = None
) -> Table:
    """All of them, for one configuration. `catalogues`: translations by language."""
    html = Html(info, catalogues)
    policy = policy or EmbedPolicy()
    routes = [
        *_pages(html),
        *_uptime(html),
        *_latency(),
        *_feeds(html),
        *_api(html),
        *_badges(html),
        *_embed(html, policy),
        *_files(html),
    ]
    if info.private:
        routes = [r if r.access == "free" else msgspec.structs.replace(r, cache=PRIVATE) for r in routes]
    headers = (("Content-Security-Policy", info.csp),)

    def error(status: int, language: str) -> Made:
        return Made(HTML, html.error(status, language), headers, status)

    if info.ways:
        routes += _subscribe(html)

    def notice(text: ActionText, language: str) -> Made:
        return Made(HTML, html.notice(text, language), (("Content-Security-Policy", info.policy()),))

    return Table(routes, info.languages, info.root, error, notice, html.locale)


def _pages(html: Html) -> list[DocumentRoute]:
    headers = (("Content-Security-Policy", html.info.csp),)

    def home(view: PageView, call: DocumentCall) -> Made:
        return Made(HTML, html.home(view, call.language), headers)

    def page(made: str | None) -> Made | None:
        return None if made is None else Made(HTML, made, headers)

    def gone(language: str) -> Made:
        return Made(HTML, html.error(410, language), headers, 410)

    def history(view: PageView, call: DocumentCall) -> Made | None:
        if not call.args:
            return page(inner.history(html, view, call.language))
        month = call.args[0]
        made = inner.month(html, view, month, call.language)
        return gone(call.language) if made is None and api_month(month) and month < view.months[-1] else page(made)

    def day(view: PageView, call: DocumentCall) -> Made | None:
        name = call.args[0]
        if not past.is_day(name):
            return None
        made = inner.day(html, view, name, call.language)
        return gone(call.language) if made is None and name < view.months[-1] else page(made)

    def incident(view: PageView, call: DocumentCall) -> Made | None:
        number = call.args[0]
        if not (number.isascii() and number.isdecimal()) or len(number) > 15 or number != str(int(number)):
            return None
        made = inner.incident(html, view, int(number), call.language)
        newest = max((i.id for i in view.incidents), default=0)
        return gone(call.language) if made is None and 0 < int(number) < newest else page(made)

    def node(view: PageView, call: DocumentCall) -> Made | None:
        return page(inner.node(html, view, "/".join(call.args), call.language, call.query.removeprefix("last=")))

    def language(view: PageView, call: DocumentCall) -> Made:
        code = call.query.removeprefix("to=")
        where = html.info.base(code) if code in html.info.languages else html.info.root
        return Made(TEXT, where, (("Location", where),), 303)

    def drawing(view: PageView, call: DocumentCall) -> Made:
        return Made(SVG, preview.drawing(view, html.locale(call.language)))

    def png(drawn: Made) -> Made | None:
        made = preview.png(str(drawn.body))
        return None if made is None else Made("image/png", made)

    return [
        DocumentRoute(pattern="/og.png", render=drawing, finish=png, localized=True),
        DocumentRoute(pattern="/", render=home, localized=True, open=False),
        DocumentRoute(pattern="/history", render=history, localized=True, open=False),
        DocumentRoute(pattern="/history/{}", render=history, localized=True, open=False),
        DocumentRoute(pattern="/day/{}", render=day, localized=True, open=False),
        DocumentRoute(pattern="/incidents/{}", render=incident, localized=True, open=False),
        DocumentRoute(pattern="/nodes/{}/{}", render=node, localized=True, open=False, queries=_LAST),
        DocumentRoute(
            pattern="/updates",
            render=lambda v, c: page(inner.updates(html, v, c.language)),
            localized=True,
            open=False,
        ),
        DocumentRoute(
            pattern="/language",
            render=language,
            cache=DAILY,
            queries=tuple(f"to={code}" for code in html.info.languages),
        ),
    ]


def _uptime(html: Html) -> list[DocumentRoute]:
    headers = (("Content-Security-Policy", html.info.csp),)

    def page(view: PageView, call: DocumentCall) -> Made | None:
        month = call.args[0] if call.args else view.months[0]
        made = uptime_report.page(html, view, month, call.language)
        return None if made is None else Made(HTML, made, headers)

    def table(view: PageView, call: DocumentCall) -> Made | None:
        made = uptime_report.report(view, call.args[0] if call.args else view.months[0])
        return None if made is None else Made(CSV, uptime_report.as_csv(made))

    def data(view: PageView, call: DocumentCall) -> Made | None:
        made = uptime_report.report(view, call.args[0] if call.args else view.months[0])
        return None if made is None else Made(JSON, statuspage.dump(uptime_report.as_json(made, view)))

    return [
        DocumentRoute(pattern="/uptime", render=page, localized=True, open=False),
        DocumentRoute(pattern="/uptime.csv", render=table),
        DocumentRoute(pattern="/uptime.json", render=data),
        DocumentRoute(pattern="/uptime/{}.csv", render=table),
        DocumentRoute(pattern="/uptime/{}.json", render=data),
        DocumentRoute(pattern="/uptime/{}", render=page, localized=True, open=False),
    ]


def _subscribe(html: Html) -> list[DocumentRoute]:
    headers = (("Content-Security-Policy", html.info.csp),)
    pages = {"/subscribe": subscriber_pages.subscribe, "/subscribe/sent": subscriber_pages.sent}

    def route(pattern: str) -> DocumentRoute:
        def render(view: PageView, call: DocumentCall) -> Made:
            return Made(HTML, pages[pattern](html, view, call.language), headers)

        return DocumentRoute(pattern=pattern, render=render, localized=True, open=False)

    return [route(pattern) for pattern in pages]


def _latency() -> list[DocumentRoute]:
    def made(
        kind: str, write: Callable[[PageView, NodeView, str], str | bytes]
    ) -> Callable[[PageView, DocumentCall], Made | None]:
        def render(view: PageView, call: DocumentCall) -> Made | None:
            node = view.nodes.get("/".join(call.args))
            return None if node is None else Made(kind, write(view, node, call.query[5:] or latency_charts.DEFAULT))

        return render

    table = made(CSV, latency_charts.as_csv)
    data = made(JSON, lambda view, node, last: statuspage.dump(latency_charts.as_json(view, node, last)))
    return [
        DocumentRoute(pattern="/api/latency/{}/{}.csv", render=table, queries=_LAST),
        DocumentRoute(pattern="/api/latency/{}/{}.json", render=data, queries=_LAST),
    ]


def api_month(text: str) -> bool:
    """Whether that is a month: `2026-11`."""
    year, dash, month = text.partition("-")
    digits = year.isascii() and year.isdecimal() and len(year) == 4 and month.isascii() and month.isdecimal()
    return bool(dash) and digits and len(month) == 2 and 1 <= int(month) <= 12


def _feeds(html: Html) -> list[DocumentRoute]:
    def feed(pattern: str, kind: str, write: _Text) -> DocumentRoute:
        def render(view: PageView, call: DocumentCall) -> Made:
            return Made(kind, write(view, html.locale(call.language)))

        return DocumentRoute(pattern=pattern, render=render, localized=True, access="keyed")

    open_end = html.locale(html.info.language).gettext("The end is open.")
    return [
        feed("/feed.atom", ATOM, feeds.changes),
        feed("/history.atom", ATOM, feeds.history),
        feed("/history.rss", RSS, feeds.rss),
        DocumentRoute(
            pattern="/maintenance.ics", render=lambda v, c: Made(CALENDAR, ical.calendar(v, open_end)), access="keyed"
        ),
    ]


def _api(html: Html) -> list[DocumentRoute]:
    def document(write: Callable[[PageView, Locale], dict[str, Any]]) -> Callable[[PageView, DocumentCall], Made]:
        # One language for machines: what they compare must not depend on who asks.
        return lambda view, call: Made(JSON, statuspage.dump(write(view, html.locale(html.info.language))))

    routes = [
        DocumentRoute(pattern=f"/api/v2/{name}.json", render=document(w)) for name, w in statuspage.DOCUMENTS.items()
    ]
    return [
        *routes,
        DocumentRoute(pattern="/status/text", render=lambda v, c: Made(TEXT, v.health.word)),
        DocumentRoute(pattern="/status/report", render=lambda v, c: Made(JSON, statuspage.dump(statuspage.report(v)))),
    ]


def _badges(html: Html) -> list[DocumentRoute]:
    def names_of_looks() -> dict[Look, str]:
        t = html.locale(html.info.language)
        looks: tuple[Look, ...] = ("ok", "sick", "dead", "pend", "work")
        return {look: reasons.word(look, t) for look in looks}

    said = names_of_looks()
    t = html.locale(html.info.language)

    def fact(view: PageView, call: DocumentCall) -> badges.Fact | None:
        if not call.args:
            label, look, past = view.info.name, view.look, view.history
        else:
            found = badges.find(view, *call.args)
            if found is None:
                return None
            label, look, past = found.name, found.look, found.history
        if call.query == UPTIME:
            return badges.uptime(label, past, t.percent(past.uptime))
        return badges.health(label, look, said)

    def svg(view: PageView, call: DocumentCall) -> Made | None:
        found = fact(view, call)
        return None if found is None else Made(SVG, badges.svg(found))

    def shields(view: PageView, call: DocumentCall) -> Made | None:
        found = fact(view, call)
        return None if found is None else Made(JSON, badges.shields(found))

    def badge(pattern: str, render: Callable[[PageView, DocumentCall], Made | None]) -> DocumentRoute:
        return DocumentRoute(pattern=pattern, render=render, cache=BADGE, queries=(UPTIME,), access="keyed")

    return [
        # A service may be called "icon" or "color"; its badge has an ending, Vigil's have none.
        badge("/badge/icon", lambda v, c: Made(SVG, badges.icon(v.look, f"{v.info.name}: {said[v.look]}"))),
        badge("/badge/color", lambda v, c: Made(SVG, badges.color(v.look, f"{v.info.name}: {said[v.look]}"))),
        badge("/badge.svg", svg),
        badge("/badge.json", shields),
        badge("/includes/badge/", svg),
        badge("/badge/{}.svg", svg),
        badge("/badge/{}.json", shields),
        badge("/badge/{}/{}.svg", svg),
        badge("/badge/{}/{}.json", shields),
    ]


def _embed(html: Html, policy: EmbedPolicy) -> list[DocumentRoute]:
    def answer(view: PageView, call: DocumentCall) -> Made:
        return Made(JSON, statuspage.dump(embed.answer(view, policy, html.locale(call.language))))

    return [
        DocumentRoute(pattern="/embed.json", render=answer, localized=True, access="keyed"),
        DocumentRoute(
            pattern="/embed.js", render=lambda v, c: Made(SCRIPT, embed.script()), cache=SCRIPT_CACHE, access="keyed"
        ),
    ]


def _files(html: Html) -> list[DocumentRoute]:
    def asset(view: PageView, call: DocumentCall) -> Made | None:
        found = view.info.assets.get(call.args[0])
        return None if found is None else Made(found.content_type, found.body)

    def favicon(view: PageView, call: DocumentCall) -> Made:
        icon = view.info.icon or view.info.icons[view.look][1]
        return Made(icon.content_type, icon.body)

    return [
        DocumentRoute(pattern="/assets/{}", render=asset, cache=FOREVER, access="free"),
        DocumentRoute(pattern="/favicon.ico", render=favicon, cache=FRESH),
        DocumentRoute(pattern="/robots.txt", render=lambda v, c: Made(TEXT, discovery.robots(v)), cache=DAILY),
        DocumentRoute(pattern="/sitemap.xml", render=lambda v, c: Made(XML, discovery.sitemap(v))),
    ]
