"""Crisp: reporter libraries, the Crisp Status Local daemon, our own library and agent (PROTOCOLS sections 1 and 2)."""

from __future__ import annotations

import math
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from crisp_status.core.events import AnyEvent, Reported
from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.core.policy import NodePlan
from crisp_status.reports import BATCH_MAX, LocalNode, Refusal, ReportAnswer, ReportCall, ReportRoute, ReportScope
from crisp_status.reports import _check as check
from crisp_status.reports._dated_list import dated

AGENT_NAME_MAX: Final = 64
"""Characters, as many as an id may have in the configuration."""
AGO_MAX: Final = 7 * 86400.0
"""An agent that was cut off for longer tells of the present only."""


class CrispReport(msgspec.Struct):
    """One report. `health` is the agent's, or an application's word of itself."""

    replica_id: str
    interval: float
    load: check.LoadFields | None = None
    health: str | None = None
    reason: str | None = None


class SeenReplica(CrispReport, kw_only=True):
    """One of a batch of our own agent."""

    service: str
    node: str
    code: str = "reported"
    value: str = ""
    latency_ms: float | None = None
    ago: float = 0.0
    """Seconds since it was first seen so: clocks need not agree."""


_REPORT: Final = msgspec.json.Decoder(CrispReport, strict=False)
_BATCH: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SEEN: Final = msgspec.json.Decoder(SeenReplica, strict=False)


def routes() -> tuple[ReportRoute, ...]:
    """The doors of this dialect."""
    admit = check.admitted(wrong_status=401)
    return (
        ReportRoute("POST", "/v1/report/{service}/{node}", report, admit),
        ReportRoute("POST", "/v1/report", batch, _admit_any, BATCH_MAX),
        ReportRoute("GET", "/v1/probes/local", probes, _admit_any),
    )


def _admit_any(call: ReportCall, scope: ReportScope) -> None:
    check.admit(call, scope, wrong_status=401)


