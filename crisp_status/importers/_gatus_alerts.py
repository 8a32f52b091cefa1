"""Alerting of Gatus as notifiers: providers, and which endpoints told through which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crisp_status.importers import _notifiers as notifiers
from crisp_status.importers._draft import DraftTable, Reference
from crisp_status.importers._durations import go_seconds
from crisp_status.importers._files import flag, number, table, tables, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.importers._draft import Draft

FIELDS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "discord": ("discord", {"url": "webhook-url"}),
    "googlechat": ("google-chat", {"url": "webhook-url"}),
    "gotify": ("gotify", {"url": "server-url", "token": "token"}),
    "line": ("line", {"token": "channel-access-token", "to": "user-ids"}),
    "matrix": ("matrix", {"url": "server-url", "token": "access-token", "room": "internal-room-id"}),
    "mattermost": ("mattermost", {"url": "webhook-url", "channel": "channel"}),
    "ntfy": ("ntfy", {"url": "url", "topic": "topic", "token": "token"}),
    "opsgenie": ("opsgenie", {"token": "api-key"}),
    "rocketchat": ("rocket-chat", {"url": "webhook-url"}),
    "signal": ("signal", {"url": "api-url", "from": "number", "to": "recipients"}),
    "teams-workflows": ("teams", {"url": "webhook-url"}),
    "telegram": ("telegram", {"token": "token", "chat": "id"}),
    "twilio": ("twilio", {"sid": "sid", "token": "token", "from": "from", "to": "to"}),
    "zulip": ("zulip", {"bot": "bot-email", "token": "bot-api-key", "stream": "channel-id"}),
}
"""Providers that go through Apprise: its service, and our fields by the keys of Gatus."""


@dataclass
class Alerting:
    """Collects which services told through which provider while endpoints are read; `finish` makes the notifiers."""

    draft: Draft
    providers: dict[str, Any]
    told: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By provider: services that tell through it, each with whether the end is told, too."""
    silent: dict[str, list[str]] = field(default_factory=dict)
    """By service: endpoints without any alert."""
    thresholds: set[int] = field(default_factory=set)
    reminders: list[float] = field(default_factory=list)

    def endpoint(self, alerts: Any, service: str, where: str) -> None:
        """Note through whom an endpoint tells."""
        active = [alert for alert in tables(alerts) if flag(alert.get("enabled", True))]
        if not active:
            self.silent.setdefault(service, []).append(where)
        for alert in active:
            kind = text(alert.get("type"))
            both = {**table(table(self.providers.get(kind)).get("default-alert")), **alert}
            told = self.told.setdefault(kind, {})
            told[service] = told.get(service, False) or flag(both.get("send-on-resolved", False))
            self.thresholds.add(int(number(both.get("failure-threshold")) or 3))
            wait = go_seconds(text(both.get("minimum-reminder-interval")))
            if wait:
                self.reminders.append(wait)
            if both.get("provider-override"):
                self.draft.lost(where, f"its own {kind} settings (provider-override) are not taken", "add a notifier")

    def finish(self, services: list[str]) -> None:
        """Make a notifier of each provider that somebody tells through."""
        self.draft.section("notify")["reminder_interval"] = min(self.reminders, default=0)
        for kind, told in self.told.items():
            keys = table(self.providers.get(kind))
            where = f"alerting.{kind}"
            if not keys:
                self.draft.lost(where, "alerts name it, and it is not configured")
                continue
            if keys.get("overrides"):
                self.draft.lost(where, "overrides for groups are not taken", "add a notifier with services = […]")
            entry = self._notifier(kind, keys, where)
            if entry is None:
                continue
            if not any(told.values()):
                entry["on"] = ["dead"]
            if set(told) != set(services):
                entry["services"] = [service for service in services if service in told]
            for service in told:
                for quiet in self.silent.get(service, ()):
                    what = "has no alerts there; here it is told of, as notifiers go by service"
                    self.draft.changed(quiet, what, "move it to a service of its own to keep it quiet")
        for kind in sorted(set(self.providers) - set(self.told)):
            self.draft.lost(f"alerting.{kind}", "is configured, and no endpoint tells through it")
        for threshold in sorted(self.thresholds - {1}):
            what = f"alerts came after {threshold} failures in a row; here one look is tried again before it counts"
            self.draft.changed("alerts", what, "retry and retry_wait in [poll] say how often")

    def _notifier(self, kind: str, keys: dict[str, Any], where: str) -> DraftTable | None:
        get = {name: value if isinstance(value, Reference) else text(value) for name, value in keys.items()}
        if kind == "slack":
            return notifiers.slack(self.draft, kind, get.get("webhook-url", ""))
        if kind == "pushover":
            app, user = get.get("application-token", ""), get.get("user-key", "")
            return notifiers.pushover(self.draft, kind, app, [user])
        if kind == "email":
            return self._email(get)
        if kind == "custom":
            self.draft.lost(
                where, "requests of one's own making are not sent", "[[webhooks]] has a fixed form, which is signed"
            )
            return None
        service, fields = FIELDS.get(kind, (kind, {}))
        values = {ours: _joined(keys.get(theirs)) for ours, theirs in fields.items()}
        return notifiers.apprise(self.draft, where, kind, service, values)

    def _email(self, get: dict[str, str]) -> DraftTable:
        port = number(get.get("port"))
        return notifiers.email(
            self.draft,
            "email",
            sender=get.get("from", ""),
            to=[each.strip() for each in _split(get.get("to", ""))],
            host=get.get("host", ""),
            port=port,
            security="tls" if port == 465 else "starttls",
            user=get.get("username", "") or get.get("from", ""),
            password=get.get("password", ""),
        )


def _split(value: str) -> Iterator[str]:
    if isinstance(value, Reference):
        yield value
    else:
        yield from value.split(",")


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(text, value))
    return value if isinstance(value, Reference) else text(value)
