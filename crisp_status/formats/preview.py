"""The picture that other programs show beside a link to the page: the state, the headline and ninety days.

Drawn as SVG, and made a PNG by resvg (the extra `preview`) without a browser, in a process of its own (`_png.py`). A
picture is made once for what is on it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64encode
from functools import cache, lru_cache
from hashlib import blake2b
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from crisp_status import log
from crisp_status.language import headline as words
from crisp_status.language import standing

if TYPE_CHECKING:
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import HistoryView, Look, PageView

WIDTH: Final = 1200
HEIGHT: Final = 630

KEPT: Final = 64
"""Pictures that are remembered: a state in each of eleven languages, and some before."""

PROGRAM: Final = Path(__file__).with_name("_png.py")

SECONDS_MAX: Final = 20.0
"""What a picture may take; on a slow machine one takes two."""

_TINTS: Final[dict[Look, str]] = {
    "ok": "#d9f8e7", "sick": "#ffe6c4", "dead": "#ffdad7", "pend": "#e9ecf2", "work": "#dfe9ff",
}  # fmt: skip
_INKS: Final[dict[Look, str]] = {
    "ok": "#008754", "sick": "#d06400", "dead": "#ac011a", "pend": "#6e7581", "work": "#285cc2",
}  # fmt: skip
_BARS: Final[dict[Look, tuple[str, str, int]]] = {
    "ok": ("#c4eed8", "#1f9a62", 8), "sick": ("#ffdcae", "#d06400", 38), "dead": ("#ac011a", "#ac011a", 64),
    "pend": ("#e9ecf2", "#e9ecf2", 8), "work": ("#d2e2ff", "#285cc2", 38),
}  # fmt: skip
"""Track, solid part, and how high that is."""

_ROOM: Final = 816
"""Units that the headline has in width."""

_SIZES: Final = (80, 72, 64, 56)
_NARROW: Final = frozenset("iIljt.,:;'|!()[]fr ")
_BROAD: Final = frozenset("mwMW%@")


@cache
def installed() -> bool:
    """Whether the extra is there. Costs next to nothing: a start must not wait for pictures."""
    return find_spec("resvg_py") is not None


@cache
def _readable() -> bool:
    """Whether this machine has a font; without one a picture would say nothing."""
    letter = '<text x="9" y="99" font-size="80" fill="#000">A</text>'
    return _png(_framed("")) != _png(_framed(letter))


def png(svg: str) -> bytes | None:
    """A drawing as PNG; None where none can be made. Takes a second, unless that drawing was made lately."""
    try:
        return _png(svg) if installed() and _readable() else None
    except (OSError, subprocess.SubprocessError) as error:
        log.get().warning("the picture beside links could not be made", error=str(error))
        return None


def mark(view: PageView, t: Locale) -> str:
    """Changes with the picture, so that those who keep it by its address ask again."""
    return _digest(drawing(view, t))


def drawing(view: PageView, t: Locale) -> str:
    """The same as SVG."""
    look = view.look
    ink, info = _INKS[look], view.info
    size, lines = wrapped(words.headline(view, t))
    top = 304 - (len(lines) - 1) * size * 9 // 16
    said = "".join(
        f'<text x="312" y="{top + place * size * 9 // 8:.0f}" font-size="{size}" font-weight="700" letter-spacing="-2"'
        f' fill="#141822">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    under = str(standing.eye(view, t).striptags()) if look in {"ok", "pend"} else _since(view, t)
    return _framed(
        f'<defs><linearGradient id="g" x2="0" y2="1"><stop stop-color="{_TINTS[look]}"/>'
        f'<stop offset="1" stop-color="#fff"/></linearGradient></defs><rect width="1200" height="630" fill="url(#g)"/>'
        f'<rect width="1200" height="136" fill="{info.brand.light.header}"/>'
        + (f'<rect y="130" width="1200" height="6" fill="{info.brand.line}"/>' if info.brand.line else "")
        + _logo(view)
        + f'<text x="1128" y="82" text-anchor="end" font-size="30" font-weight="600" fill="#fff">'
        f"{escape(urlsplit(info.url).hostname or info.name)}</text>"
        f'<circle cx="162" cy="304" r="112" fill="{ink}" fill-opacity=".08"/>'
        f'<circle cx="162" cy="304" r="94" fill="{ink}" fill-opacity=".12"/>{_icon(view)}{said}'
        f'<text x="314" y="{top + len(lines) * size * 9 // 8 - size // 3:.0f}" font-size="28" fill="#555b66">{escape(under)}</text>'
        + _bars(view.history, len(view.days))
    )


def wrapped(text: str) -> tuple[int, list[str]]:
    """The size of the headline and its lines: as large as two lines allow, by an estimate that is rather too wide."""
    for size in _SIZES:
        lines = _lines(text, size)
        if len(lines) <= 2:
            return size, lines
    first, *rest = lines
    second = rest[0]
    while second and _wide(second + "…", size) > _ROOM:
        second = second[:-1]
    return size, [first, second.rstrip() + "…"]


def _lines(text: str, size: int) -> list[str]:
    lines = [""]
    # Languages without spaces may break anywhere; a word that is too long for a line must.
    for piece in re.findall(r"\s+|[\u2e80-\uffff]|[^\s\u2e80-\uffff]+", text):
        for part in [piece] if _wide(piece, size) <= _ROOM else list(piece):
            if _wide((lines[-1] + part).strip(), size) > _ROOM and lines[-1].strip():
                lines.append("")
            lines[-1] += part
    return [line.strip() for line in lines if line.strip()]


def _wide(text: str, size: int) -> float:
    """Width of a text in a broad bold font."""
    ems = 0.0
    for sign in text:
        if sign >= "\u2e80" or sign in _BROAD:
            ems += 1.04
        elif sign in _NARROW:
            ems += 0.42
        else:
            ems += 0.76 if sign.isupper() else 0.68
    return ems * size


def _since(view: PageView, t: Locale) -> str:
    incident = standing.main_incident(view)
    if incident is None:
        return ""
    since = t.gettext("Since %(start)s.") % {"start": t.moment(incident.opened_at, view.days[-1]).striptags()}
    if not incident.alerted_at:
        return since
    told = t.moment(incident.alerted_at, view.days[-1]).striptags()
    return since + t.gap + t.gettext("Our team was alerted at %(time)s.") % {"time": told}


def _logo(view: PageView) -> str:
    logo = view.info.header_logo
    if logo is None:
        return f'<text x="72" y="84" font-size="34" font-weight="700" fill="#fff">{escape(view.info.name)}</text>'
    width, height = logo.width or 128, logo.height or 32
    shown = min(480.0, 44.0 * width / height)
    data = b64encode(logo.body).decode()
    return (
        f'<image x="72" y="{68 - shown * height / width / 2:.1f}" width="{shown:.1f}"'
        f' height="{shown * height / width:.1f}" href="data:{logo.content_type};base64,{data}"/>'
    )


def _icon(view: PageView) -> str:
    body = view.info.icons[view.look][0].body.decode()
    inside = re.sub(r"^.*?<svg[^>]*>|</svg>\s*$", "", body, flags=re.DOTALL)
    return (
        '<g transform="translate(90 232) scale(4.5)" fill="none" stroke-linecap="round" stroke-linejoin="round">'
        f"{inside}</g>"
    )


def _bars(history: HistoryView, count: int) -> str:
    looks: list[Look] = ["ok"] * count
    for index in history.blank:
        looks[index] = "pend"
    for day in history.days:
        looks[day.index] = day.look
    parts = []
    for index, look in enumerate(looks):
        x, (track, solid, high) = 72 + index * 11.75, _BARS[look]
        parts.append(
            f'<rect x="{x:.2f}" y="500" width="8" height="64" rx="3" fill="{track}"/>'
            f'<rect x="{x:.2f}" y="{564 - high}" width="8" height="{high}" rx="2" fill="{solid}"/>'
        )
    return "".join(parts)


def _framed(inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' font-family="DejaVu Sans,Noto Sans,Liberation Sans,sans-serif">{inside}</svg>'
    )


def _digest(svg: str) -> str:
    return blake2b(svg.encode(), digest_size=6).hexdigest()


@lru_cache(KEPT)
def _png(svg: str) -> bytes:
    # -P: our own modules beside the program have names of the standard library.
    command = [sys.executable, "-P", str(PROGRAM)]
    made = subprocess.run(command, input=svg.encode(), capture_output=True, timeout=SECONDS_MAX, check=True)
    return made.stdout
