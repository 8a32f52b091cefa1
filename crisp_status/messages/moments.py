"""Moments, spans and lists of names as plain text, in one language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.language.locale import Locale

NAMED_MAX: Final = 2
"""Nodes that a title names …"""

NAMED_WIDTH: Final = 40
"""… if they have no more characters than this together."""


class Times:
    """Moments and spans in words, as plain text: `14:02 UTC`, with the date when that is not today."""

    def __init__(self, tongue: Locale, now: float) -> None:
        self._tongue = tongue
        self._today = tongue.day_of(now)

    def moment(self, at: float, begun: float = 0.0) -> str:
        """Of a moment; "" for none. The end of what has `begun` on another day has its date, too."""
        if not at:
            return ""
        tongue, day = self._tongue, self._tongue.day_of(at)
        words = f"{tongue.clock(at)} {tongue.zone_name(at)}"
        if day == self._today and (not begun or tongue.day_of(begun) == day):
            return words
        date = tongue.date(at, year=day[:4] != self._today[:4])
        return tongue.pgettext("moment", "%(time)s on %(date)s") % {"date": date, "time": words}

    def span(self, since: float, until: float) -> str:
        """How long it went; "" when it has no beginning or no end."""
        return self._tongue.duration(max(0.0, until - since)) if since and until else ""


def short_names(names: list[str], more: int, tongue: Locale) -> str:
    """Names that fit in a title, as `a and b`; "" when they are too many or too long, or `more` are left out."""
    short = not more and 0 < len(names) <= NAMED_MAX and (len(names) == 1 or sum(map(len, names)) <= NAMED_WIDTH)
    return listing(names, tongue) if short else ""


def listing(items: Iterable[str], tongue: Locale) -> str:
    """`a`, `a and b`, `a, b and c` as plain text."""
    parts = list(items)
    if len(parts) < 2:
        return "".join(parts)
    comma = tongue.pgettext("between items of a list", ", ")
    last = {"items": comma.join(parts[:-1]), "last": parts[-1]}
    return tongue.pgettext("end of a list", "%(items)s and %(last)s") % last
