"""Heartbeats by URL alone, for cron jobs and scripts: as Healthchecks, Uptime Kuma and Gatus have them
(PROTOCOLS sections 8.1 to 8.3).

A node with `heartbeat = "token"` has one replica, `heartbeat`. A job that is late by more than `delay_dead` (or `grace`) is dead;
`/start` counts as a sign of life, so that a job that starts and never ends is dead after the same time; it never makes
a failed job well.
"""

from __future__ import annotations

import re
from typing import Final

from crisp_status.core.events import Reported
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.core.policy import NodePlan
from crisp_status.core.replan import HEARTBEAT
from crisp_status.reports import ACCEPTED, BATCH_MAX, Refusal, ReportAnswer, ReportCall, ReportRoute, ReportScope
from crisp_status.reports import _check as check

OUTPUT_MAX: Final = BATCH_MAX
"""Jobs post what they printed; only the first words are kept, and refusing the rest would make a good job late."""
KUMA_PING_MAX: Final = 1e11
"""Milliseconds that Uptime Kuma takes (PROTOCOLS section 8.1)."""
EXIT_MAX: Final = 255
"""What a process can end with."""
OPEN: Final = (("Access-Control-Allow-Origin", "*"),)
TEXT: Final = (("Content-Type", "text/plain; charset=utf-8"), *OPEN)
OK: Final = ReportAnswer(200, b"OK", TEXT)
UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")

_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MILLISECONDS: Final = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


def routes() -> tuple[ReportRoute, ...]:
    """The doors of this dialect."""
    return (
        *(ReportRoute(method, "/ping/{token}", ping, _admit_ping, OUTPUT_MAX) for method in ("GET", "POST")),
        *(ReportRoute(method, "/ping/{token}/{signal}", ping, _admit_ping, OUTPUT_MAX) for method in ("GET", "POST")),
        ReportRoute("*", "/api/push/{token}", kuma, _admit_kuma),
        ReportRoute("POST", "/api/v1/endpoints/{key}/external", gatus),
    )


def _admit_ping(call: ReportCall, desk: ReportScope) -> None:
    signal = call.arg("signal")
    number = signal.isascii() and signal.isdigit()
    if number and (len(signal) > 3 or int(signal) > EXIT_MAX):
        raise Refusal.of(ReportAnswer(400, b"invalid url format", TEXT))
    known = desk.heartbeat(call.arg("token")) is not None
    if not known or not (number or signal in {"", "start", "fail", "log"}):
        raise Refusal.of(ReportAnswer(404, b"not found", TEXT, guess=not known))
    run = _query(call).get("rid", "")
    if run and not UUID.fullmatch(run):
        raise Refusal.of(ReportAnswer(400, b"invalid uuid format", TEXT))


def ping(call: ReportCall, desk: ReportScope) -> ReportAnswer:
    """/ping/{token}, with /start, /fail, /log or an exit code (PROTOCOLS section 8.2)."""
    node = _node(call, desk)
    signal = call.arg("signal")
    if signal == "log":
        return OK
    if signal == "start":
        return _said(OK, _still(desk, node))
    if signal == "fail":
        return _said(OK, _beat(node, "the job says that it failed", _words(call.body)))
    if signal and int(signal):
        code = Reason("exit", f"the job ended with exit code {int(signal)}{_words(call.body)}", str(int(signal)))
        return _said(OK, _beat(node, reason=code))
    return _said(OK, _beat(node))


def _node(call: ReportCall, desk: ReportScope) -> NodePlan:
    node = desk.heartbeat(call.arg("token"))
    if node is None:
        raise Refusal(404, "unknown_node", "There is no heartbeat with this token.")
    return node


def _admit_kuma(call: ReportCall, desk: ReportScope) -> None:
    if desk.heartbeat(call.arg("token")) is None:
        raise Refusal.of(ReportAnswer(404, {"ok": False, "msg": "Monitor not found or not active."}, OPEN, guess=True))


