"""One language: its catalogue, and how it writes times, dates, durations and numbers in the page's zone.

Month names, date patterns and separators are messages of the catalogue, so that dates are right without script and
without a library of locales.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from gettext import NullTranslations
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENDONYMS: Final = {
    "ar": "العربية", "de": "Deutsch", "en": "English", "es": "Español", "fr": "Français", "it": "Italiano",
    "ja": "日本語", "nl": "Nederlands", "pl": "Polski", "pt": "Português", "zh": "简体中文",
}  # fmt: skip
"""What a language is called by those who speak it."""

RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})

MINUTE: Final = 60.0

TIMES_KEPT: Final = 4096
"""Minutes whose wording is kept a language: rows name the same few minutes thousands of times."""


class Locale:
    """A language in a zone. `code` is a BCP 47 tag; `_`, `n` and `p` are gettext, ngettext and pgettext."""

    def __init__(
        self,
        code: str = "en",
        zone: str = "UTC",
        catalogue: NullTranslations | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """`labels`: the operator's own words for the states, by look; `plain`: ours are Operational, Degraded, Down."""
        self.labels = labels or {}
        self.plain = plain
        catalogue = catalogue or NullTranslations()
        self.code = code
        self.direction = "rtl" if code.partition("-")[0].lower() in RIGHT_TO_LEFT else "ltr"
        self.catalogue = catalogue
        self.zone = ZoneInfo(zone)
        self.zone_key = zone
        self.gettext = self._ = catalogue.gettext
        self.ngettext = self.n = catalogue.ngettext
        self.pgettext = self.p = catalogue.pgettext
        self.npgettext = catalogue.npgettext
        self.clock = lru_cache(TIMES_KEPT)(self._clock)
        self.time = lru_cache(TIMES_KEPT)(self._time)
        self.moment = lru_cache(TIMES_KEPT)(self._moment)
        p = self.pgettext
        self.months = (
            p("month", "January"), p("month", "February"), p("month", "March"), p("month", "April"),
            p("month", "May"), p("month", "June"), p("month", "July"), p("month", "August"),
            p("month", "September"), p("month", "October"), p("month", "November"), p("month", "December"),
        )  # fmt: skip
        self.short_months = (
            p("month, short", "Jan"), p("month, short", "Feb"), p("month, short", "Mar"), p("month, short", "Apr"),
            p("month, short", "May"), p("month, short", "Jun"), p("month, short", "Jul"), p("month, short", "Aug"),
            p("month, short", "Sep"), p("month, short", "Oct"), p("month, short", "Nov"), p("month, short", "Dec"),
        )  # fmt: skip
        self.weekdays = (
            p("weekday", "Monday"), p("weekday", "Tuesday"), p("weekday", "Wednesday"), p("weekday", "Thursday"),
            p("weekday", "Friday"), p("weekday", "Saturday"), p("weekday", "Sunday"),
        )  # fmt: skip
        self.months_alone = (
            p("month alone", "January"), p("month alone", "February"), p("month alone", "March"),
            p("month alone", "April"), p("month alone", "May"), p("month alone", "June"),
            p("month alone", "July"), p("month alone", "August"), p("month alone", "September"),
            p("month alone", "October"), p("month alone", "November"), p("month alone", "December"),
        )  # fmt: skip
        self.first = p("first day of a month", "1")
        self.point = p("decimal separator", ".")
        self.group = p("between groups of three digits", ",")
        self.gap = p("between sentences", " ")

    def local(self, at: float) -> datetime:
        """The moment in the page's zone."""
        return datetime.fromtimestamp(at, self.zone)

    def day_of(self, at: float) -> str:
        """The page's day of a moment: `2026-11-22`."""
        return self.local(at).strftime("%Y-%m-%d")

    def month_of(self, at: float) -> str:
        """The page's month of a moment: `2026-11`."""
        return self.local(at).strftime("%Y-%m")

    def zone_name(self, at: float) -> str:
        """The zone's short name at a moment: `UTC`, `CET`, `+03`."""
        return self.local(at).tzname() or self.zone_key

    def _clock(self, at: float) -> str:
        return (
            self.pgettext("time of day", "%H:%M")
            .replace("%H", f"{self.local(at):%H}")
            .replace("%M", f"{self.local(at):%M}")
        )

    def date(self, day: str | float, *, year: bool = False, weekday: bool = False, short: bool = False) -> str:
        """A day in words: `22 November`, with the year or the weekday when asked for."""
        when = datetime.fromisoformat(day) if isinstance(day, str) else self.local(day)
        values = {
            "day": self.first if when.day == 1 else str(when.day),
            "month": (self.short_months if short else self.months)[when.month - 1],
            "year": str(when.year),
            "weekday": self.weekdays[when.weekday()],
        }
        if weekday:
            return self.pgettext("date", "%(weekday)s %(day)s %(month)s") % values
        if year:
            return self.pgettext("date", "%(day)s %(month)s %(year)s") % values
        if short:
            return self.pgettext("date, short", "%(day)s %(month)s") % values
        return self.pgettext("date", "%(day)s %(month)s") % values

    def weekday(self, day: str) -> int:
        """Which day of the week it is, 0 is Monday."""
        return datetime.fromisoformat(day).weekday()

    def count(self, value: int) -> str:
        """A whole number, in groups of three from a thousand on."""
        return f"{value:,}".replace(",", self.group)

    def month(self, month: str) -> str:
        """`2026-11` in words: `November 2026`."""
        year, _, number = month.partition("-")
        return self.pgettext("date", "%(month)s %(year)s") % {"month": self.months_alone[int(number) - 1], "year": year}

    def _time(self, at: float, *, zone: bool = True) -> Markup:
        """The `<time>` element: `14:02 UTC`."""
        words = f"{self.clock(at)} {self.zone_name(at)}" if zone else self.clock(at)
        return self._element(at, words, plain=True)

    def _element(self, at: float, words: str, *, plain: bool) -> Markup:
        """`plain`: nothing but a clock, which reads from left to right in every language."""
        way = Markup(' dir="ltr"') if plain and self.direction == "rtl" else ""
        return Markup('<time datetime="{}"{}>{}</time>').format(machine(at), way, words)

    def _moment(self, at: float, today: str, *, zone: bool = True, short: bool = False) -> Markup:
        """The `<time>` element, with the date unless it is today: `14:02 UTC on 21 November`. A short one stands alone."""
        words = f"{self.clock(at)} {self.zone_name(at)}" if zone else self.clock(at)
        plain = self.day_of(at) == today
        if not plain:
            values = {"date": self.date(at, year=self.day_of(at)[:4] != today[:4], short=short), "time": words}
            alone = self.pgettext("moment alone", "%(date)s, %(time)s")
            words = (alone if short else self.pgettext("moment", "%(time)s on %(date)s")) % values
        return self._element(at, words, plain=plain)

    def duration(self, seconds: float) -> str:
        """In words, to two units: `38 minutes`, `1 hour 20 minutes`."""
        n = self.ngettext
        if seconds < MINUTE:
            count = max(1, round(seconds))
            return n("%(n)s second", "%(n)s seconds", count) % {"n": count}
        minutes = int(seconds // MINUTE)
        if minutes < 60:
            return n("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
        hours, minutes = divmod(minutes, 60)
        if hours < 24:
            words = n("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
            rest = n("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes} if minutes else ""
        else:
            days, hours = divmod(hours, 24)
            words = n("%(n)s day", "%(n)s days", days) % {"n": days}
            rest = n("%(n)s hour", "%(n)s hours", hours) % {"n": hours} if hours else ""
        return self.pgettext("duration", "%(large)s %(small)s") % {"large": words, "small": rest} if rest else words

    def so_far(self, seconds: float) -> str:
        """Of something that goes on, on a page that may be left open: seconds are not told."""
        return self.duration(seconds) if seconds >= MINUTE else self.gettext("less than a minute")

    def brief(self, seconds: float) -> str:
        """In short, for narrow places: `38 min`, `1 h 20 min`."""
        p = self.pgettext
        if seconds < MINUTE:
            return p("short duration", "%(n)s s") % {"n": max(1, round(seconds))}
        hours, minutes = divmod(int(seconds // MINUTE), 60)
        days, hours = divmod(hours, 24)
        parts = [
            p("short duration", "%(n)s d") % {"n": days} if days else "",
            p("short duration", "%(n)s h") % {"n": hours} if hours else "",
            p("short duration", "%(n)s min") % {"n": minutes} if minutes and not days else "",
        ]
        large, *small = [part for part in parts if part]
        return p("short duration", "%(large)s %(small)s") % {"large": large, "small": small[0]} if small else large

    def labelled(self, label: str, value: str) -> str:
        """`label: value` as plain text, with the colon of the language."""
        return self.pgettext("label and value", "%(label)s: %(value)s") % {"label": label, "value": value}

    def number(self, value: float, places: int = 0) -> str:
        """With the language's decimal separator."""
        return f"{value:.{places}f}".replace(".", self.point)

    def percent(self, value: float | None, places: int = 2) -> str:
        """`99.98 %`; a whole hundred is `100 %`."""
        if value is None:
            return "–"
        figure = self.number(value, 0 if value == 100 else places)
        return self.pgettext("percentage", "%(number)s\N{NO-BREAK SPACE}%%") % {"number": figure}

    def seconds(self, seconds: float) -> str:
        """A limit or latency: `850 ms`, `1.9 s`."""
        if seconds < 1:
            return self.pgettext("latency", "%(n)s\N{NO-BREAK SPACE}ms") % {"n": round(seconds * 1000)}
        places = 0 if seconds == int(seconds) or seconds >= 10 else 1
        return self.pgettext("latency", "%(n)s\N{NO-BREAK SPACE}s") % {"n": self.number(seconds, places)}

    def listing(self, items: Iterable[object]) -> Markup:
        """`a`, `a and b`, `a, b and c`; each item escaped unless it is markup."""
        parts = [escape(i) for i in items]
        if len(parts) < 2:
            return Markup("").join(parts)
        comma = escape(self.pgettext("between items of a list", ", "))
        last = {"items": comma.join(parts[:-1]), "last": parts[-1]}
        return Markup(escape(self.pgettext("end of a list", "%(items)s and %(last)s"))) % last


def capital(words: str) -> str:
    """With a capital at its beginning, as a heading or sentence has it; the rest as it is."""
    return words[:1].upper() + words[1:]


def machine(at: float) -> str:
    """For `datetime` attributes, to the minute, in UTC: `2026-11-22T14:02Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")
