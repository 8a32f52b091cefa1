"""Vigil: its reporter libraries and Vigil Local (PROTOCOLS section 3), answered with Vigil's own status codes."""

from __future__ import annotations

from typing import Final

import msgspec

from crisp_status.core.events import Flushed
from crisp_status.reports import Refusal, ReportAnswer, ReportCall, ReportRoute, ReportScope
from crisp_status.reports import _check as check


class VigilReport(msgspec.Struct):
    """One report: `load` of an application, or `health` as an agent saw it."""

    replica: str
    interval: float
    load: check.LoadFields | None = None
    health: str | None = None


_REPORT: Final = msgspec.json.Decoder(VigilReport, strict=False)


def routes() -> tuple[ReportRoute, ...]:
    """The doors of this dialect."""
    admit = check.admitted(wrong_status=403)
    return (
        ReportRoute("POST", "/reporter/{service}/{node}", report, admit),
        ReportRoute("DELETE", "/reporter/{service}/{node}/{replica}", flush, admit),
    )


def report(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """POST /reporter/{service}/{node}: checks in Vigil's order; `load` wins over `health`."""
    body = check.decoded(_REPORT, call.body)
    if body.load is None and body.health is None:
        raise Refusal(400, "bad_body", "A report has load (of an application) or health (seen by an agent).")
    if body.load is not None:
        check.within(body.load.cpu, "load.cpu", check.LOAD_MAX)
        check.within(body.load.ram, "load.ram", check.LOAD_MAX)
    node = check.node_of(scope, call.arg("service"), call.arg("node"))
    if body.load is not None:
        if node.mode != "push":
            raise check.mismatch(node, "the load of an application")
        event = check.from_application(node, body.replica, body.interval, body.load)
    else:
        if node.mode != "local":
            raise check.mismatch(node, "the health that an agent saw")
        event = check.from_agent(scope, node, body.replica, body.interval, body.health or "")
    return check.taken(scope, node, event)


def flush(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """DELETE /reporter/{service}/{node}/{replica}: the replica is gone for good, and durably so."""
    node = check.node_of(scope, call.arg("service"), call.arg("node"))
    if node.mode not in {"push", "local"}:
        raise check.mismatch(node, "a flush")
    given = call.arg("replica")
    names = [scope.replica_id(node, name) for name in (given, given.replace("+", " "))]
    known = next((name for name in names if scope.replica(node, name) is not None), None)
    if known is None:
        raise Refusal(404, "unknown_replica", f"{node.key} has no replica {check.shown(given)}.")
    return ReportAnswer(events=(Flushed(node=node.key, replica=known),), wait=True)