def kuma(call: ReportCall, desk: ReportScope) -> ReportAnswer:
    """/api/push/{token}?status=up&msg=OK&ping= by any method; every error is 404 (PROTOCOLS section 8.1)."""
    node = _node(call, desk)
    query = _query(call)
    latency = _number(query.get("ping") or "0")
    if not 0 <= latency <= KUMA_PING_MAX:
        return ReportAnswer(404, {"ok": False, "msg": "Invalid ping value."}, OPEN)
    if query.get("status", "up") == "up":
        event = _beat(node)
    else:
        event = _beat(node, "the job says that it is down", _words(query.get("msg", "").encode("utf-8", "replace")))
    event.latency_ms = _milliseconds(latency)
    return _said(ReportAnswer(200, {"ok": True}, OPEN), event)


def gatus(call: ReportCall, desk: ReportScope) -> ReportAnswer:
    """POST /api/v1/endpoints/{key}/external?success=…, checked in the order of Gatus (PROTOCOLS section 8.3)."""
    query = _query(call)
    success = query.get("success", "")
    if success not in {"true", "false"}:
        raise Refusal(400, "bad_success", 'success must be "true" or "false".')
    token = call.bearer()
    if not token:
        raise Refusal(401, "no_token", "This needs an Authorization header: Bearer and the token of the node.")
    node = desk.external(call.arg("key"))
    if node is None:
        raise Refusal(404, "unknown_node", f"There is no heartbeat node with the key {check.shown(call.arg('key'))}.")
    if desk.heartbeat(token) != node:
        raise Refusal(401, "wrong_token", "This is not the token of that node.")
    latency = _go_duration(query.get("duration", ""))
    if latency is None:
        raise Refusal(400, "bad_duration", "duration must look like 250ms, 10s or 1m30s.")
    error = query.get("error", "").encode("utf-8", "replace")
    event = _beat(node) if success == "true" else _beat(node, "the check failed", _words(error))
    event.latency_ms = _milliseconds(latency)
    return _said(ACCEPTED, event)


def _query(call: ReportCall) -> dict[str, str]:
    """The query; one that cannot be read is none, because a job must not turn dead for a stray parameter."""
    try:
        return call.query()
    except Refusal:
        return {}


def _beat(node: NodePlan, failed: str = "", words: str = "", reason: Reason = FINE) -> Reported:
    if failed:
        reason = Reason("reported", failed + words)
    return Reported(
        node=node.key,
        replica=HEARTBEAT,
        interval=node.interval,
        health=Health.HEALTHY if reason is FINE else Health.DEAD,
        reason=reason,
    )


def _still(desk: ReportScope, node: NodePlan) -> Reported:
    """A sign of life that leaves a dead job dead: only an end in success makes it well."""
    known = desk.replica(node, HEARTBEAT)
    return _beat(node, reason=known.reason) if known is not None and known.health == Health.DEAD else _beat(node)


def _said(answer: ReportAnswer, event: Reported) -> ReportAnswer:
    return ReportAnswer(answer.status, answer.body, answer.headers, (event,))


def _words(said: bytes) -> str:
    """The first words of a job's output, behind a colon."""
    words = check.text(said[: check.TEXT_MAX].decode("utf-8", "replace"))
    return f": {words}" if words else ""


def _number(word: str) -> float:
    """A number as JavaScript reads one; NaN counts as none (PROTOCOLS section 8.1)."""
    try:
        value = float(word)
    except ValueError:
        return 0.0
    return 0.0 if value != value else value  # noqa: PLR0124 - NaN


def _milliseconds(value: float) -> int:
    return round(min(value, check.LATENCY_MAX_MS)) if value > 0 else -1


def _go_duration(word: str) -> float | None:
    """Milliseconds of a Go duration; -1 when empty, None when it is none."""
    if not word:
        return -1.0
    parts = _DURATION.findall(word.lstrip("+"))
    if word.lstrip("+") != "0" and (not parts or "".join(n + u for n, u in parts) != word.lstrip("+")):
        return None
    return sum((float(number) * _MILLISECONDS[unit] for number, unit in parts), 0.0)
