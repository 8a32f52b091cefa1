"""Times, dates, durations and numbers in words, in the page's zone."""

from gettext import NullTranslations

import pytest

from crisp_status.language.locale import Locale, machine
from tests.formats.samples import NOW, at

UTC = Locale("en", "UTC")
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (0, "1 second", "1 s"),
        (42, "42 seconds", "42 s"),
        (60, "1 minute", "1 min"),
        (38 * 60 + 59, "38 minutes", "38 min"),
        (3600, "1 hour", "1 h"),
        (80 * 60, "1 hour 20 minutes", "1 h 20 min"),
        (86400, "1 day", "1 d"),
        (2 * 86400 + 3 * 3600 + 5, "2 days 3 hours", "2 d 3 h"),
    ],
)
def test_durations(seconds, long, short):
    """Two units at most; never longer than it was."""
    assert UTC.duration(seconds) == long
    assert UTC.brief(seconds) == short
    assert UTC.so_far(seconds) == (long if seconds >= 60 else "less than a minute")


@pytest.mark.parametrize(
    ("percent", "shown"), [(100.0, "100"), (99.99, "99.99"), (99.9, "99.90"), (0.0, "0.00"), (None, None)]
)
def test_percentages(percent, shown):
    """Two places; a whole hundred has none; no data is a dash."""
    assert UTC.percent(percent) == (f"{shown}{SPACE}%" if shown else "–")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (at(14, 2), "14:02 UTC"),
        (at(23, 59, 21), "23:59 UTC on 21 November"),
        (at(0, 0, 1, 1), "00:00 UTC on 1 January"),
        (at(12, 0, 31, 12) - 365 * 86400, "12:00 UTC on 31 December 2024"),
    ],
)
def test_moments_name_the_day_only_when_it_is_another(moment, words):
    """Today needs no date, this year no year."""
    assert UTC.moment(moment, "2025-11-22").striptags() == words


def test_times_are_those_of_the_zone_and_machines_get_utc():
    """The same moment in Paris, Kathmandu and for a machine."""
    summer = at(12, 0, 1, 7)

    assert Locale("en", "Europe/Paris").time(NOW) == '<time datetime="2025-11-22T14:40Z">15:40 CET</time>'
    assert Locale("en", "Europe/Paris").time(summer).striptags() == "14:00 CEST"
    assert Locale("en", "Asia/Kathmandu").time(NOW).striptags() == "20:25 +0545"
    assert machine(NOW) == "2025-11-22T14:40Z"
    assert Locale("en", "Pacific/Auckland").day_of(NOW) == "2025-11-23"


class German(NullTranslations):
    """A few messages of a catalogue."""

    def pgettext(self, context, message):
        words = {
            "%(day)s %(month)s": "%(day)s. %(month)s",
            "November": "November",
            ".": ",",
            "%(items)s and %(last)s": "%(items)s und %(last)s",
        }
        return words.get(message, message)


def test_a_catalogue_decides_on_order_and_signs():
    """Date patterns, separators and lists are messages like any other."""
    german = Locale("de", "UTC", German())

    assert german.date("2025-11-08") == "8. November"
    assert german.percent(99.5) == f"99,50{SPACE}%"
    assert german.listing(["a", "b", "<c>"]) == "a, b und &lt;c&gt;"
    assert Locale("ar").direction == "rtl"
