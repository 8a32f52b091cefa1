"""From Uptime Kuma: `kuma.db` of version 2 (and 1), or the JSON backup of version 1.

Groups of a status page become services, monitors nodes, pushes heartbeats with the same token. What was on no status page
was seen by nobody, so it is left out, and named, unless everything is asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from crisp_status.importers import _kuma_maintenance as maintenance
from crisp_status.importers import _kuma_monitors as monitors
from crisp_status.importers import _notifiers as notifiers
from crisp_status.importers._draft import DraftTable, Reference
from crisp_status.importers._files import flag, number, table, text
from crisp_status.importers._kuma_files import MAGIC, Kuma, opened
from crisp_status.importers._kuma_history import history

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crisp_status.importers._draft import Draft
    from crisp_status.importers._files import Source

TITLE = "Uptime Kuma"

OTHER: Final = "Monitors"

HIDDEN: Final = "is on no status page, and here it would be seen by everybody"

FIELDS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "apprise": ("apprise", {"url": "appriseURL"}),
    "discord": ("discord", {"url": "discordWebhookUrl"}),
    "GoogleChat": ("google-chat", {"url": "googleChatWebhookURL"}),
    "gotify": ("gotify", {"url": "gotifyserverurl", "token": "gotifyapplicationToken"}),
    "HomeAssistant": ("home-assistant", {"url": "homeAssistantUrl", "token": "longLivedAccessToken"}),
    "line": ("line", {"token": "lineChannelAccessToken", "to": "lineUserID"}),
    "matrix": ("matrix", {"url": "homeserverUrl", "token": "accessToken", "room": "internalRoomId"}),
    "mattermost": ("mattermost", {"url": "mattermostWebhookUrl", "channel": "mattermostchannel"}),
    "ntfy": (
        "ntfy",
        {
            "url": "ntfyserverurl",
            "topic": "ntfytopic",
            "user": "ntfyusername",
            "password": "ntfypassword",
            "token": "ntfyaccesstoken",
        },
    ),
    "Opsgenie": ("opsgenie", {"token": "opsgenieApiKey", "region": "opsgenieRegion"}),
    "pushbullet": ("pushbullet", {"token": "pushbulletAccessToken"}),
    "PushDeer": ("pushdeer", {"key": "pushdeerKey"}),
    "pushy": ("pushy", {"key": "pushyAPIKey", "token": "pushyToken"}),
    "rocket.chat": ("rocket-chat", {"url": "rocketwebhookURL"}),
    "signal": ("signal", {"url": "signalURL", "from": "signalNumber", "to": "signalRecipients"}),
    "teams": ("teams", {"url": "webhookUrl"}),
    "telegram": ("telegram", {"token": "telegramBotToken", "chat": "telegramChatID"}),
    "twilio": (
        "twilio",
        {"sid": "twilioAccountSID", "token": "twilioAuthToken", "from": "twilioFromNumber", "to": "twilioToNumber"},
    ),
}
"""Notifications that go through Apprise: its service, and our fields by the keys of Kuma."""


def recognises(head: bytes) -> bool:
    """Whether it is a database with Kuma's tables, or a backup of version 1."""
    if head.startswith(MAGIC):
        return b"monitor" in head and b"heartbeat" in head
    return head.lstrip()[:1] == b"{" and b'"monitorList"' in head


def read(files: Sequence[Source], draft: Draft) -> None:
    """Fill the draft from a database or a backup."""
    kuma = opened(files)
    page = _page(kuma, draft)
    keys = dict(_nodes(kuma, page, draft))
    _notifiers(kuma, keys, draft)
    told: dict[int, list[str]] = {}
    for row in kuma["monitor_maintenance"]:
        told.setdefault(row["maintenance_id"], []).append(keys.get(row["monitor_id"], ""))
    for row in kuma["maintenance"]:
        of = [key for key in told.get(row["id"], ()) if key]
        maintenance.carry(row, of, kuma.setting("serverTimezone"), draft)
    for row in kuma["incident"]:
        if (
            flag(row.get("active", 1))
            and flag(row.get("pin", 1))
            and row.get("status_page_id") in {page.get("id"), None}
        ):
            title = text(row.get("title")) or "Incident"
            draft.append("announcements", DraftTable(title=title, text=text(row.get("content"))))
    if not kuma.database:
        draft.lost("the backup", "has no status pages, incidents and maintenances", "import kuma.db for these")
    if kuma["monitor_tag"]:
        draft.lost("tags", "of monitors do not exist here")
    described = sum(1 for monitor in kuma["monitor"] if text(monitor.get("description")))
    if described:
        draft.lost("descriptions", f"of {described} monitors are not carried over", "a node can have a link_url")
    draft.tokens()
    if draft.wants_history:
        if kuma.database:
            draft.history = history(files[0], keys)
        else:
            draft.lost("the backup", "has no history", "import kuma.db for it")


