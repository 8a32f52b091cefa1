"""Settings of notifiers and web hooks: add, change, try, remove. They write the file, as all settings do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crisp_status.api import operations
from crisp_status.console import notifier_fields, toml_edit
from crisp_status.console.settings import toml_number
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.config.strict import Strict
    from crisp_status.console.frame import Frame, Visit
    from crisp_status.console.settings import SettingsPages
    from crisp_status.http.router import Router

HERE: Final = "/operator/settings/notifiers"
HOOK: Final = "webhook"
"""The kind that stands in `[[webhooks]]`, without a `type`."""


class NotifierPages:
    """`/operator/settings/notifiers`. For owners."""

    def __init__(self, frame: Frame, settings: SettingsPages) -> None:
        self._frame = frame
        self._settings = settings

    def add_routes(self, router: Router) -> None:
        """Register the page and its form."""
        self._frame.add(router, "GET", HERE, self.show, "owner")
        self._frame.add(router, "POST", HERE, self.save, "owner")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: all of them, and the form of one, or of a new one of some type."""
        file, text, data = self._settings.read()
        asked = {name: visit.query.get(name, [""])[-1] for name in ("table", "number", "type")}
        kind, entry = self._chosen(data, asked)
        form: list[notifier_fields.Field] = []
        if kind:
            shown = _entries(file.shown(text), asked["table"])[int(asked["number"])] if entry else {}
            form = self._fields(kind, shown)
        return self._frame.page(
            visit,
            "notifiers.html",
            fault=file.fault(),
            seen=file.fingerprint(text),
            notifiers=_entries(data, "notifiers"),
            hooks=_entries(data, "webhooks"),
            kinds=sorted(self._models()),
            kind=kind,
            table="webhooks" if kind == HOOK else "notifiers",
            number=asked["number"] if entry else "",
            enabled=entry.get("enabled", True),
            form=form,
        )

    async def save(self, visit: Visit) -> web.StreamResponse:
        """POST: add one, change it, remove it; then perhaps a test message through it."""
        asked = {name: visit.field(name) for name in ("table", "number", "type")}
        file, text, data = self._settings.read()
        kind, entry = self._chosen(data, asked)
        if not kind:
            raise Refused(400, "Choose how people are told.")
        table, number = "webhooks" if kind == HOOK else "notifiers", int(asked["number"]) if entry else None
        shown = _entries(file.shown(text), table)[number] if number is not None else {}
        form = self._fields(kind, shown)
        gone = visit.field("action") == "remove"
        new = {} if gone else notifier_fields.values(form, lambda key: visit.fields(f"o-{key}"), entry, toml_number)
        if ("enabled" in visit.form) != entry.get("enabled", True):
            new["enabled"] = "enabled" in visit.form

        def change(document: Any, make: toml_edit.Maker) -> None:
            if gone:
                toml_edit.remove(document, table, -1 if number is None else number)
            elif number is None:
                first = {} if kind == HOOK else {"type": kind}
                toml_edit.append(document, make, table, first | {k: v for k, v in new.items() if v is not None})
            else:
                known = toml_edit.entry(document.get(table, []), number)
                for key, value in new.items():
                    toml_edit.put(known, key, value)

        answer = await self._settings.edit(visit, change, HERE)
        if visit.field("action") == "test":
            config = self._frame.config()
            id = (config.webhooks if kind == HOOK else config.notifiers)[-1 if number is None else number].id
            sent = await operations.send_tests(self._frame.engine, id, visit.identity.name)
            if sent["messages"]:
                return self._frame.redirect(f"/operator/notices?message={sent['messages'][0]['id']}", "test")
        return answer

    def _models(self) -> dict[str, type[Strict]]:
        return dict(self._frame.config().rooms.channels)

    def _chosen(self, data: dict[str, Any], asked: dict[str, str]) -> tuple[str, dict[str, Any]]:
        """Kind and entry of the file that a request names; a new one has an empty entry, nothing has an empty kind."""
        entries = _entries(data, asked["table"])
        number = asked["number"]
        if number.isascii() and number.isdecimal() and len(number) < 6 and int(number) < len(entries):
            entry = entries[int(number)]
            kind = HOOK if asked["table"] == "webhooks" else str(entry.get("type"))
            return (kind, entry) if kind in self._models() else ("", {})
        return (asked["type"], {}) if asked["type"] in self._models() and not number else ("", {})

    def _fields(self, kind: str, shown: dict[str, Any]) -> list[notifier_fields.Field]:
        config = self._frame.config()
        known = {"services": tuple(s.id for s in config.services), "operators": tuple(o.id for o in config.operators)}
        return notifier_fields.fields(self._models()[kind], shown, known)


def _entries(data: dict[str, Any], table: str) -> list[dict[str, Any]]:
    found = data.get(table, []) if table in {"notifiers", "webhooks"} else []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Refused(409, toml_edit.UNSAFE)
    return found
