"""From Healthchecks: lists of its API."""

from __future__ import annotations

import json

import pytest

from tests.importers.brought import FIXTURES

CHECKS, CHANNELS = "healthchecks/checks.json", "healthchecks/channels.json"


@pytest.fixture
def moved(bring):
    return bring("healthchecks", CHECKS, CHANNELS, options=("--url", "https://status.acme.example/"))


def test_it_is_valid_and_private(moved):
    """Our own check finds nothing wrong, and the addresses that anybody could ping are in files of their own."""
    assert moved.code == 0
    assert [f"{s.id}/{n.id}" for s in moved.config().services for n in s.nodes] == [
        "prod/nightly-backup",
        "prod/invoices",
        "checks/unnamed",
    ]
    assert moved.private()
    assert not moved.leaked("f618072a-7bde-4eee-af63-71a77c5723bc")


def test_scripts_change_only_the_host(moved):
    """The token of the heartbeat is the UUID, so that /ping/{uuid} is the same path as on a host of one's own."""
    node = moved.node("prod/nightly-backup")

    assert moved.secret(node["heartbeat"]) == "f618072a-7bde-4eee-af63-71a77c5723bc"
    assert (node["interval"], node["grace"]) == (86400, 3600)


def test_schedules_stay_schedules(moved):
    """A crontab line with its own zone, and how late it may be."""
    node = moved.node("prod/invoices")

    assert (node["schedule"], node["timezone"], node["grace"]) == ("0 7 * * 1-5", "Europe/Paris", 900)


def test_what_has_no_counterpart_is_named(moved):
    """Tags beyond the first, words in bodies, paused checks, integrations, and what a read-only key hides."""
    assert moved.remarks('check "Retired"')
    assert "read-only key" in moved.remarks('check "Seen with a read-only key"')[0]
    assert any("words in a mail or a body" in remark for remark in moved.remarks('check "Invoices"'))
    assert 'it is "email"' in moved.remarks('integration "My work mail"')[0]


@pytest.mark.parametrize(
    ("data", "sentence"), [({}, "has neither checks nor channels"), ({"checks": []}, "has no checks")]
)
def test_what_is_no_list_of_checks(bring, written, data, sentence):
    """One line that says what is wrong."""
    moved = bring("healthchecks", written("a.json", json.dumps(data)))

    assert moved.code == 2
    assert sentence in moved.said


def test_one_list_is_enough(bring):
    """The list of channels need not be there; then a line says that nobody will be told."""
    assert bring("healthchecks", FIXTURES / CHECKS).remarks("integrations")