def _page(kuma: Kuma, draft: Draft) -> dict[str, Any]:
    """The status page that ours comes from: the first that is published. Its words, and what of it is lost."""
    pages = kuma["status_page"]
    page = next((row for row in pages if flag(row.get("published", 1))), pages[0] if pages else {})
    ours = draft.section("page")
    ours["name"] = text(page.get("title")) or "Status"
    if page.get("description"):
        ours["description"] = text(page["description"])[:500]
    domain = next(
        (row["domain"] for row in kuma["status_page_cname"] if row.get("status_page_id") == page.get("id")), ""
    )
    base = kuma.setting("primaryBaseURL")
    if not ours.get("url") and (domain or base):
        ours["url"] = f"https://{domain}/" if domain else base
    zone = kuma.setting("serverTimezone")
    if zone:
        ours["timezone"] = zone
    where = f'status page "{text(page.get("slug"))}"'
    for key, instead in (
        ("custom_css", 'write it into a file and stylesheet = "…" in [page]; class names differ'),
        ("footer_text", "a template of your own: [page] templates"),
        ("password", "put a proxy with a sign-in in front"),
        ("analytics_id", "the page loads nothing from others"),
        ("google_analytics_tag_id", "the page loads nothing from others"),
    ):
        if text(page.get(key)):
            draft.lost(where, f"{key} is not carried over", instead)
    if text(page.get("icon")) not in {"", "/icon.svg"}:
        draft.lost(
            where, "its logo is a file in the folder upload/", 'copy it and write header_logo = "…" in [page.branding]'
        )
    for other in pages:
        if other is not page:
            what = "is another page, and there is one here; what is only on it is named below"
            draft.lost(f'status page "{text(other.get("slug"))}"', what, "run a second daemon for it")
    return page


def _nodes(kuma: Kuma, page: dict[str, Any], draft: Draft) -> Iterator[tuple[int, str]]:
    """Make the nodes: those of the page in its order, then, if asked for or if there is no page, all others.

    Yields the id of each monitor with the key of its node.
    """
    by_id = {row["id"]: row for row in kuma["monitor"] if "id" in row}
    groups = sorted(kuma["group"], key=lambda row: (number(row.get("weight")) or 0, row["id"]))
    placed: dict[int, str] = {}
    for group in groups:
        if group.get("status_page_id") != page.get("id"):
            continue
        members = [row for row in kuma["monitor_group"] if row.get("group_id") == group["id"]]
        for row in sorted(members, key=lambda row: (number(row.get("weight")) or 0, row["id"])):
            if row["monitor_id"] in by_id:
                placed.setdefault(row["monitor_id"], text(group.get("name")) or OTHER)
                _link(row, by_id[row["monitor_id"]])
    paged = bool(placed)
    others = [monitor for monitor in by_id.values() if monitor["id"] not in placed and monitor.get("type") != "group"]
    for monitor in others:
        if draft.everything or not paged:
            placed[monitor["id"]] = text(table(by_id.get(monitor.get("parent"))).get("name")) or OTHER
        else:
            where = f'monitor "{text(monitor.get("name"))}"'
            draft.lost(where, HIDDEN, "import again with --all to watch it, too")
    for key, service_name in placed.items():
        monitor = by_id[key]
        where = f'monitor "{text(monitor.get("name"))}"'
        if monitor.get("type") == "group":
            draft.lost(where, "is a group of monitors, and is as healthy as they are", "they are nodes of their own")
            continue
        service = draft.service(service_name)
        proxy = next((row for row in kuma["proxy"] if row.get("id") == monitor.get("proxy_id")), None)
        node = monitors.add(monitor | ({"proxy": proxy} if proxy else {}), service, where, draft)
        if node is not None:
            if monitor.get("shown_link"):
                node["link_url"] = monitor["shown_link"]
            yield key, f"{service['id']}/{node['id']}"
    draft.data["services"] = [service for service in draft.data.get("services", ()) if service["nodes"]]


