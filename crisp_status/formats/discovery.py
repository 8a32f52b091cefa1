"""What search engines, previews of links and feed readers find: robots.txt, sitemap.xml, Open Graph, JSON-LD."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from crisp_status.formats.statuspage import changed_at, iso, link

if TYPE_CHECKING:
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, PageView

MAX_URLS = 5000
"""Addresses in the sitemap; incidents of years fit, and the format takes ten times as many."""


def robots(view: PageView) -> str:
    """`/robots.txt`: everything public may be read; doors for machines are of no use to a search."""
    root = view.info.root
    if not view.info.robots:
        return "User-agent: *\nDisallow: /\n"
    closed = ("manager/", "operator/", "act/", "v1/", "reporter/", "ping/", "api/push/")
    lines = ["User-agent: *", "Allow: /", *(f"Disallow: {root}{path}" for path in closed)]
    return "\n".join([*lines, f"Sitemap: {link(view, 'sitemap.xml')}", ""])


def addresses(view: PageView, path: str) -> list[tuple[str, str]]:
    """The same page in every language, as (language, address); "x-default" leaves the choice to the browser."""
    languages = view.info.languages
    if len(languages) < 2:
        return [(languages[0], link(view, path))]
    return [("x-default", link(view, path)), *((code, link(view, f"{code}/{path}")) for code in languages)]


def sitemap(view: PageView) -> str:
    """`/sitemap.xml`, with the languages of each page."""
    changed = changed_at(view)
    pages = [("", changed), ("history", changed)]
    pages += [(f"history/{month}", 0.0) for month in view.months]
    pages += [(f"incidents/{i.id}", i.updated_at) for i in view.incidents]
    entries = "".join(_url(view, path, at) for path, at in pages[:MAX_URLS])
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:xhtml="http://www.w3.org/1999/xhtml">{entries}</urlset>'
    )


def _url(view: PageView, path: str, at: float) -> str:
    modified = ""
    if at:
        modified = f"<lastmod>{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}</lastmod>"
    others = addresses(view, path)
    links = "".join(
        f'<xhtml:link rel="alternate" hreflang="{escape(code)}" href="{escape(address)}"/>' for code, address in others
    )
    return f"<url><loc>{escape(link(view, path))}</loc>{modified}{links if len(others) > 1 else ''}</url>"


LOCALES = {
    "ar": "ar_AR", "de": "de_DE", "en": "en_US", "es": "es_ES", "fr": "fr_FR", "it": "it_IT", "ja": "ja_JP",
    "nl": "nl_NL", "pl": "pl_PL", "pt": "pt_PT", "zh": "zh_CN",
}  # fmt: skip
"""Languages as Open Graph names them."""


def open_graph(
    view: PageView, t: Locale, title: str, description: str, path: str = "", picture: str = ""
) -> tuple[tuple[str, str], ...]:
    """`<meta property=… content=…>` of a page, as plain text. `picture`: what changes with the preview; "" has none."""
    found = [
        ("og:type", "website"),
        ("og:site_name", view.info.name),
        ("og:title", title),
        ("og:description", description),
        ("og:url", link(view, path)),
        ("og:locale", LOCALES.get(t.code, t.code.replace("-", "_"))),
    ]
    if picture:
        prefix = f"{t.code}/" if len(view.info.languages) > 1 else ""
        found += [
            ("og:image", link(view, f"{prefix}og.png?v={picture}")),
            ("og:image:width", "1200"),
            ("og:image:height", "630"),
            ("twitter:card", "summary_large_image"),
        ]
        return tuple(found)
    logo = view.info.header_logo
    if logo is not None and logo.content_type in {"image/png", "image/jpeg", "image/webp"}:
        found.append(("og:image", link(view, f"assets/{logo.name}")))
    return tuple(found)


def structured(view: PageView, t: Locale, description: str) -> str:
    """JSON-LD of the home page, safe inside a `<script type="application/ld+json">`, which no browser runs."""
    publisher: dict[str, Any] = {"@type": "Organization", "name": view.info.company or view.info.name}
    if view.info.website_url:
        publisher["url"] = view.info.website_url
    graph: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "WebPage",
        "name": view.info.name,
        "description": description,
        "url": link(view),
        "inLanguage": t.code,
        "dateModified": iso(changed_at(view)),
        "publisher": publisher,
    }
    posts = [_post(title, at, link(view), publisher) for title, at in _news(view)]
    if posts:
        graph["hasPart"] = posts
    return _safe(graph)


def article(view: PageView, t: Locale, incident: IncidentView, headline: str) -> str:
    """JSON-LD of one incident's page."""
    return _safe(
        {
            "@context": "https://schema.org",
            "@type": "Article",
            "headline": headline,
            "url": link(view, f"incidents/{incident.id}"),
            "inLanguage": t.code,
            "datePublished": iso(incident.opened_at),
            "dateModified": iso(incident.updated_at),
            "author": {"@type": "Organization", "name": view.info.company or view.info.name},
        }
    )


def _news(view: PageView) -> list[tuple[str, float]]:
    words = [(a.title, a.created_at or a.starts_at) for a in view.announcements]
    return words + [(m.title, m.created_at or m.starts_at) for m in view.maintenances[:10]]


def _post(title: str, at: float, url: str, publisher: dict[str, Any]) -> dict[str, Any]:
    post = {"@type": "SpecialAnnouncement", "name": title, "url": url, "publisher": publisher}
    return post | ({"datePosted": iso(at)} if at else {})


def _safe(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
