"""Places: agents that see replicas from other networks. Each fetches its list and sends what it saw, in batches.

Times come as ages, so that clocks need not agree. A batch says which run of the agent made it and its number there, so
that what comes late or twice is known. The list may hold header values and passwords: those go over HTTPS or the loopback.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from crisp_status.core.events import AnyEvent, PlaceHeard, Voted
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.reports import BATCH_MAX, Refusal, ReportAnswer, ReportCall, ReportRoute, ReportScope
from crisp_status.reports import _check as check
from crisp_status.reports._dated_list import dated

RUN_MAX: Final = 64
"""Characters of the id of a run."""
BATCHES_MAX: Final = 2**53
"""Batches of one run; JSON knows no larger number for sure."""
AGO_MAX: Final = 7 * 86400.0
"""A place that was cut off for longer tells of the present only."""
STALE_SECONDS: Final = 60.0
"""A look that is older than its interval and its own budget by more than this tells of the past: it is no vote."""


class SeenLook(msgspec.Struct):
    """One finished look of a place."""

    node: str
    replica: str
    health: str | None = None
    """None: it could not look, by an error of its own."""
    age: float = 0.0
    """Seconds since the look was over …"""
    ago: float = 0.0
    """… and since it was first seen so."""
    code: str = ""
    reason: str = ""
    value: str = ""
    latency_ms: float | None = None


class PlaceBatch(msgspec.Struct):
    """What a place saw since the last one; nothing is a sign of life, too."""

    run: str
    batch: int
    looks: list[msgspec.Raw] = []


_BATCH: Final = msgspec.json.Decoder(PlaceBatch)
_LOOK: Final = msgspec.json.Decoder(SeenLook)


def routes() -> tuple[ReportRoute, ...]:
    """The doors of this dialect."""
    return (
        ReportRoute("GET", "/v1/places/{place}/probes", probes, admit),
        ReportRoute("POST", "/v1/places/{place}/looks", looks, admit, BATCH_MAX),
    )


def admit(call: ReportCall, scope: ReportScope) -> None:
    """Only the token of this very place opens its doors."""
    token = call.basic()
    if token is None:
        detail = "A place needs Basic authentication with its token in [[places]] as the password."
        raise Refusal(401, "no_token", detail, headers=check.CHALLENGE)
    if scope.place(token) != call.arg("place"):
        detail = f'This is not the token of a place "{check.shown(call.arg("place"))}" of this page.'
        raise Refusal(401, "wrong_token", detail, headers=check.CHALLENGE)


def probes(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """GET: what to look at; 304 when `since` is its date. What is secret is withheld from a connection that others read."""
    found = scope.seen_from[call.arg("place")]
    nodes = [node for node in found.nodes if call.protected or f"{node.service}/{node.id}" not in found.secret]
    withheld = [] if call.protected else sorted(found.secret)
    data = {"nodes": nodes, "silent_after": found.silent_after, "withheld": withheld}
    return dated(data, call.query("since")["since"])


def looks(call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """POST: a batch of looks; says which of them were refused, and whether the last of everything is wanted again."""
    body, place = check.decoded(_BATCH, call.body), call.arg("place")
    if not 0 < len(body.run) <= RUN_MAX or not body.run.isprintable() or not 0 <= body.batch <= BATCHES_MAX:
        raise Refusal(400, "bad_batch", f"run has 1 to {RUN_MAX} printable characters, batch is a number from 0 on.")
    events: list[AnyEvent] = [PlaceHeard(place=place, run=body.run, batch=body.batch)]
    refused: list[dict[str, Any]] = []
    for index, raw in enumerate(body.looks):
        try:
            vote = _vote(call, scope, body, check.decoded(_LOOK, bytes(raw)))
        except Refusal as refusal:
            refused.append({"index": index, **refusal.answer.body})
        else:
            events += [vote] if vote is not None else []
    known = scope.state.places.get(place)
    again = known is None or not known.heard_since
    answer = {"accepted": len(body.looks) - len(refused), "refused": refused, "again": again}
    return ReportAnswer(body=answer, events=tuple(events), wait=again)


def _vote(call: ReportCall, scope: ReportScope, batch: PlaceBatch, seen: SeenLook) -> Voted | None:
    service, _, name = seen.node.partition("/")
    node, place = check.node_of(scope, service, name), call.arg("place")
    if place not in node.places or scope.replica(node, seen.replica) is None:
        raise Refusal(404, "unknown_replica", "This place does not look at that (any more); fetch the list again.")
    age = check.within(seen.age, "age", math.inf)
    ago = max(age, check.within(seen.ago, "ago", math.inf))
    if age > max(node.interval, node.interval_most) + node.verdict_seconds + STALE_SECONDS:
        return None
    health = check.health(seen.health) if seen.health is not None else None
    return Voted(
        place=place,
        run=batch.run,
        batch=batch.batch,
        node=node.key,
        replica=seen.replica,
        health=health,
        since=call.now - min(ago, AGO_MAX),
        reason=_reason(seen) if health not in {None, Health.HEALTHY} else FINE,
        latency_ms=round(check.within(seen.latency_ms, "latency_ms", check.LATENCY_MAX_MS)),
    )


def _reason(seen: SeenLook) -> Reason:
    code = check.agent_code(seen.code)
    return Reason(code, check.text(seen.reason) or f"found {seen.health}", check.text(seen.value)[:64])
