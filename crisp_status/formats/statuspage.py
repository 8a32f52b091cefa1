"""JSON for other people's programs: the shape that Atlassian Statuspage made common, and Vigil's status report.

PROTOCOLS sections 6.1 to 6.3 and 3.4. Strict readers rule: no `maintenance` indicator, every key there, every time in
ISO 8601 with milliseconds. What was never checked is left out of the components until it is: readers would take any
word for its state as good for ever. Nothing changes in these documents unless something happened, so that entity tags stay.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from crisp_status.language import timeline
from crisp_status.language.phases import Status, impact, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.language.phases import PhaseUpdate
    from crisp_status.view.page_view import IncidentView, MaintenanceView, NodeView, PageView, ServiceView

MAX_INCIDENTS: Final = 50
"""As many as Statuspage is commonly said to give."""

_MARKUP: Final = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")
"""What HTML takes for the start of a tag, a comment or an entity."""

_ORDER: Final[tuple[Status, ...]] = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)


def iso(at: float) -> str | None:
    """`2026-11-22T14:02:00.000Z`; None for 0."""
    if not at:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dump(value: Any) -> str:
    """JSON as it is sent."""
    # One call that holds every other thread for 3 MB of JSON: the faster encoder keeps that under ten milliseconds.
    return msgspec.json.encode(value).decode()


def link(view: PageView, path: str = "") -> str:
    """An address on the page."""
    return view.info.url.rstrip("/") + "/" + path


def page(view: PageView) -> dict[str, Any]:
    """The head of every document."""
    return {
        "id": page_id(view),
        "name": view.info.name,
        "url": view.info.url.rstrip("/"),
        "time_zone": view.info.timezone,
        "timezone": view.info.timezone,
        "updated_at": iso(changed_at(view)),
    }


def page_id(view: PageView) -> str:
    """Stable and without meaning to anyone: the host."""
    return view.info.url.partition("://")[2].strip("/").replace("/", ".") or "page"


def changed_at(view: PageView) -> float:
    """When anything on the page last changed."""
    times = [view.since, *(n.since for n in view.nodes.values()), *(i.updated_at for i in view.incidents)]
    times += [a.created_at for a in view.announcements] + [m.created_at for m in view.maintenances]
    return max((x for x in times if x and x <= view.at), default=view.at)


def node_status(node: NodeView) -> Status:
    """The component's word."""
    if node.look == "work":
        return "under_maintenance"
    if node.look == "dead":
        return "major_outage" if node.all_dead else "partial_outage"
    return "degraded_performance" if node.look == "sick" else "operational"


def indicator(view: PageView) -> dict[str, str]:
    """The roll-up: the worst component decides, all of them dead is critical."""
    states = [node_status(n) for n in view.nodes.values()]
    if "major_outage" in states or "partial_outage" in states:
        if len(states) > 1 and all(s == "major_outage" for s in states):
            return {"indicator": "critical", "description": "Major System Outage"}
        return {"indicator": "major", "description": "Partial System Outage"}
    if "degraded_performance" in states:
        return {"indicator": "minor", "description": "Partially Degraded Service"}
    if "under_maintenance" in states:
        return {"indicator": "none", "description": "Service Under Maintenance"}
    if states and all(n.look == "pend" for n in view.nodes.values()):
        return {"indicator": "none", "description": "Waiting For First Checks"}
    return {"indicator": "none", "description": "All Systems Operational"}


def components(view: PageView) -> list[dict[str, Any]]:
    """Services as groups, each followed by its nodes. What was never observed is left out: no word here fits it."""
    found: list[dict[str, Any]] = []
    for service in view.services:
        seen = [node for node in service.nodes if node.look != "pend"]
        if seen:
            found.append(_group(service, seen, view))
            found += [component(node, view) for node in seen]
    return found


def component(node: NodeView, view: PageView) -> dict[str, Any]:
    """A node."""
    return {
        "id": node.key,
        "name": node.name,
        "status": node_status(node),
        "created_at": iso(node.born or view.since or view.at),
        "updated_at": iso(node.since or node.born or view.at),
        "position": node.position,
        "description": None,
        "showcase": True,
        "start_date": (iso(node.born) or "")[:10] or None,
        "group_id": node.service,
        "page_id": page_id(view),
        "group": False,
        "only_show_if_degraded": False,
    }


def _group(service: ServiceView, nodes: Sequence[NodeView], view: PageView) -> dict[str, Any]:
    born = min((n.born for n in nodes if n.born), default=view.at)
    worst = max((node_status(n) for n in nodes), key=_ORDER.index)
    return {
        "id": service.id,
        "name": service.name,
        "status": worst,
        "created_at": iso(born),
        "updated_at": iso(service.since or born),
        "position": service.position,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "page_id": page_id(view),
        "group": True,
        "only_show_if_degraded": False,
        "components": [n.key for n in nodes],
    }


