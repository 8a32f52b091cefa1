"""Bars of days, and small charts: each says in words what it shows, and leads to the day."""

import re

import msgspec

from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.formats import bars
from crisp_status.language.locale import Locale
from crisp_status.language.troubles import Troubles, node_day
from crisp_status.view.build import build
from crisp_status.view.page_view import DayView, HistoryView
from tests.formats import samples
from tests.formats.samples import NOW, Sample, at

ENGLISH = Locale("en", "UTC")
ACME = samples.acme()
DAYS = tuple(f"d{n:02}" for n in range(90))
AXIS = build(samples.healthy(), ACME, NOW).days


def told(day):
    """The words of a node's day."""
    return node_day(day, ENGLISH, slow=True, over=day.index < 89)


def test_every_day_is_a_link_and_bad_ones_have_a_card():
    """A calm day has its date as title; a bad one says what happened; a blank one leads nowhere."""
    history = HistoryView(
        (DayView(80, "dead", 720.0, 60.0), DayView(89, "sick", 0.0, 1080.0)), 99.99, 720.0, 0.0, 88, (0, 1)
    )
    strip = bars.strip("Search", history, AXIS, told, "/", ENGLISH)

    assert strip.count("<a ") == 88
    assert strip.count('<span class="pend"></span>') == 2
    assert '<a href="/day/2025-11-12" title="12 Nov" tabindex="-1" aria-hidden="true"></a>' in strip
    assert (
        '<a class="dead" href="/day/2025-11-13" tabindex="-1" aria-hidden="true"><span class="card">'
        '<b>Thursday 13 November</b><span class="dead">Down for 12 min</span><span class="sick">Slow for 1 min</span>'
        "<em>See the whole day</em></span></a>"
    ) in strip
    assert '<b>Today, Saturday 22 November</b><span class="sick">Slow for 18 min, not over</span>' in strip


def test_the_same_stands_in_words():
    """Newest first, each with its link; nothing at all when nothing was wrong."""
    history = HistoryView((DayView(80, "dead", 720.0), DayView(89, "work", 0.0, 0.0, 2400.0)), 99.9, 720.0, 0.0, 90, ())
    text = bars.in_words(history, AXIS, told, "/fr/", ENGLISH, "Search")

    assert "2 days with trouble, in words" in text
    assert re.findall(r'href="([^"]+)">([^<]+)</a> ([^<]+)</li>', text) == [
        ("/fr/day/2025-11-22", "Today", "Planned work for 40 min, not over"),
        ("/fr/day/2025-11-13", "13 Nov", "Down for 12 min"),
    ]
    assert bars.in_words(HistoryView(observed=90), AXIS, told, "/", ENGLISH) == ""


def test_the_caption_says_since_when():
    """Ninety days have three beginnings, for three widths; a younger page says since when it watches."""
    whole = bars.caption(HistoryView(uptime=99.99, observed=90), AXIS, ENGLISH)
    young = bars.caption(HistoryView(uptime=100.0, observed=3, blank=tuple(range(87))), AXIS, ENGLISH)

    assert '<span class="c90">25 Aug</span><span class="c60">24 Sep</span><span class="c30">24 Oct</span>' in whole
    assert "<b>99.99\N{NO-BREAK SPACE}%</b> in 90 days" in whole
    assert "<span>Watching since 20 Nov</span>" in young


def test_a_day_of_the_page_names_who_it_was():
    """Two with the same length are one line, unequal ones two, many are counted; what goes on says so."""
    sample = Sample()
    day = sample.state.days[40]
    for key, tally in {"pay/checkout": 720.0, "pay/invoice": 720.0, "web/help": 300.0, "web/dash": 60.0}.items():
        day.others[key] = type(day.usual)(86400.0 - tally, 0.0, tally, 0.0)
    day.others["api/rest"] = type(day.usual)(86000.0, 400.0, 0.0, 0.0)
    other = sample.state.days[41]
    other.others |= {"pay/checkout": type(day.usual)(85680.0, 0.0, 720.0, 0.0)}
    other.others |= {"pay/invoice": type(day.usual)(86100.0, 0.0, 300.0, 0.0)}
    sample.hurt("data/search", [2], Health.SICK, at(14, 22), Reason(ReasonCode.CPU), cpu=0.97)
    view = build(sample.settle(), ACME, NOW)
    troubles = Troubles()

    def lines(index, service=""):
        return [said.words.striptags() for said in troubles.of_day(view, view.days[index], ENGLISH, service)]

    assert lines(40) == ["4 nodes were down for 12 min", "REST API was slow for 6 min"]
    assert lines(40, "pay") == ["Checkout and Invoicing were down for 12 min"]
    assert lines(41) == ["Checkout was down for 12 min", "Invoicing was down for 5 min"]
    assert lines(89) == ["Search slow for 18 min, not over"]
    assert lines(10) == []


def test_a_node_that_was_sick_for_another_reason_is_not_called_slow():
    """A certificate that ends makes nothing slow; the incident of that day knows."""
    state = samples.healthy()
    view = build(state, ACME, NOW)
    assert Troubles().slow(view, "data/search", "2025-10-18")

    incident = next(i for i in state.closed if i.id == 5)
    incident.timeline[0] = msgspec.structs.replace(incident.timeline[0], reason=Reason(ReasonCode.CERTIFICATE))
    view = build(state, ACME, NOW)
    assert not Troubles().slow(view, "data/search", "2025-10-18")
    assert Troubles().slow(view, "data/search", "2025-10-17")
