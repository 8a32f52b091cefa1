"""Every document of the page: path → how it is made. Read by the web server and by the static export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from crisp_status.page import api, badges, discovery, embed, feeds, ical, reasons
from crisp_status.page.html import CONTENT_TYPE as HTML
from crisp_status.page.html import Html
from crisp_status.page.policy import EmbedPolicy
from crisp_status.page.routes import DAILY, FOREVER, FRESH, Call, Made, Route, Table

if TYPE_CHECKING:
    from gettext import NullTranslations

    from crisp_status.page.info import PageInfo
    from crisp_status.page.tongue import Tongue
    from crisp_status.page.view import Look, PageView

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
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

_Text = Callable[["PageView", "Tongue"], str]


def table(
    info: PageInfo, policy: EmbedPolicy | None = None, catalogues: Mapping[str, NullTranslations] | None = None
) -> Table:
    """All of them, for one configuration. `catalogues`: translations by language."""
    html = Html(info, catalogues)
    policy = policy or EmbedPolicy()
    routes = [*_pages(html), *_feeds(html), *_api(html), *_badges(html), *_embed(html, policy), *_files(html)]
    headers = (("Content-Security-Policy", info.csp),)

    def error(status: int, language: str) -> Made:
        return Made(HTML, html.error(status, language), headers, status)

    return Table(routes, info.languages, info.root, error)


def _pages(html: Html) -> list[Route]:
    headers = (("Content-Security-Policy", html.info.csp),)

    def home(view: PageView, call: Call) -> Made:
        return Made(HTML, html.home(view, call.language), headers)

    def history(view: PageView, call: Call) -> Made | None:
        month = call.args[0] if call.args else ""
        made = html.history(view, call.language, month)
        if made is not None:
            return Made(HTML, made, headers)
        gone = api_month(month) and month < view.months[-1]
        return Made(HTML, html.error(410, call.language), headers, 410) if gone else None

    def incident(view: PageView, call: Call) -> Made | None:
        number = call.args[0]
        if not (number.isascii() and number.isdecimal()) or len(number) > 15 or number != str(int(number)):
            return None
        made = html.incident(view, int(number), call.language)
        if made is not None:
            return Made(HTML, made, headers)
        newest = max((i.id for i in view.incidents), default=0)
        if 0 < int(number) < newest:
            return Made(HTML, html.error(410, call.language), headers, 410)
        return None

    return [
        Route(pattern="/", render=home, localized=True, open=False),
        Route(pattern="/history", render=history, localized=True, open=False),
        Route(pattern="/history/{}", render=history, localized=True, open=False),
        Route(pattern="/incidents/{}", render=incident, localized=True, open=False),
    ]


def api_month(text: str) -> bool:
    """Whether that is a month: `2026-11`."""
    year, dash, month = text.partition("-")
    digits = year.isascii() and year.isdecimal() and len(year) == 4 and month.isascii() and month.isdecimal()
    return bool(dash) and digits and len(month) == 2 and 1 <= int(month) <= 12


def _feeds(html: Html) -> list[Route]:
    def feed(pattern: str, kind: str, write: _Text) -> Route:
        def render(view: PageView, call: Call) -> Made:
            return Made(kind, write(view, html.tongue(call.language)))

        return Route(pattern=pattern, render=render, localized=True)

    open_end = html.tongue(html.info.language).gettext("The end is open.")
    return [
        feed("/feed.atom", ATOM, feeds.changes),
        feed("/history.atom", ATOM, feeds.history),
        feed("/history.rss", RSS, feeds.rss),
        Route(pattern="/maintenance.ics", render=lambda v, c: Made(CALENDAR, ical.calendar(v, open_end))),
    ]


def _api(html: Html) -> list[Route]:
    def document(write: Callable[[PageView, Tongue], dict[str, Any]]) -> Callable[[PageView, Call], Made]:
        # One language for machines: what they compare must not depend on who asks.
        return lambda view, call: Made(JSON, api.dump(write(view, html.tongue(html.info.language))))

    routes = [Route(pattern=f"/api/v2/{name}.json", render=document(w)) for name, w in api.DOCUMENTS.items()]
    return [
        *routes,
        Route(pattern="/status/text", render=lambda v, c: Made(TEXT, v.health.word)),
        Route(pattern="/status/report", render=lambda v, c: Made(JSON, api.dump(api.report(v)))),
    ]


def _badges(html: Html) -> list[Route]:
    def words() -> dict[Look, str]:
        t = html.tongue(html.info.language)
        looks: tuple[Look, ...] = ("ok", "sick", "dead", "pend", "work")
        return {look: reasons.word(look, t) for look in looks}

    said = words()
    t = html.tongue(html.info.language)

    def fact(view: PageView, call: Call) -> badges.Fact | None:
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

    def svg(view: PageView, call: Call) -> Made | None:
        found = fact(view, call)
        return None if found is None else Made(SVG, badges.svg(found))

    def shields(view: PageView, call: Call) -> Made | None:
        found = fact(view, call)
        return None if found is None else Made(JSON, badges.shields(found))

    def badge(pattern: str, render: Callable[[PageView, Call], Made | None]) -> Route:
        return Route(pattern=pattern, render=render, cache=BADGE, queries=(UPTIME,))

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


def _embed(html: Html, policy: EmbedPolicy) -> list[Route]:
    def answer(view: PageView, call: Call) -> Made:
        return Made(JSON, api.dump(embed.answer(view, policy, html.tongue(call.language))))

    return [
        Route(pattern="/embed.json", render=answer, localized=True),
        Route(pattern="/embed.js", render=lambda v, c: Made(SCRIPT, embed.script()), cache=SCRIPT_CACHE),
    ]


def _files(html: Html) -> list[Route]:
    def asset(view: PageView, call: Call) -> Made | None:
        found = view.info.assets.get(call.args[0])
        return None if found is None else Made(found.content_type, found.body)

    def favicon(view: PageView, call: Call) -> Made:
        icon = view.info.icon or view.info.icons[view.look][1]
        return Made(icon.content_type, icon.body)

    return [
        Route(pattern="/assets/{}", render=asset, cache=FOREVER),
        Route(pattern="/favicon.ico", render=favicon, cache=FRESH),
        Route(pattern="/robots.txt", render=lambda v, c: Made(TEXT, discovery.robots(v)), cache=DAILY),
        Route(pattern="/sitemap.xml", render=lambda v, c: Made(XML, discovery.sitemap(v))),
        Route(pattern="/healthz", render=lambda v, c: Made(TEXT, "ok"), cache="no-store"),
    ]
