"""The uptime report: sums of the days that are kept, against what was promised."""

import csv
import io

import msgspec
import pytest

from crisp_status.core.model import AffectedNode, Health, Incident, Tally
from crisp_status.formats import uptime_report
from crisp_status.formats.html import Html
from crisp_status.view.build import build
from tests.formats import samples
from tests.formats.samples import NOW, at

ACME = samples.acme()


def rows(state, month, info=ACME):
    """The report, its rows by key."""
    made = uptime_report.report(build(state, info, NOW), month)
    return made, {row.key: row for row in made.rows}


def test_a_month_is_summed_from_its_days():
    """Seconds dead, sick and healthy of each key; 100 only without downtime; every node has a row below its service."""
    made, found = rows(samples.healthy(), "2025-10")

    assert (made.running, len(made.rows)) == (False, 1 + 5 + 12)
    assert [row.key for row in made.rows[:3]] == ["", "web", "web/landing"]
    assert found[""].span.days == 31
    assert (found[""].span.uptime, found[""].span.sick) == (100.0, 35 * 60.0)
    assert found["data/search"].span.sick == 35 * 60.0
    assert found["api/rt"].span.sick == 26 * 60.0
    assert {row.incidents for row in made.rows} == {0}


def test_the_running_month_counts_up_to_now():
    """Today's downtime is in it; outages count for the node, its service and the page."""
    made, found = rows(samples.dead(), "2025-11")

    assert made.running
    assert found["pay/checkout"].span.dead == (38 + 12) * 60.0
    assert found[""].span.dead == (38 + 12) * 60.0
    assert (found[""].incidents, found["pay"].incidents, found["pay/checkout"].incidents) == (2, 2, 2)
    assert found["api/rest"].incidents == 0  # it was only sick


def test_the_error_budget_is_that_of_the_whole_month():
    """99.9 % of thirty days leave 43 minutes; what is broken is below zero, and said so."""
    _made, found = rows(samples.dead(), "2025-11")
    assert found["web"].budget == pytest.approx(30 * 86400 * 0.001)
    assert found[""].budget == pytest.approx(30 * 86400 * 0.001 - 50 * 60)
    text = uptime_report.page(Html(ACME), build(samples.dead(), ACME, NOW), "2025-11")
    assert '<td class="dead">6 min over</td>' in text
    assert "The month is not over." in text

    info = msgspec.structs.replace(ACME, slo=99.0)
    _, found = rows(samples.dead(), "2025-11", info)
    assert found[""].budget > 0


def test_planned_work_and_what_was_not_seen_count_for_nothing():
    """Maintenance is shown and leaves uptime alone; days without data are no downtime."""
    state = samples.healthy()
    for key in ("data/db", "data", ""):
        state.days[60].others[key] = Tally(healthy=80_000.0, maintenance=6_400.0)
        state.days[61].others[key] = None
    _, found = rows(state, "2025-10")

    assert found["data/db"].span.maintenance == 6_400.0
    assert (found["data/db"].span.uptime, found["data/db"].span.days) == (100.0, 30)


def test_csv_and_json_say_the_same():
    """One line a row; a name that is a formula stays text; months that are not kept are none."""
    view = build(samples.dead(), ACME, NOW)
    made = uptime_report.report(view, "2025-11")
    table = list(csv.DictReader(io.StringIO(uptime_report.as_csv(made))))
    data = uptime_report.as_json(made, view)

    assert [row["node"] for row in table] == [row["node"] for row in data["rows"]]
    assert table[0]["down_seconds"] == str(data["rows"][0]["down_seconds"]) == "3000"
    assert (data["month"], data["complete"], data["slo_percent"]) == ("2025-11", False, 99.9)
    assert uptime_report._safe("=1+1") == "'=1+1"
    assert uptime_report.report(view, "2025-01") is None


def test_an_outage_over_the_end_of_a_month_counts_in_both():
    """It began in October and ended in November."""
    state = samples.healthy()
    hurt = {"web/dash": AffectedNode(at(23, 0, 31, 10), Health.DEAD, at(1, 0, 1), dead_at=at(23, 0, 31, 10))}
    state.closed.append(Incident(8, at(23, 0, 31, 10), at(23, 1, 31, 10), at(1, 0, 1), Health.DEAD, hurt))

    assert rows(state, "2025-10")[1]["web/dash"].incidents == 1
    assert rows(state, "2025-11")[1]["web/dash"].incidents == 1
