"""The state in JSON for operators: with addresses, reasons and what failed. Never for the public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crisp_status.api.json_fields import iso
from crisp_status.core.outbox import receivers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.core.model import DeliveryAttempt, Incident, Node, Replica, State
    from crisp_status.core.operator_records import Announcement, Silence
    from crisp_status.core.policy import NodePlan

MAX_REPLICAS: Final = 1000
"""Replicas listed of one node, worst first; a terminal shows no more."""

MAX_CLOSED: Final = 50
"""Incidents listed that are over."""

MAX_MESSAGES: Final = 1000
"""Undelivered messages listed, oldest first."""


def tree(state: State, now: float, certificates: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The health tree, what is open and what is unsent."""
    return {
        "at": iso(now),
        "health": state.health.word,
        "since": iso(state.since),
        "offline_since": iso(state.offline_since),
        "services": [
            {
                "id": plan.id,
                "name": plan.name,
                "health": state.services[plan.id].health.word,
                "nodes": [_node(n, state.nodes[n.key]) for n in plan.nodes if n.key in state.nodes],
            }
            for plan in state.plan.services
            if plan.id in state.services
        ],
        "incidents": [_incident(i) for i in state.open.values()],
        "silences": [silence(s) for s in state.silences.values()],
        "maintenance": list(state.windows),
        "outbox": {
            "waiting": len(state.outbox),
            "failing": sum(1 for m in state.outbox.values() if m.attempts),
            "gave_up": state.gave_up,
        },
        "certificates": [{key: c[key] for key in c if key != "ends"} for c in certificates],
    }


def _node(plan: NodePlan, node: Node) -> dict[str, Any]:
    replicas = sorted(node.replicas.values(), key=lambda r: (-r.health, r.number))[:MAX_REPLICAS]
    return {
        "id": plan.id,
        "name": plan.name,
        "mode": plan.mode,
        "health": node.health.word,
        "since": iso(node.since),
        "maintenance": node.maintenance,
        "unstable": node.unstable,
        "counts": dict(zip(("pending", "healthy", "sick", "dead"), node.counts, strict=False)),
        "replicas": [_replica(r) for r in replicas],
    }


def _replica(replica: Replica) -> dict[str, Any]:
    return {
        "id": replica.id,
        "number": replica.number,
        "health": replica.health.word,
        "since": iso(replica.since),
        "reason": {"code": replica.reason.code, "text": replica.reason.text, "value": replica.reason.value},
        "unknown": replica.unknown,
        "seen_at": iso(replica.seen_at),
        "latency_ms": replica.latency_ms if replica.latency_ms >= 0 else None,
        "cpu": replica.cpu if replica.cpu >= 0 else None,
        "ram": replica.ram if replica.ram >= 0 else None,
        "failures": [{"at": iso(f.at), "text": f.text} for f in replica.failures],
    }


def announcement(words: Announcement, now: float) -> dict[str, Any]:
    """One announcement; `id` and `title` are all that Vigil gives."""
    return {
        "id": words.id,
        "title": words.title,
        "text": words.text,
        "created_at": iso(words.created_at),
        "starts_at": iso(words.starts_at),
        "expires_at": iso(words.expires_at),
        "maintenance": list(words.maintenance),
        "rrule": words.rrule,
        "from_file": words.from_file,
    }


def silence(silence: Silence) -> dict[str, Any]:
    """One silence."""
    return {
        "id": silence.id,
        "scope": silence.scope,
        "until": iso(silence.until),
        "created_at": iso(silence.created_at),
        "by": silence.by,
    }


def incidents(state: State) -> list[dict[str, Any]]:
    """Open ones, newest first, then the last that are over."""
    going = sorted(state.open.values(), key=lambda i: -i.id)
    return [_incident(i) for i in [*going, *reversed(state.closed[-MAX_CLOSED:])]]


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "opened_at": iso(incident.opened_at),
        "closed_at": iso(incident.closed_at),
        "worst": incident.worst.word,
        "nodes": list(incident.nodes),
        "bad": incident.bad,
        "alerted_at": iso(incident.alerted_at),
        "acknowledged_at": iso(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        # All that were given: a later outage in the same incident takes the last one away from the two fields above.
        "acknowledgements": [
            {"at": iso(line.at), "by": line.by} for line in incident.record.log if line.what == "acknowledged"
        ],
    }


def outbox(state: State, held: Sequence[tuple[int, str, str, str]] = ()) -> dict[str, Any]:
    """What is undelivered, what is held back (`Engine.held`), the last attempts, and how many were given up."""
    known = receivers(state)
    return {
        "messages": [
            {
                "id": m.id,
                "notifier": m.notifier,
                "target": m.target,
                "kind": m.kind,
                "incident": m.incident or None,
                "created_at": iso(m.created_at),
                "due_at": iso(m.due_at),
                "attempts": m.attempts,
                "refused": m.refusals > 0,
                "vanished": m.notifier not in known,
                "last_error": m.last_error,
                "last_at": iso(m.last_at),
            }
            for m in list(state.outbox.values())[:MAX_MESSAGES]
        ],
        "total": len(state.outbox),
        "held": [
            {"incident": incident, "notifier": notifier, "node": node, "reason": reason}
            for incident, notifier, node, reason in held[:MAX_MESSAGES]
        ],
        "gave_up": state.gave_up,
        "lost": [_attempt(a) for a in state.lost],
        "attempts": [_attempt(a) for a in state.attempts],
    }


def _attempt(line: DeliveryAttempt) -> dict[str, Any]:
    return {
        "at": iso(line.at),
        "message": line.message,
        "notifier": line.notifier,
        "kind": line.kind,
        "outcome": line.outcome,
        "detail": line.detail,
    }
