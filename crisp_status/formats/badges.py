"""Badges: small pictures of a health or an uptime, and the same as JSON for shields.io (PROTOCOLS sections 3.4, 6.5)."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from crisp_status.view.page_view import HistoryView, Look, NodeView, PageView, ServiceView

COLORS: Final[dict[Look, str]] = {
    "ok": "#008754",
    "sick": "#b35200",
    "dead": "#ac011a",
    "pend": "#636a76",
    "work": "#285cc2",
}
"""Fills on which white text has a contrast of at least 4.5:1."""

NONE: Final = "#636a76"

LABEL: Final = "#3a3f4a"

CACHE_SECONDS: Final = 60
"""What shields.io is asked to keep it for; it may take longer."""

_WIDTHS: Final = {
    **dict.fromkeys("ijl.,:;'|!", 3.2),
    **dict.fromkeys("ft()[]/ -rI", 4.3),
    **dict.fromkeys("mwMW%@", 10.2),
    **dict.fromkeys("ABCDEFGHKNOPQRSTUVXYZ&", 7.9),
}
"""Widths in pixels of letters in 11 px Verdana, its narrowest and widest; all others have 7."""

MAX_WORDS: Final = 60
"""Characters of a name on a badge."""


class Fact(NamedTuple):
    """What a badge says."""

    label: str
    message: str
    color: str
    bad: bool = False


def health(label: str, look: Look, words: dict[Look, str]) -> Fact:
    """A badge of a health; `words` are the names of the looks in the page's language."""
    return Fact(label, words[look], COLORS[look], look == "dead")


def uptime(label: str, history: HistoryView, words: str) -> Fact:
    """A badge of the uptime over the days that are kept; `words` is the figure in the page's language."""
    percent = history.uptime
    if percent is None:
        return Fact(label, "–", NONE)
    color = COLORS["ok"] if percent >= 99.9 else COLORS["sick"] if percent >= 99 else COLORS["dead"]
    return Fact(label, words, color)


def find(view: PageView, service: str, node: str = "") -> ServiceView | NodeView | None:
    """What a badge's address names."""
    if node:
        return view.nodes.get(f"{service}/{node}")
    return next((s for s in view.services if s.id == service), None)


def svg(fact: Fact) -> str:
    """The picture. No style, script or font of its own: it works under every policy and in every reader."""
    label, message = _clip(fact.label), _clip(fact.message)
    left, right = _width(label) + 12, _width(message) + 12
    total = left + right
    title = escape(f"{label}: {message}" if label else message)
    text = 'font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" viewBox="0 0 {total} 20" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{total}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><path fill="{LABEL}" d="M0 0h{left}v20H0z"/>'
        f'<path fill="{fact.color}" d="M{left} 0h{right}v20H{left}z"/></g>'
        f'<g fill="#fff" {text} text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 12}" lengthAdjust="spacingAndGlyphs">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 12}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(message)}</text></g></svg>"
    )


def shields(fact: Fact) -> str:
    """The JSON of a shields.io endpoint badge; no key beyond those that it knows."""
    value: dict[str, Any] = {
        "schemaVersion": 1,
        "label": _clip(fact.label),
        "message": _clip(fact.message) or "–",
        "color": fact.color.removeprefix("#"),
        "labelColor": LABEL.removeprefix("#"),
        "cacheSeconds": CACHE_SECONDS,
    }
    if fact.bad:
        value["isError"] = True
    return json.dumps(value, ensure_ascii=False)


_SIGNS: Final[dict[Look, str]] = {
    "ok": '<circle cx="16" cy="16" r="15" fill="{c}"/><path d="m9 16.5 5 5 9.5-10.5" {s}/>',
    "sick": '<path d="M16 2 31 29H1z" fill="{c}"/><path d="M16 11v9M16 25v.1" {s}/>',
    "dead": '<path d="M10 1h12l9 9v12l-9 9H10l-9-9V10z" fill="{c}"/><path d="m11 11 10 10m0-10-10 10" {s}/>',
    "pend": '<circle cx="16" cy="16" r="14" fill="none" stroke="{c}" stroke-width="2.5" stroke-dasharray="4 3"/>'
    '<path d="M9 16v.1M16 16v.1M23 16v.1" fill="none" stroke="{c}" stroke-width="3.5" stroke-linecap="round"/>',
    "work": '<rect x="2" y="2" width="28" height="28" rx="5" fill="{c}"/><path d="M12 10v12M20 10v12" {s}/>',
}
_STROKE: Final = 'fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"'


def icon(look: Look, title: str) -> str:
    """Vigil's `icon` badge: the sign of the health alone."""
    sign = _SIGNS[look].format(c=COLORS[look], s=_STROKE)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32" viewBox="0 0 32 32" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{sign}</svg>'
    )


def color(look: Look, title: str) -> str:
    """Vigil's `color` badge: a dot."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<circle cx="8" cy="8" r="8" fill="{COLORS[look]}"/></svg>'
    )


def _clip(words: str) -> str:
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def _width(words: str) -> int:
    """Pixels of a line in 11 px Verdana, estimated; `textLength` makes every font fill exactly that."""
    return max(1, round(sum(_WIDTHS.get(c, 12.0 if ord(c) > 0x2E80 else 7.0) for c in words)))
