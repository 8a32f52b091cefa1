"""Days and incidents that are over, from Kuma's heartbeats and from Statuspage, into the page of a daemon."""

from __future__ import annotations

import datetime
import json

import msgspec
import pytest

from crisp_status.core.events import HistoryImported
from crisp_status.core.model import Health, Tally
from crisp_status.importers._history import together
from tests.daemon import daemon, get
from tests.importers.brought import database

DAILY = (
    "CREATE TABLE stat_daily (id INTEGER, monitor_id INTEGER, timestamp INTEGER, ping REAL, up INTEGER, down INTEGER)",
    "INSERT INTO stat_daily VALUES (1, 2, 1796000000, 12.5, 4300, 20), (2, 2, 1795910400, 12.5, 4320, 0), (3, 99, 1795910400, 1, 1, 1)",
)


def parts(moved):
    """What was written for the daemon."""
    path = moved.path.with_name("config.history.jsonl")
    return msgspec.json.Decoder(HistoryImported).decode_lines(path.read_bytes()) if path.exists() else []


@pytest.fixture
def kuma(bring, tmp_path):
    return bring("uptime-kuma", database(tmp_path), options=("--history",))


def test_heartbeats_are_days(kuma):
    """Beats that were up and down, times the interval, for each monitor that became a node."""
    days = {day.key: day.nodes for part in parts(kuma) for day in part.days}

    assert days["2026-11-30"]["websites/shop"] == Tally(120.0, 0.0, 60.0, 0.0)
    assert days["2026-11-30"]["infrastructure/orders"] == Tally(0.0, 0.0, 180.0, 0.0)
    assert "infrastructure/container" not in days["2026-11-30"]


def test_daily_figures_win_over_heartbeats(bring, tmp_path):
    """Newer versions keep a figure for each day of a year; seconds of a day are at most a day."""
    moved = bring("uptime-kuma", database(tmp_path, *DAILY), options=("--history",))

    days = {day.key: day.nodes for part in parts(moved) for day in part.days}

    assert days["2026-11-30"]["websites/shop"] == Tally(86000.0, 0.0, 400.0, 0.0)
    assert days["2026-11-29"]["websites/shop"] == Tally(86400.0, 0.0, 0.0, 0.0)
    assert set(days["2026-11-29"]) == {"websites/shop"}


def test_one_stop_is_one_incident(kuma):
    """Five monitors watched what was stopped for a minute: one incident with all of them."""
    (incident,) = [incident for part in parts(kuma) for incident in part.incidents]

    assert set(incident.nodes) == {
        "websites/shop",
        "websites/landing-page",
        "websites/no-error-shown",
        "websites/version",
        "infrastructure/mail-server",
    }
    assert 60 <= incident.closed_at - incident.opened_at <= 62


def test_what_does_not_overlap_is_not_one_incident():
    """Two outages with time between them are two, and one within another is part of it."""
    found = together([("a/b", 100.0, 200.0), ("a/c", 150.0, 160.0), ("a/b", 201.0, 300.0), ("a/d", 5.0, 5.0)])

    assert [(i.opened_at, i.closed_at, len(i.nodes)) for i in found] == [(100.0, 200.0, 2), (201.0, 300.0, 1)]


def test_incidents_of_statuspage(bring):
    """What is over, with its words and phases, on the components that its updates name; 90 days that follow from it."""
    moved = bring("statuspage", "statuspage/summary.json", "statuspage/incidents.json", options=("--history",))
    days = {day.key: day.nodes for part in parts(moved) for day in part.days}
    (incident,) = [incident for part in parts(moved) for incident in part.incidents]

    assert (incident.title, incident.worst) == ("Payments failed", Health.DEAD)
    assert [(u.text, u.phase) for u in incident.updates] == [
        ("Payments are refused.", "investigating"),
        ("All payments work again.", "resolved"),
    ]
    assert set(incident.nodes) == {"core/payments"}
    assert days["2026-11-12"]["core/payments"] == Tally(80700.0, 0.0, 5700.0, 0.0)
    assert days["2026-11-12"]["core/api"] == Tally(86400.0, 0.0, 0.0, 0.0)
    assert max(days) < datetime.datetime.now(datetime.UTC).date().isoformat()


def test_where_there_is_none(bring):
    """Gatus keeps its history elsewhere: nothing is written for it, and a line says so."""
    moved = bring("vigil", "vigil/config.cfg", options=("--history",))

    assert parts(moved) == []
    assert moved.remarks("history") == ["there is none in these files that can be taken over"]


CONFIG = """
[[services]]
name = "Web"
[[services.nodes]]
name = "Shop"
mode = "push"
"""


def written(folder, *days, incidents=()):
    """A history beside the configuration of a daemon."""
    part = HistoryImported(source="one", days=list(days), incidents=list(incidents))
    (folder / "config.history.jsonl").write_bytes(msgspec.json.encode(part) + b"\n")


def days_ago(number):
    """A day in UTC."""
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=number)).date().isoformat()


async def test_the_page_shows_what_was_brought(tmp_path):
    """A start takes the file; the page has its days and its incidents, and a restart does not take it again."""
    from crisp_status.core.past import PastDay, PastIncident, PastSpan

    began = datetime.datetime.now(datetime.UTC).timestamp() - 3 * 86400
    incident = PastIncident(began, began + 600, {"web/shop": PastSpan(began, began + 600)})
    written(tmp_path, PastDay(days_ago(3), {"web/shop": Tally(85800.0, dead=600.0)}), incidents=[incident])

    for _ in range(2):
        async with daemon(tmp_path, CONFIG) as app:
            state = await app.engine.read()

            assert [period.key for period in state.days] == [days_ago(3)]
            assert [i.opened_at for i in state.closed] == [began]
            assert state.imported == ["one"]
            assert not state.outbox
            _, listed = await get(app, "/api/v2/incidents.json")
            assert len(json.loads(listed)["incidents"]) == 1
            assert (await get(app, "/incidents/1"))[0] == 200
            _, badge = await get(app, "/badge/web/shop.json?show=uptime")
            assert "99.3" in badge


@pytest.mark.parametrize(
    "content", [b"{", b'{"type": "SignedOut", "id": "x"}\n', b"\xff\xfe\n", b'{"type":"HistoryImported","days":3}\n']
)
async def test_a_broken_file_holds_nothing_up(tmp_path, content):
    """It is told in the log, and the page is served without it."""
    (tmp_path / "config.history.jsonl").write_bytes(content)

    async with daemon(tmp_path, CONFIG) as app:
        assert (await app.engine.read()).imported == []
        assert (await get(app, "/"))[0] == 200
