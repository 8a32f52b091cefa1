"""From Atlassian Statuspage: saved documents of its public API, `/api/v2/summary.json`, `incidents.json` and the others.

Components become nodes that wait for reports, since Statuspage does not know what they are: nothing there has an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import available_timezones

from crisp_status.importers._draft import DraftTable
from crisp_status.importers._files import ImportFailed, flag, number, table, tables, text
from crisp_status.importers._statuspage_history import OVER, history, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.importers._draft import Draft
    from crisp_status.importers._files import Source

TITLE = "Statuspage"

OTHER: Final = "Components"

LISTS: Final = ("components", "incidents", "scheduled_maintenances")

TEXT_MAX: Final = 10_000


def recognises(head: bytes) -> bool:
    """Whether it is a document of that API: each has the page and one of the lists."""
    named = any(f'"{name}"'.encode() in head for name in LISTS)
    return head.lstrip()[:1] == b"{" and b'"page"' in head and named and b'"updated_at"' in head


def read(files: Sequence[Source], draft: Draft) -> None:
    """Fill the draft from any number of documents; what stands in several of them is taken once."""
    page: dict[str, Any] = {}
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in LISTS}
    for source in files:
        data = table(source.json())
        if not isinstance(data.get("page"), dict):
            raise ImportFailed(f"{source.path} has no page; save /api/v2/summary.json of the status page")
        page = {**page, **data["page"]}
        for name in LISTS:
            for item in tables(data.get(name)):
                found[name].setdefault(text(item.get("id")) or str(len(found[name])), item)
    if not found["components"]:
        raise ImportFailed("no file has components; save /api/v2/summary.json, too")
    _page(page, draft)
    keys = _components(found["components"], draft)
    for incident in found["incidents"].values():
        if text(incident.get("status")) not in OVER:
            _incident(incident, draft)
    for work in found["scheduled_maintenances"].values():
        if text(work.get("status")) not in OVER:
            _maintenance(work, keys, draft)
    draft.lost("subscribers", "are not in the public API", "export them from Statuspage")
    draft.lost("the look of the page", "is not in the public API", "[page.branding] has colour, logos and images")
    draft.tokens()
    if draft.wants_history:
        draft.history = history(found["components"], found["incidents"], keys, draft.today)


def _page(page: dict[str, Any], draft: Draft) -> None:
    ours = draft.section("page")
    ours["name"] = text(page.get("name")) or "Status"
    if text(page.get("url")):
        ours.setdefault("url", text(page["url"]))
    zone = text(page.get("time_zone")) or text(page.get("timezone"))
    if zone in available_timezones():
        ours["timezone"] = zone
    elif zone:
        draft.lost(
            "page.time_zone",
            f'"{zone}" is not a zone of the tz database',
            'set timezone in [page], as in "Europe/Paris"',
        )


def _components(components: dict[str, dict[str, Any]], draft: Draft) -> dict[str, str]:
    """Make the nodes in the order of the page; by the id of a component, the key of its node."""
    keys: dict[str, str] = {}
    groups = {key: item for key, item in components.items() if flag(item.get("group"))}
    for key, item in sorted(components.items(), key=lambda pair: number(pair[1].get("position")) or 0):
        if key in groups:
            draft.service(text(item.get("name")) or OTHER)
    for key, item in sorted(components.items(), key=lambda pair: number(pair[1].get("position")) or 0):
        if key in groups:
            continue
        group = groups.get(text(item.get("group_id")))
        service = draft.service((text(group.get("name")) if group else "") or OTHER)
        node = draft.node(service, text(item.get("name")))
        node["mode"] = "push"
        node["heartbeat"] = draft.fresh(f"{service['id']}-{node['id']}-heartbeat")
        keys[key] = f"{service['id']}/{node['id']}"
        instead = 'write mode = "poll" and replicas = ["https://…"] in place of mode and heartbeat, or report it: docs/reporting.md'
        draft.lost(f'component "{text(item.get("name"))}"', "has no address, as it was set by hand", instead, at=node)
        if text(item.get("description")):
            draft.lost(f'component "{text(item.get("name"))}"', "its description is not carried over")
        if flag(item.get("only_show_if_degraded")):
            draft.lost(
                f'component "{text(item.get("name"))}"', "was shown only when degraded, and is always shown here"
            )
    draft.data["services"] = [service for service in draft.data["services"] if service["nodes"]]
    return keys


def _incident(incident: dict[str, Any], draft: Draft) -> None:
    """What is not over becomes an announcement: here incidents open by what is seen."""
    entry = DraftTable(title=text(incident.get("name")) or "Incident", text=_body(incident))
    since = stamp(incident.get("started_at")) or stamp(incident.get("created_at"))
    if since:
        entry["starts_at"] = since
    draft.append("announcements", entry)


def _maintenance(work: dict[str, Any], keys: dict[str, str], draft: Draft) -> None:
    name = text(work.get("name")) or "Maintenance"
    starts, ends = stamp(work.get("scheduled_for")), stamp(work.get("scheduled_until"))
    if not starts or not ends or ends <= starts:
        draft.lost(f'maintenance "{name}"', "has no times that can be understood", "write it as [[announcements]]")
        return
    entry = DraftTable(title=name, text=_body(work), starts_at=starts, expires_at=ends)
    of = [keys[text(item.get("id"))] for item in tables(work.get("components")) if text(item.get("id")) in keys]
    if of:
        entry["maintenance"] = of
    draft.append("announcements", entry)


def _body(item: dict[str, Any]) -> str:
    """The updates of an incident, the newest first, as the API has them."""
    return "\n\n".join(filter(None, (text(u.get("body")) for u in tables(item.get("incident_updates")))))[:TEXT_MAX]