def _link(row: dict[str, Any], monitor: dict[str, Any]) -> None:
    """Kuma can make the name of a monitor a link to what it watches."""
    url = text(row.get("custom_url")) or text(monitor.get("url"))
    if flag(row.get("send_url")) and url.startswith(("http://", "https://")):
        monitor["shown_link"] = url


def _notifiers(kuma: Kuma, keys: dict[int, str], draft: Draft) -> None:
    services = [service["id"] for service in draft.data["services"]]
    told: dict[int, set[str]] = {}
    silent: dict[int, set[str]] = {}
    for row in kuma["monitor_notification"]:
        if row.get("monitor_id") in keys:
            told.setdefault(row["notification_id"], set()).add(keys[row["monitor_id"]])
    for row in kuma["notification"]:
        nodes = told.get(row.get("id", 0), set())
        name = text(row.get("name"))
        where = f'notification "{name}"'
        if not nodes:
            draft.lost(where, "no monitor that was carried over tells through it")
            continue
        entry = _notifier(row, name, where, draft)
        if entry is None:
            continue
        mine = {key.partition("/")[0] for key in nodes}
        if mine != set(services):
            entry["services"] = [service for service in services if service in mine]
        silent[row["id"]] = {key for key in keys.values() if key.partition("/")[0] in mine and key not in nodes}
        if silent[row["id"]]:
            also = ", ".join(sorted(silent[row["id"]])[:5]) + (", …" if len(silent[row["id"]]) > 5 else "")
            draft.changed(
                where, f"tells of whole services, so also of {also}", "move nodes between services to change it"
            )
    resends = [number(monitor.get("resend_interval")) or 0 for monitor in kuma["monitor"] if monitor.get("id") in keys]
    beats = [
        (number(monitor.get("resend_interval")) or 0) * (number(monitor.get("interval")) or 60)
        for monitor in kuma["monitor"]
        if monitor.get("id") in keys and number(monitor.get("resend_interval"))
    ]
    notify = draft.section("notify")
    notify["reminder_interval"] = min(beats, default=0)
    if beats:
        notify["reminder_backoff"] = "none"
    if len({bool(resend) for resend in resends}) > 1 or len(set(beats)) > 1:
        what = f"were repeated differently for each monitor; here all are, every {min(beats):g} s"
        draft.changed("notifications", what, "reminder_interval in [notify]")


def _notifier(row: dict[str, Any], name: str, where: str, draft: Draft) -> DraftTable | None:
    try:
        config = table(json.loads(text(row.get("config")) or "{}"))
    except json.JSONDecodeError:
        config = {}
    get = {key: value if isinstance(value, Reference) else text(value) for key, value in config.items()}
    kind = get.get("type", "")
    entry: DraftTable | None
    if not flag(row.get("active", 1)):
        draft.lost(where, "is switched off")
        return None
    if kind == "slack":
        entry = notifiers.slack(
            draft, name, get.get("slackwebhookURL", ""), mention=flag(config.get("slackchannelnotify"))
        )
    elif kind == "pushover":
        user, app = get.get("pushoveruserkey", ""), get.get("pushoverapptoken", "")
        entry = notifiers.pushover(draft, name, app, [user])
    elif kind == "smtp":
        entry = _email(name, get, config, where, draft)
    elif kind == "webhook":
        notifiers.hook(draft, name, get.get("webhookURL", ""))
        what = "gets each change of the page's health, in another form than Kuma's"
        draft.changed(where, what, "docs/notifiers/webhook.md has the form")
        entry = None
    else:
        service, fields = FIELDS.get(kind, (kind, {}))
        given = {ours: get.get(theirs, "") for ours, theirs in fields.items()}
        entry = notifiers.apprise(draft, where, name, service, given)
    return entry


def _email(name: str, get: dict[str, str], config: dict[str, Any], where: str, draft: Draft) -> DraftTable:
    if flag(config.get("smtpIgnoreTLSError")):
        draft.lost(
            where, "a wrong certificate of the mail server is not ignored", "smtp_ca_file names your own authority"
        )
    copies = [get.get(key, "") for key in ("smtpTo", "smtpCC", "smtpBCC")]
    return notifiers.email(
        draft,
        name,
        sender=get.get("smtpFrom", ""),
        to=[copy for copy in copies if copy],
        host=get.get("smtpHost", ""),
        port=number(get.get("smtpPort")),
        security="tls" if flag(config.get("smtpSecure")) else "starttls",
        user=get.get("smtpUsername", ""),
        password=get.get("smtpPassword", ""),
    )
