"""Charts of response times: what they show of which period, and the same as JSON and CSV."""

import csv
import io
import re

import msgspec
import pytest

from crisp_status.core.latency import scaled
from crisp_status.core.model import AffectedNode, Health, Incident
from crisp_status.formats import latency_charts
from crisp_status.formats.documents import table
from crisp_status.formats.routes import DocumentCall
from crisp_status.language.locale import Locale
from crisp_status.view.build import build
from crisp_status.view.page_view import LatencyView
from tests.formats import samples
from tests.formats.samples import NOW, at

ENGLISH = Locale()
ACME = samples.acme()
VIEW = build(samples.healthy(), ACME, NOW)
NEWEST = int(NOW // 300) - 1
MS = "\N{NO-BREAK SPACE}ms"


def answered(*replicas, newest=NEWEST):
    """A node whose replicas had these medians in their last slots; the 95th percentile is twice as long."""
    short = tuple(bytes(b for ms in one for b in ((scaled(ms), scaled(2 * ms)) if ms else (0, 0))) for one in replicas)
    return msgspec.structs.replace(VIEW.nodes["web/dash"], latency=LatencyView(newest, short), sick_above=5.0)


def test_a_slot_of_several_replicas_is_their_median_and_their_slowest():
    """Median of medians, highest 95th percentile; what is not known of one is not counted."""
    found = latency_charts.points(answered([100, 0], [300, 400], [200, 0]), "24h", NOW, merged=False)
    known = [milliseconds for point in found if point.median for milliseconds in (point.median, point.high)]

    assert known == pytest.approx([200, 600, 400, 800], rel=0.03)


@pytest.mark.parametrize(("last", "count"), [("24h", 96), ("7d", 28), ("30d", 120), ("90d", 120)])
def test_a_chart_has_at_most_120_points(last, count):
    """Of each period; the last ones end where the present is."""
    found = latency_charts.points(VIEW.nodes["web/dash"], last, NOW)

    assert len(found) == count
    assert 0 <= NOW - found[-1].at < 3 * 21600
    assert all(p.median for p in found[1:-1])


def test_the_curve_has_gaps_and_words():
    """Slots without data are gaps; the label tells the usual time; the sick line shows only where it is near."""
    quarter = [100] * 3
    node = answered(quarter + [0] * 6 + [200] * 3 + [150] * 3)
    plot = latency_charts.plot(VIEW, node, "24h", ENGLISH)

    assert re.search(r'aria-label="Response time: Mostly \d+\sms, 95 of 100 answers within \d+\sms"', plot.svg)
    assert re.search(r'class="p50" d="(M[^ML"]+)(L[^ML"]+)?(M[^ML"]+)(L[^ML"]+)', plot.svg)
    assert plot.scale[-1] == "0"
    assert "lim" not in plot.svg
    assert plot.limit == ""
    slow = latency_charts.plot(VIEW, msgspec.structs.replace(node, sick_above=0.3), "24h", ENGLISH)
    assert 'class="lim sick"' in slow.svg
    assert latency_charts.plot(VIEW, answered([100]), "24h", ENGLISH) is None


def test_old_data_stand_where_they_were():
    """A node that was last seen twelve hours ago has nothing after that."""
    found = latency_charts.points(answered([100] * 12, newest=NEWEST - 144), "24h", NOW)
    known = [p.at for p in found if p.median]

    assert NOW - 13.5 * 3600 <= known[0] <= known[-1] <= NOW - 12 * 3600


def test_outages_are_shaded():
    """When it was dead, within the period."""
    state = samples.healthy()
    hurt = {"web/dash": AffectedNode(at(3, 0), Health.DEAD, at(4, 0), dead_at=at(3, 0))}
    state.closed.append(Incident(8, at(3, 0), at(4, 0), at(4, 0), Health.DEAD, hurt))
    view = build(state, ACME, NOW)
    plot = latency_charts.plot(view, view.nodes["web/dash"], "24h", ENGLISH)

    assert '<rect class="out"' in plot.svg
    assert plot.outages


def test_the_same_for_programs():
    """JSON and CSV have every slot of the period; a node that is none has neither."""
    routes = table(ACME).routes
    data = msgspec.json.decode(
        routes["/api/latency/{}/{}.json"].render(VIEW, DocumentCall("en", ("web", "dash"), "last=30d")).body
    )
    assert (data["last"], data["slot_seconds"], len(data["points"])) == ("30d", 21600, 120)
    text = str(routes["/api/latency/{}/{}.csv"].render(VIEW, DocumentCall("en", ("web", "dash"))).body)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 288
    assert int(rows[100]["p95_ms"]) > int(rows[100]["median_ms"]) > 0
    assert routes["/api/latency/{}/{}.csv"].render(VIEW, DocumentCall("en", ("web", "none"))) is None


def test_the_page_of_a_node_leads_to_each_period():
    """The one that is shown is marked; one that nobody asked for is the last day."""
    render = table(ACME).routes["/nodes/{}/{}"].render
    text = render(VIEW, DocumentCall("en", ("web", "dash"), "last=90d")).body

    assert '<a href="?last=90d" aria-current="page">90 days</a>' in text
    assert (
        '<a href="?last=24h" aria-current="page">24 hours</a>' in render(VIEW, DocumentCall("en", ("web", "dash"))).body
    )