def incident(event: IncidentView, view: PageView, t: Locale) -> dict[str, Any]:
    """One incident with its updates, newest first."""
    told = steps(event, t)
    address = link(view, f"incidents/{event.id}")
    watched = next((s.at for s in reversed(told) if s.phase == "monitoring"), 0.0)
    return {
        "id": str(event.id),
        "name": timeline.headline(event, t),
        "status": told[-1].phase,
        "created_at": iso(event.seen_at),
        "updated_at": iso(max(event.updated_at, event.seen_at)),
        "monitoring_at": iso(watched),
        "resolved_at": iso(event.closed_at),
        "impact": impact(event, view),
        "shortlink": address,
        "started_at": iso(event.opened_at),
        "page_id": page_id(view),
        "incident_updates": [_update(s, str(event.id)) for s in reversed(told)],
        "components": [component(view.nodes[h.key], view) for h in event.nodes if h.key in view.nodes],
        "reminder_intervals": None,
    }


def _update(step: PhaseUpdate, incident_id: str) -> dict[str, Any]:
    affected = [{"code": c.key, "name": c.name, "old_status": c.old, "new_status": c.new} for c in step.changes]
    return {
        "id": f"{incident_id}-{step.number}",
        "status": step.phase,
        "body": inert(step.text),
        "incident_id": incident_id,
        "created_at": iso(step.at),
        "updated_at": iso(step.at),
        "display_at": iso(step.at),
        "affected_components": affected or None,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }


def inert(text: str) -> str:
    """Text that stays text in readers that insert it as HTML, and reads the same in those that do not.

    So only what HTML would take for a tag, a comment or an entity is escaped: "5 < 6" and "R&D" stay as they are.
    """
    return _MARKUP.sub(lambda found: "&lt;" if found[0] == "<" else "&amp;", text)


def maintenance(work: MaintenanceView, view: PageView) -> dict[str, Any]:
    """Announced work, in the shape of an incident."""
    created = work.created_at or min(work.first_at or work.starts_at, work.starts_at)
    status = "in_progress" if work.running else "scheduled"
    touched = [n for n in view.nodes.values() if n.key in work.keys or n.service in work.keys]
    update = {
        "id": f"{work.id}-1",
        "status": status,
        "body": inert(work.text or work.title),
        "incident_id": work.id,
        "created_at": iso(created),
        "updated_at": iso(created),
        "display_at": iso(created),
        "affected_components": None,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }
    return {
        "id": work.id,
        "name": inert(work.title),
        "status": status,
        "created_at": iso(created),
        "updated_at": iso(work.starts_at if work.running else created),
        "monitoring_at": None,
        "resolved_at": None,
        "impact": "maintenance",
        "shortlink": link(view),
        "started_at": iso(work.starts_at),
        "page_id": page_id(view),
        "incident_updates": [update],
        "components": [component(n, view) for n in touched],
        "scheduled_for": iso(work.starts_at),
        "scheduled_until": iso(work.ends_at),
        "reminder_intervals": None,
    }


def _incidents(view: PageView, t: Locale, *, unresolved: bool) -> list[dict[str, Any]]:
    chosen = view.open if unresolved else view.incidents
    return [incident(i, view, t) for i in chosen[:MAX_INCIDENTS]]


def _works(view: PageView, *running: bool) -> list[dict[str, Any]]:
    return [maintenance(m, view) for m in view.maintenances if m.running in running]


DOCUMENTS: Final[dict[str, Callable[[PageView, Locale], dict[str, Any]]]] = {
    "summary": lambda v, t: {
        "page": page(v),
        "status": indicator(v),
        "components": components(v),
        "incidents": _incidents(v, t, unresolved=True),
        "scheduled_maintenances": _works(v, True, False),
    },
    "status": lambda v, t: {"page": page(v), "status": indicator(v)},
    "components": lambda v, t: {"page": page(v), "components": components(v)},
    "incidents": lambda v, t: {"page": page(v), "incidents": _incidents(v, t, unresolved=False)},
    "incidents/unresolved": lambda v, t: {"page": page(v), "incidents": _incidents(v, t, unresolved=True)},
    "scheduled-maintenances": lambda v, t: {"page": page(v), "scheduled_maintenances": _works(v, True, False)},
    "scheduled-maintenances/upcoming": lambda v, t: {"page": page(v), "scheduled_maintenances": _works(v, False)},
    "scheduled-maintenances/active": lambda v, t: {"page": page(v), "scheduled_maintenances": _works(v, True)},
}
"""Every document under `/api/v2/`, without its `.json`."""


def report(view: PageView) -> dict[str, Any]:
    """Vigil's `/status/report`: names and health only."""
    return {
        "health": view.health.word,
        "page": {"name": view.info.name, "url": view.info.url},
        "probes": [
            {
                "name": service.name,
                "status": service.health.word,
                "nodes": [
                    {"name": n.name, "status": n.health.word, "replicas": [r.health.word for r in n.replicas]}
                    for n in service.nodes
                ],
            }
            for service in view.services
        ],
    }
