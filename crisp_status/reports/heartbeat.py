"""Heartbeats by URL alone, for cron jobs and scripts: as Healthchecks, Uptime Kuma and Gatus have them
(PROTOCOLS sections 8.1 to 8.3).

A node with `heartbeat = "token"` has one replica, `heartbeat`. A job that is late by more than `delay_dead` (or `grace`) is dead;
`/start` counts as a sign of life, so that a job that starts and never ends is dead after the same time; it never makes
a failed job well.
"""

from __future__ import annotations

import math
import re
from typing import Final

import msgspec

from crisp_status.core.events import Reported
from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.core.policy import NodePlan
from crisp_status.core.replan import HEARTBEAT
from crisp_status.reports import (
    ACCEPTED,
    Admit,
    Handle,
    Refusal,
    ReportAnswer,
    ReportCall,
    ReportRoute,
    ReportScope,
)
from crisp_status.reports import _check as check
from crisp_status.reports._query import query_values

OUTPUT_MAX: Final = 64 * 1024
"""Bytes of a job's output that are looked at; only the first words become the reason."""
EXIT_DIGITS_MAX: Final = 10
"""Exit codes have up to ten digits on Windows; processes that a signal ended have negative ones."""
OPEN: Final = (("Access-Control-Allow-Origin", "*"),)
TEXT: Final = (("Content-Type", "text/plain; charset=utf-8"), *OPEN)
OK: Final = ReportAnswer(200, b"OK", TEXT)

_SIGNAL: Final = re.compile(rf"(-?[0-9]{{1,{EXIT_DIGITS_MAX}}}|[a-z]+)(?:[\s?&;,#].*)?", re.DOTALL)
"""The signal in a path, and what a script may append to it by mistake: `/fail&msg=…`, `/0%0A`."""
_WORD: Final = re.compile(r"[\s\"']*([\w.+-]*)")
"""The word at the start of a parameter: scripts leave quotes, newlines and a second `?` around it."""
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MILLISECONDS: Final = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


def routes() -> tuple[ReportRoute, ...]:
    """The routes for heartbeats. A body is only text for the reason, except where `kuma` says otherwise."""

    def route(method: str, path: str, handle: Handle, admit: Admit) -> ReportRoute:
        return ReportRoute(method, path, handle, admit, OUTPUT_MAX, body_optional=True)

    return (
        *(route(method, "/ping/{token}", ping, _admit_ping) for method in ("GET", "POST")),
        *(route(method, "/ping/{token}/{signal}", ping, _admit_ping) for method in ("GET", "POST")),
        route("*", "/api/push/{token}", kuma, _admit_kuma),
        route("POST", "/api/v1/endpoints/{key}/external", gatus, _admit_gatus),
    )


def _signal(call: ReportCall) -> str | None:
    """The signal of a ping: "", "start", "fail", "log" or a number; None when it is none of these."""
    given = call.arg("signal").strip().lower()
    if not given:
        return ""
    found = _SIGNAL.fullmatch(given)
    if found is None or not (found[1] in {"start", "fail", "log"} or found[1].lstrip("-").isdigit()):
        return None
    return found[1]


def _admit_ping(call: ReportCall, scope: ReportScope) -> None:
    known = scope.heartbeat(call.arg("token")) is not None
    signal = _signal(call)
    if known and signal is None and call.arg("signal").strip("-").isdigit():
        raise Refusal.of(ReportAnswer(400, b"invalid url format", TEXT))
    if not known or signal is None:
        raise Refusal.of(ReportAnswer(404, b"not found", TEXT, guess=not known))


