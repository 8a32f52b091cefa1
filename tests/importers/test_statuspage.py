"""From Statuspage: saved documents of its public API."""

from __future__ import annotations

import datetime

import pytest

SUMMARY, INCIDENTS = "statuspage/summary.json", "statuspage/incidents.json"


@pytest.fixture
def moved(bring):
    return bring("statuspage", SUMMARY, INCIDENTS)


def test_it_is_valid_and_private(moved):
    """Our own check finds nothing wrong; groups are services, components nodes, in the order of the page."""
    assert moved.code == 0
    assert [(s.name, [n.name for n in s.nodes]) for s in moved.config().services] == [
        ("Core", ["API", "Payments"]),
        ("Components", ["Website"]),
    ]
    assert moved.private()
    assert moved.toml["page"] == {"name": "Acme", "url": "https://status.acme.example", "timezone": "Europe/Paris"}


def test_components_wait_for_reports(moved):
    """Nothing there has an address: each node is grey until it is reported, or until an address is written."""
    node = moved.node("core/api")

    assert node["mode"] == "push"
    assert len(moved.secret(node["heartbeat"])) >= 32
    assert 'write mode = "poll"' in moved.remarks('component "API"')[0]


def test_what_is_open_is_announced(moved):
    """An incident that is not over and a maintenance to come; what is resolved is not announced again."""
    entries = {e["title"]: e for e in moved.toml["announcements"]}

    assert set(entries) == {"API is slow", "Database upgrade"}
    assert entries["API is slow"]["text"] == "We know **why**.\n\nWe look into it."
    assert entries["Database upgrade"]["maintenance"] == ["core/api"]
    assert entries["Database upgrade"]["starts_at"] == datetime.datetime(2026, 12, 6, 21, tzinfo=datetime.UTC)


def test_what_has_no_counterpart_is_named(moved):
    """Descriptions, subscribers, and the look."""
    assert any("description" in remark for remark in moved.remarks('component "Website"'))
    assert moved.remarks("subscribers")


def test_incidents_alone_are_not_enough(bring):
    """Without components there is nothing to watch, and the line says which file to save."""
    moved = bring("statuspage", INCIDENTS)

    assert moved.code == 2
    assert "save /api/v2/summary.json" in moved.said
