"""Announcements and maintenances: write, preview, schedule, repeat, change, take down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from crisp_status.api import json_fields, operations
from crisp_status.console.incidents import TIMES, moment
from crisp_status.core import calendar
from crisp_status.core.operator_records import Announcement
from crisp_status.http.error_responses import Refused
from crisp_status.view.markdown import markdown

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.http.router import Router

RULES: Final = {"": "", "day": "FREQ=DAILY", "week": "FREQ=WEEKLY", "month": "FREQ=MONTHLY"}
"""Choices of the form; any other rule is kept as it was posted."""


class AnnouncementPages:
    """`/operator/announcements`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def add_routes(self, router: Router) -> None:
        """Register the page and its forms."""
        add = self._frame.add
        add(router, "GET", "/operator/announcements", self.show)
        add(router, "POST", "/operator/announcements", self.post, "operator")
        add(router, "POST", "/operator/announcements/{id}/withdraw", self.withdraw, "operator")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: the form, empty, from a template or with an announcement to change; what is shown and what is planned."""
        wanted = visit.query.get("edit", [""])[-1]
        known = visit.state.announcements.get(wanted)
        if known is not None and not known.from_file:
            return self._page(visit, known)
        name = visit.query.get("template", [""])[-1]
        template = next((t for t in self._frame.config().templates if t.name == name), None)
        if template is not None:
            kind = "maintenance" if template.kind == "maintenance" else "announcement"
            return self._page(visit, Announcement("", template.title, template.text), kind=kind)
        return self._page(visit, Announcement("", ""))

    def _page(self, visit: Visit, shown: Announcement, *, kind: str = "", preview: bool = False) -> web.Response:
        now, zone = self._frame.clock.now(), visit.state.plan.timezone
        running: list[tuple[Announcement, float, float]] = []
        planned: list[tuple[Announcement, float, float]] = []
        for known in visit.state.announcements.values():
            span = calendar.window(known, now, zone)
            if span is not None:
                (running if span[0] <= now else planned).append((known, *span))
        planned.sort(key=lambda p: p[1])
        rule = next((name for name, rule in RULES.items() if rule == shown.rrule), "keep")
        return self._frame.page(
            visit,
            "announcements.html",
            shown=shown,
            kind=kind or ("maintenance" if shown.maintenance else "announcement"),
            rule=rule,
            starts=visit.t.local(shown.starts_at).strftime(TIMES) if shown.starts_at else "",
            ends=visit.t.local(shown.expires_at).strftime(TIMES) if shown.expires_at else "",
            running=running,
            planned=planned,
            forever=calendar.FOREVER,
            preview=markdown(shown.text) if preview else None,
            templates=[t for t in self._frame.config().templates if t.kind != "update"],
        )

    async def post(self, visit: Visit) -> web.StreamResponse:
        """POST: post a new one, or change the one of that id; or its preview."""
        known = visit.state.announcements.get(visit.field("id"))
        work = visit.field("kind") == "maintenance"
        rule = visit.field("repeat")
        new = Announcement(
            id=known.id if known is not None else str(uuid4()),
            title=json_fields.text({"title": visit.field("title")}, "title", required=True),
            text=json_fields.text(
                {"text": visit.field("text")}, "text", json_fields.MAX_TEXT, required=not work, lines=True
            ),
            starts_at=moment(visit.field("starts"), visit.t.zone, known.starts_at if known else 0.0),
            expires_at=moment(visit.field("ends"), visit.t.zone, 0.0),
            maintenance=visit.fields("node") if work else [],
            rrule=known.rrule if known is not None and rule == "keep" else RULES.get(rule, ""),
        )
        if work and not new.maintenance:
            raise Refused(400, "Choose the nodes that are worked on.")
        if visit.field("preview"):
            return self._page(visit, new, kind=visit.field("kind"), preview=True)
        await operations.announce(
            self._frame.engine, new, self._frame.clock.now(), by=visit.identity.name, replace=known is not None
        )
        return self._frame.redirect("/operator/announcements", "planned" if work else "announced")

    async def withdraw(self, visit: Visit) -> web.StreamResponse:
        """POST: take one down."""
        await operations.withdraw(self._frame.engine, visit.args["id"], visit.identity.name)
        return self._frame.redirect("/operator/announcements", "withdrawn")