def ping(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """/ping/{token}, with /start, /fail, /log or an exit code (PROTOCOLS section 8.2).

    The signal in the path counts, whatever the query and the body hold: a report is never lost to a bad `rid`.
    """
    node = _node(call, scope)
    signal = _signal(call)
    if signal == "log":
        return OK
    if signal == "start":
        return _with_event(OK, _started(scope, node))
    if signal == "fail":
        return _with_event(OK, _beat(node, "the job says that it failed", _excerpt(call.body)))
    if signal and int(signal):
        code = Reason(
            ReasonCode.EXIT, f"the job ended with exit code {int(signal)}{_excerpt(call.body)}", str(int(signal))
        )
        return _with_event(OK, _beat(node, reason=code))
    return _with_event(OK, _beat(node))


def _node(call: ReportCall, scope: ReportScope) -> NodePlan:
    node = scope.heartbeat(call.arg("token"))
    if node is None:
        raise Refusal(404, "unknown_node", "There is no heartbeat with this token.")
    return node


def _admit_kuma(call: ReportCall, scope: ReportScope) -> None:
    if scope.heartbeat(call.arg("token")) is None:
        raise Refusal.of(_kuma_error("Monitor not found or not active.", guess=True))


def _kuma_error(sentence: str, *, guess: bool = False) -> ReportAnswer:
    return ReportAnswer(404, {"ok": False, "msg": sentence}, OPEN, guess=guess)


def kuma(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """/api/push/{token}?status=up&msg=OK&ping= by any method; every error is 404 (PROTOCOLS section 8.1).

    Without any status it is up, as there; an empty one is refused, for a script lost it. A status that comes several
    times is up only if each of them is. `curl -d status=down` puts it into the body, where it counts too; without a
    status in the URL a body that cannot be read is refused.
    """
    node = _node(call, scope)
    given = call.query_all("status", "msg", "ping")
    if not given["status"] and call.body_lost:
        return _kuma_error("The body could not be read; send status in the URL.")
    if not given["status"] and call.body:
        given = _in_body(call.body) | {"ping": given["ping"]}
    statuses = [_word(value) for value in given["status"]]
    if statuses and not any(statuses):
        return _kuma_error("status is empty; send up or down.")
    bad = [status for status in statuses if status not in {"", "up"}]
    if not bad:
        event = _beat(node)
    else:
        claim = "it is down" if bad[0] == "down" else f'its status is "{check.shown(bad[0])}"'
        event = _beat(
            node, f"the job says that {claim}", _excerpt("".join(given["msg"][-1:]).encode("utf-8", "replace"))
        )
    event.latency_ms = _milliseconds(_number("".join(given["ping"][-1:])))
    return _with_event(ReportAnswer(200, {"ok": True}, OPEN), event)


def _in_body(body: bytes) -> dict[str, list[str]]:
    """`status` and `msg` of a body that is a JSON object or a form; empty lists for anything else."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return query_values(body.decode("utf-8", "surrogateescape"), "status", "msg")
    found = value if isinstance(value, dict) else {}
    return {name: [str(found[name])] if name in found else [] for name in ("status", "msg")}


def _admit_gatus(call: ReportCall, scope: ReportScope) -> None:
    """In the order of Gatus: success, token, key, token of that key."""
    if _success(call) is None:
        raise Refusal(400, "bad_success", 'success must be "true" or "false".')
    token = call.bearer()
    if not token:
        raise Refusal(401, "no_token", "This needs an Authorization header: Bearer and the token of the node.")
    node = scope.external(call.arg("key"))
    if node is None:
        raise Refusal(404, "unknown_node", f"There is no heartbeat node with the key {check.shown(call.arg('key'))}.")
    if scope.heartbeat(token) != node:
        raise Refusal(401, "wrong_token", "This is not the token of that node.")


def gatus(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """POST /api/v1/endpoints/{key}/external?success=…&error=…&duration=… (PROTOCOLS section 8.3).

    A duration that cannot be read loses the duration, not the report.
    """
    node = scope.external(call.arg("key"))
    if node is None:
        raise Refusal(404, "unknown_node", "There is no heartbeat node with this key.")
    query = call.query("error", "duration")
    error = query["error"].encode("utf-8", "replace")
    event = _beat(node) if _success(call) else _beat(node, "the check failed", _excerpt(error))
    event.latency_ms = _milliseconds(_go_duration(query["duration"]))
    return _with_event(ACCEPTED, event)


def _success(call: ReportCall) -> bool | None:
    """What `success` says; None when it says neither true nor false. One false among several counts."""
    given = {_word(value) for value in call.query_all("success")["success"]}
    return "false" not in given if given and given <= {"true", "false"} else None


def _beat(node: NodePlan, failed: str = "", words: str = "", reason: Reason = FINE) -> Reported:
    if failed:
        reason = Reason(ReasonCode.REPORTED, failed + words)
    return Reported(
        node=node.key,
        replica=HEARTBEAT,
        interval=node.interval,
        health=Health.HEALTHY if reason is FINE else Health.DEAD,
        reason=reason,
    )


def _started(scope: ReportScope, node: NodePlan) -> Reported:
    """A sign of life that leaves a dead job dead: only an end in success makes it well."""
    known = scope.replica(node, HEARTBEAT)
    return _beat(node, reason=known.reason) if known is not None and known.health == Health.DEAD else _beat(node)


def _with_event(answer: ReportAnswer, event: Reported) -> ReportAnswer:
    return ReportAnswer(answer.status, answer.body, answer.headers, (event,))


def _excerpt(output: bytes) -> str:
    """The first words of a job's output, behind a colon; "" when it printed nothing."""
    words = check.text(output[: check.TEXT_MAX].decode("utf-8", "replace"))
    return f": {words}" if words else ""


def _word(value: str) -> str:
    """The first word of a parameter, in lower case; the whole of it where it begins with something else."""
    value = value.strip().lower()
    found = _WORD.match(value)
    return found[1] if found is not None and found[1] else value.strip("\"' ")


def _number(given: str) -> float:
    """Milliseconds as JavaScript's parseFloat would read them; 0 for what is not a number or out of range."""
    try:
        value = float(given)
    except ValueError:
        return 0.0
    return value if 0 <= value < math.inf else 0.0


def _milliseconds(value: float) -> int:
    return round(min(value, check.LATENCY_MAX_MS)) if value > 0 else -1


def _go_duration(given: str) -> float:
    """Milliseconds of a Go duration such as 1m30s; -1 for none and for what cannot be read."""
    given = given.strip().lstrip("+")
    parts = _DURATION.findall(given)
    if not parts or "".join(number + unit for number, unit in parts) != given:
        return -1.0
    return sum((float(number) * _MILLISECONDS[unit] for number, unit in parts), 0.0)
