"""From Healthchecks: the JSON of its API, `/api/v3/checks/` and, if given, `/api/v3/channels/`.

Checks become heartbeats under the same path, `/ping/{uuid}`, so that in the scripts only the host changes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from crisp_status.importers._draft import DraftTable
from crisp_status.importers._files import ImportFailed, flag, number, table, tables, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.importers._draft import Draft
    from crisp_status.importers._files import Source

TITLE = "Healthchecks"

OTHER: Final = "Checks"

_CODE: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

DAY: Final = 86400


def recognises(head: bytes) -> bool:
    """Whether it is a list of checks as the API gives it."""
    return head.lstrip()[:1] == b"{" and b'"checks"' in head and b'"grace"' in head


def read(files: Sequence[Source], draft: Draft) -> None:
    """Fill the draft from lists of checks and of channels."""
    checks: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    for source in files:
        data = table(source.json())
        if not isinstance(data.get("checks", data.get("channels")), list):
            raise ImportFailed(f"{source.path} has neither checks nor channels; save /api/v3/checks/ of Healthchecks")
        checks += tables(data.get("checks"))
        channels += tables(data.get("channels"))
    if not checks:
        raise ImportFailed(f"{files[0].path} has no checks")
    draft.section("page")["name"] = "Checks"
    draft.section("notify")["reminder_interval"] = 0
    for check in checks:
        _check(check, draft)
    for channel in channels:
        where = f'integration "{text(channel.get("name")) or text(channel.get("kind"))}"'
        instead = "add [[notifiers]]: docs/notifiers.md"
        draft.lost(where, f'the API tells that it is "{text(channel.get("kind"))}", and not whom it tells', instead)
    if not channels:
        draft.lost("integrations", "are not in the list of checks", "add [[notifiers]]: docs/notifiers.md")
    draft.tokens()


def _check(check: dict[str, Any], draft: Draft) -> None:
    name = text(check.get("name")) or text(check.get("slug")) or "Unnamed"
    where = f'check "{name}"'
    code = _code(check)
    if not code:
        what = "has no ping address, as the list was made with a read-only key"
        draft.lost(where, what, "save the list with a key that may write, and import again")
        return
    if text(check.get("status")) == "paused":
        draft.lost(where, "is paused, and waits for a ping; here it would become dead", "add it when it is used again")
        return
    tags = text(check.get("tags")).split()
    node = draft.node(draft.service(tags[0] if tags else OTHER), name)
    node["mode"] = "push"
    node["heartbeat"] = draft.secret(f"{node['id']}-heartbeat", code)
    _times(check, node)
    if len(tags) > 1:
        draft.lost(where, f"of its tags only the first became a service, not {', '.join(tags[1:])}")
    if text(check.get("desc")):
        draft.lost(where, "its description is not carried over", "a node can have a link_url")
    if text(check.get("methods")) == "POST":
        draft.changed(where, "took POST only, and takes GET and HEAD, too")
    if any(flag(check.get(key)) for key in ("filter_subject", "filter_body", "filter_http_body")) or text(
        check.get("subject")
    ):
        draft.lost(
            where,
            "words in a mail or a body that make it a success or failure are not looked for",
            "let the script call /ping/{uuid}/fail",
            at=node,
        )
    if flag(check.get("manual_resume")):
        draft.lost(where, "nobody resumes by hand here", at=node)


def _code(check: dict[str, Any]) -> str:
    """The UUID of a check, from whatever of its addresses the list has."""
    for key in ("uuid", "ping_url", "update_url", "pause_url"):
        found = _CODE.search(text(check.get(key)))
        if found:
            return found.group()
    return ""


def _times(check: dict[str, Any], node: DraftTable) -> None:
    schedule, grace = text(check.get("schedule")), number(check.get("grace"))
    if schedule:
        node["schedule"] = schedule
        node["timezone"] = text(check.get("tz")) or "UTC"
    else:
        node["interval"] = number(check.get("timeout")) or DAY
    if grace:
        node["grace"] = grace