def report(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """POST /v1/report/{service}/{node}: one replica, alive with or without load, or as an agent saw it."""
    body = check.decoded(_REPORT, call.body)
    node, event = _event(scope, call.arg("service"), call.arg("node"), body)
    return check.taken(scope, node, event)


def _event(scope: ReportScope, service: str, name: str, body: CrispReport) -> tuple[NodePlan, Reported]:
    if body.load is not None:
        check.within(body.load.cpu, "load.cpu", check.LOAD_MAX)
        check.within(body.load.ram, "load.ram", check.LOAD_MAX)
    node = check.node_of(scope, service, name)
    if node.mode == "local":
        if body.health is None:
            raise check.mismatch(node, "the report of an application")
        return node, check.from_agent(scope, node, body.replica_id, body.interval, body.health)
    if node.mode != "push":
        raise check.mismatch(node, "a report")
    event = check.from_application(node, body.replica_id, body.interval, body.load)
    if body.health is not None and (word := check.health(body.health)) != Health.HEALTHY:
        event.health = word
        event.reason = Reason(
            ReasonCode.REPORTED, check.text(body.reason or "") or f"the application calls itself {body.health}"
        )
    return node, event


def batch(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """POST /v1/report: a list of reports, each with its `service` and `node`; says which of them were refused."""
    scopes = check.admit(call, scope, wrong_status=401)
    events: list[AnyEvent] = []
    refused: list[dict[str, Any]] = []
    new: dict[str, set[str]] = {}
    for index, raw in enumerate(check.decoded(_BATCH, call.body)):
        try:
            seen = check.decoded(_SEEN, bytes(raw))
            check.may(scopes, seen.service, seen.node)
            node, event = _event(scope, seen.service, seen.node, seen)
            _refine(event, seen, call.now)
            coming = new.get(node.key, set())
            if event.replica not in coming and check.room_for(scope, node, event.replica, len(coming)):
                new.setdefault(node.key, set()).add(event.replica)
            events.append(event)
        except Refusal as refusal:
            refused.append({"index": index, **refusal.answer.body})
    return ReportAnswer(body={"accepted": len(events), "refused": refused}, events=tuple(events), wait=bool(new))


def _refine(event: Reported, seen: SeenReplica, now: float) -> None:
    """Add what our own agent knows beyond the published one."""
    latency = check.within(seen.latency_ms, "latency_ms", check.LATENCY_MAX_MS)
    event.latency_ms = round(latency)
    if ago := check.within(seen.ago, "ago", math.inf):
        event.since = now - min(ago, AGO_MAX)
    if event.health is not None and event.reason is not FINE:
        code = check.agent_code(seen.code)
        event.reason = Reason(code, check.text(seen.reason or "") or event.reason.text, check.text(seen.value)[:64])


def probes(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """GET /v1/probes/local: the list for an agent, in the form that it understands; 304 when `since` is its date."""
    scopes = check.admit(call, scope, wrong_status=401)
    query = call.query("since", "agent")
    agent = query["agent"]
    if len(agent) > AGENT_NAME_MAX:
        raise Refusal(400, "bad_agent", f"An agent's name has at most {AGENT_NAME_MAX} characters.")
    nodes = [
        node
        for node in scope.local.nodes
        if node.agent in {"", agent} and scopes & {"", node.service, f"{node.service}/{node.id}"}
    ]
    data = {"nodes": nodes} if call.ours() or agent else _published(scope, nodes)
    return dated(data, query["since"])


def _published(scope: ReportScope, nodes: list[LocalNode]) -> dict[str, Any]:
    """The list for Crisp Status Local: integers only, and no address whose scheme would spoil the whole for it."""
    services: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        targets = [
            target.address
            for target in node.targets
            if _understood(target.address) and not target.limits.get("expect_dead", node.expect_dead)
        ]
        if not targets:
            continue
        entry: dict[str, Any] = {"id": node.id, "replicas": targets}
        if http := _http(node.options.get("http", {})):
            entry["http"] = http
        services.setdefault(node.service, []).append(entry)
    local = scope.local
    metrics = {
        "retry": max(0, min(255, local.retry)),
        "delay_dead": max(1, math.ceil(local.delay_dead)),
        "delay_sick": max(1, math.ceil(local.delay_sick)),
    }
    listed = [{"id": service, "nodes": entries} for service, entries in services.items()]
    return {"metrics": {"local": metrics}, "services": listed}


_NUMBERS: Final = re.compile(r"[0-9]{3}")


def _whole(entry: object) -> str:
    """A status or range with both its ends: `2xx` is `200-299`."""
    text = str(entry).lower()
    return f"{text[0]}00-{text[0]}99" if text.endswith("xx") else text


def _understood(address: str) -> bool:
    """icmp://host, tcp://host:port, http:// and https:// (PROTOCOLS section 2.3)."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.scheme not in {"icmp", "tcp", "http", "https"}:
        return False
    return parts.scheme != "tcp" or port is not None


def _http(options: dict[str, Any]) -> dict[str, Any]:
    """The status window, and body matches that mean the same without regular expressions."""
    status = {key: options[key] for key in ("healthy_above", "healthy_below") if isinstance(options.get(key), int)}
    if listed := [
        int(number) for entry in options.get("healthy_status", ()) for number in _NUMBERS.findall(_whole(entry))
    ]:
        # The published agent knows one window only: the smallest that holds them all.
        status = {"healthy_above": min(listed), "healthy_below": max(listed) + 1}
    body = {
        key: re.sub(r"\\(\W)", r"\1", options[key])
        for key in ("healthy_match", "dead_match")
        if options.get(key) and re.fullmatch(r"(?:[^\\.^$*+?{}\[\]|()]|\\\W)*", options[key])
    }
    return {key: value for key, value in (("status", status), ("body", body)) if value}
