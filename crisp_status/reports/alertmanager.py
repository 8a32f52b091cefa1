"""Alertmanager of Prometheus: its web hook, version 4, with one replica for each alert of a node in mode push.

The token in the address is the `reporter_token` of a node, as Alertmanager's receivers need no more than an address. An alert
that fires is dead, or sick when its label `severity` says so; one that is resolved is healthy. Nothing comes while all is well, so
silence says nothing here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from crisp_status.core.events import AnyEvent, Reported
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.core.policy import NodePlan
from crisp_status.core.verdict import ReasonCode
from crisp_status.reports import BATCH_MAX, Refusal, ReportAnswer, ReportCall, ReportRoute, ReportScope
from crisp_status.reports import _check as check

ALERTS_MAX: Final = 1000
"""Alerts of one message; Alertmanager groups them, and its `max_alerts` may cut them."""

SICK: Final = frozenset({"warning", "warn", "info", "none", "minor", "low"})
"""Severities that wake nobody."""

LABELS: Final = ("alertname", "instance")
"""What tells one alert from another, unless `?label=…` names others."""


class AlertmanagerAlert(msgspec.Struct):
    """One alert."""

    status: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class AlertmanagerMessage(msgspec.Struct):
    """What it sends."""

    alerts: list[AlertmanagerAlert]


_MESSAGE: Final = msgspec.json.Decoder(AlertmanagerMessage)


def routes() -> tuple[ReportRoute, ...]:
    """Its one door."""
    return (ReportRoute("POST", "/api/v1/alertmanager/{token}", alerts, _admit, BATCH_MAX),)


def _admit(call: ReportCall, scope: ReportScope) -> None:
    _node(call, scope)


def _node(call: ReportCall, scope: ReportScope) -> NodePlan:
    """The one node whose token this is."""
    scopes = scope.tokens.scopes(call.arg("token"))
    if not scopes:
        raise Refusal.of(
            ReportAnswer(404, {"error": "unknown_token", "detail": "This token is not known."}, guess=True)
        )
    nodes = [scope.node(*key.split("/", 1)) for key in scopes if "/" in key]
    node = nodes[0] if len(nodes) == len(scopes) == 1 else None
    if node is None:
        detail = "Alerts go to one node: use the reporter_token of that node, which no other has."
        raise Refusal(412, "wrong_scope", detail)
    if node.mode != "push" or node.heartbeat:
        raise check.mismatch(node, "alerts")
    return node


def alerts(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """POST /api/v1/alertmanager/{token}: of several alerts with the same name the worst counts."""
    node = _node(call, scope)
    told = check.decoded(_MESSAGE, call.body).alerts
    if len(told) > ALERTS_MAX:
        raise Refusal(400, "too_many", f"A message has at most {ALERTS_MAX} alerts, not {len(told)}; set max_alerts.")
    labels = call.query_all("label")["label"] or list(LABELS)
    worst: dict[str, Reported] = {}
    for alert in told:
        event = _reported(node, alert, labels)
        known = worst.get(event.replica)
        if known is None or (event.health or Health.HEALTHY) > (known.health or Health.HEALTHY):
            worst[event.replica] = event
    coming = 0
    for event in worst.values():
        coming += check.room_for(scope, node, event.replica, coming)
    events: tuple[AnyEvent, ...] = tuple(worst.values())
    return ReportAnswer(events=events)


def _reported(node: NodePlan, alert: AlertmanagerAlert, labels: list[str]) -> Reported:
    name = " ".join(filter(None, (alert.labels.get(label, "") for label in labels)))
    replica = check.replica_id(check.text(name or "alert")[: check.ID_MAX])
    health, reason = Health.HEALTHY, FINE
    if alert.status != "resolved":
        health = Health.SICK if alert.labels.get("severity", "").lower() in SICK else Health.DEAD
        said = next(filter(None, (alert.annotations.get(key) for key in ("summary", "description", "message"))), name)
        reason = Reason(ReasonCode.REPORTED, check.text(said) or "the alert fires")
    return Reported(node=node.key, replica=replica, interval=check.INTERVAL_MAX, health=health, reason=reason)
