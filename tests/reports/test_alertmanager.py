"""Alertmanager's web hook. The message is one that Alertmanager 0.25 sent."""

import pytest

from tests.reports.world import Page

TOKEN = "only-the-api-node"
DOOR = f"/api/v1/alertmanager/{TOKEN}"


def message(*alerts):
    """Alertmanager's message, version 4."""
    return {
        "receiver": "page", "status": "firing", "alerts": list(alerts), "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://alerts:9093", "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0,
    }  # fmt: skip


def alert(name, status="firing", severity="critical", instance="db-1:9100", **annotations):
    """One alert of it."""
    return {
        "status": status, "labels": {"alertname": name, "instance": instance, "severity": severity},
        "annotations": annotations, "startsAt": "2026-12-01T01:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "", "fingerprint": "abc",
    }  # fmt: skip


@pytest.fixture
def page():
    return Page()


def test_what_fires_is_dead_or_sick_and_what_is_resolved_is_healthy(page):
    """One replica for each alert; the severity decides, the summary is the reason."""
    said = page.ask(
        "POST", DOOR, message(alert("Down", summary="db-1 is away"), alert("Full", severity="warning")), token=None
    )

    assert said.status == 200
    assert page.health("web/api", "Down db-1:9100") == "dead"
    assert page.health("web/api", "Full db-1:9100") == "sick"
    assert page.world.state.nodes["web/api"].replicas["Down db-1:9100"].reason.text == "db-1 is away"

    page.ask("POST", DOOR, message(alert("Down", status="resolved")), token=None)
    assert page.health("web/api", "Down db-1:9100") == "healthy"


def test_other_labels_may_tell_alerts_apart(page):
    """Of several with one name the worst counts, whatever their order."""
    page.ask("POST", f"{DOOR}?label=instance", message(alert("A"), alert("B", status="resolved")), token=None)
    assert page.health("web/api", "db-1:9100") == "dead"

    page.ask(
        "POST", f"{DOOR}?label=instance", message(alert("B", status="resolved"), alert("A", "resolved")), token=None
    )
    assert page.health("web/api", "db-1:9100") == "healthy"


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [
        ("nobody-has-this", message(), 404),
        ("only-the-web-service", message(), 412),
        ("all-may-report", message(), 412),
        (TOKEN, b"{", 400),
        (TOKEN, {"alerts": [{"status": 1}]}, 400),
        (TOKEN, {"alerts": [alert("x")] * 1001}, 400),
        (TOKEN, message(*[alert(f"A{n}") for n in range(4)]), 409),
        (TOKEN, message(), 200),
    ],
)
def test_what_is_refused(page, token, body, status):
    """A wrong token is a guess; a message is taken as a whole or not at all."""
    said = page.ask("POST", f"/api/v1/alertmanager/{token}", body, token=None)

    assert said.status == status
    assert said.guess == (status == 404)
    assert (len(said.events) > 0) is False
