"""One incident: its log for the team, updates, times, merging, striking out, the post-mortem; and opening one by hand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from crisp_status.api import json_fields, operations
from crisp_status.console.now import recipients
from crisp_status.core.events import (
    IncidentCorrected,
    IncidentMerged,
    IncidentOpened,
    IncidentStruck,
    Noted,
    PostmortemWritten,
)
from crisp_status.core.incident_edits import PHASES
from crisp_status.core.model import Health
from crisp_status.http.error_responses import Refused
from crisp_status.language import phases, timeline
from crisp_status.view.markdown import markdown

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.core.model import Incident
    from crisp_status.http.router import Router
    from crisp_status.view.page_view import IncidentView

LISTED: Final = 100
"""Incidents that are over, on the list of all."""

TIMES: Final = "%Y-%m-%dT%H:%M"
"""What a browser's field of type datetime-local sends."""


class IncidentPages:
    """`/operator/incidents` and below."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def add_routes(self, router: Router) -> None:
        """Register the pages and their forms."""
        add = self._frame.add
        add(router, "GET", "/operator/incidents", self.list)
        add(router, "POST", "/operator/incidents", self.open, "operator")
        add(router, "GET", "/operator/incidents/{id}", self.show)
        add(router, "POST", "/operator/incidents/{id}/acknowledge", self.acknowledge, "operator")
        add(router, "POST", "/operator/incidents/{id}/update", self.update, "operator")
        add(router, "POST", "/operator/incidents/{id}/times", self.correct, "operator")
        add(router, "POST", "/operator/incidents/{id}/merge", self.merge, "operator")
        add(router, "POST", "/operator/incidents/{id}/strike", self.strike, "operator")
        add(router, "POST", "/operator/incidents/{id}/postmortem", self.explain, "operator")

    async def list(self, visit: Visit) -> web.StreamResponse:
        """GET: open ones and the last that are over, and the form that opens one by hand."""
        held = visit.state
        found = [*sorted(held.open.values(), key=lambda i: -i.id), *reversed(held.closed[-LISTED:])]
        views = {i.id: i for i in self._views()}
        titles = {i.id: self._title(visit, i, views) for i in found}
        return self._frame.page(visit, "incidents.html", incidents=found, titles=titles)

    async def open(self, visit: Visit) -> web.StreamResponse:
        """POST: an incident that no look found."""
        new = IncidentOpened(
            title=json_fields.text({"title": visit.field("title")}, "title", required=True),
            text=self._text(visit, required=False),
            health=Health.DEAD if visit.field("health") == "dead" else Health.SICK,
            nodes=visit.fields("node"),
            by=visit.identity.name,
        )
        number = visit.state.next_incident
        await operations.open_incident(self._frame.engine, new)
        return self._frame.redirect(f"/operator/incidents/{number}", "opened")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: everything about one incident."""
        return self._page(visit)

    def _page(self, visit: Visit, preview: str = "", form: str = "", text: str = "") -> web.Response:
        incident = self._incident(visit)
        views = {i.id: i for i in self._views()}
        view = views.get(incident.id)
        held = visit.state
        others = [i for i in (*held.open.values(), *held.closed[-LISTED:]) if i.id != incident.id]
        others = [i for i in others if not i.record.merged_into and not i.record.struck]
        return self._frame.page(
            visit,
            "incident.html",
            incident=incident,
            title=self._title(visit, incident, views),
            phase=phases.phase_now(view, visit.t) if view is not None else "investigating",
            public=view is not None,
            recipients=recipients(held, incident, self._frame.engine.held()),
            others=[(i.id, self._title(visit, i, views)) for i in others],
            began=self._field(visit, incident.opened_at),
            ended=self._field(visit, incident.closed_at),
            preview=markdown(preview) if preview else "",
            previewed=form,
            text=text,
            templates=[t for t in self._frame.config().templates if t.kind == "update"],
        )

    async def acknowledge(self, visit: Visit) -> web.StreamResponse:
        """POST: somebody works on it."""
        incident = self._incident(visit)
        await operations.acknowledge(self._frame.engine, incident.id, visit.identity.name)
        return self._back(visit, incident, "acknowledge")

    async def update(self, visit: Visit) -> web.StreamResponse:
        """POST: an update for everybody or for the team; or its preview."""
        incident = self._incident(visit)
        if visit.field("use"):
            ready = (t.text for t in self._frame.config().templates if t.name == visit.field("template"))
            return self._page(visit, form="update", text=next(ready, ""))
        text = self._text(visit)
        if visit.field("preview"):
            return self._page(visit, text, "update", text)
        phase = visit.field("state")
        if phase not in {"", *PHASES}:
            raise Refused(400, "Choose one of the states.")
        internal = visit.field("audience") == "team"
        new = Noted(
            incident=incident.id, text=text, phase="" if internal else phase, internal=internal, by=visit.identity.name
        )
        await operations.write_update(self._frame.engine, new)
        return self._back(visit, incident, "update")

    async def correct(self, visit: Visit) -> web.StreamResponse:
        """POST: it began or ended at another time."""
        incident = self._incident(visit)
        zone = visit.t.zone
        began = moment(visit.field("start"), zone, incident.opened_at)
        ended = moment(visit.field("end"), zone, incident.closed_at)
        event = IncidentCorrected(incident=incident.id, opened_at=began, closed_at=ended, by=visit.identity.name)
        await operations.edit_incident(self._frame.engine, event, operations.CORRECTABLE)
        return self._back(visit, incident, "corrected")

    async def merge(self, visit: Visit) -> web.StreamResponse:
        """POST: it is the same as another one."""
        incident = self._incident(visit)
        into = operations.incident_number(visit.field("other"))
        event = IncidentMerged(incident=incident.id, into=into, by=visit.identity.name)
        await operations.edit_incident(self._frame.engine, event, operations.MERGEABLE)
        return self._frame.redirect(f"/operator/incidents/{into}", "merged")

    async def strike(self, visit: Visit) -> web.StreamResponse:
        """POST: it was not an outage."""
        incident = self._incident(visit)
        event = IncidentStruck(incident=incident.id, by=visit.identity.name)
        await operations.edit_incident(self._frame.engine, event, operations.STRIKABLE)
        return self._back(visit, incident, "struck")

    async def explain(self, visit: Visit) -> web.StreamResponse:
        """POST: the post-mortem, or its preview."""
        incident = self._incident(visit)
        text = self._text(visit, required=False)
        if visit.field("preview"):
            return self._page(visit, text, "postmortem", text)
        event = PostmortemWritten(incident=incident.id, text=text, by=visit.identity.name)
        await operations.edit_incident(self._frame.engine, event, f"There is no incident {incident.id} any more.")
        return self._back(visit, incident, "postmortem")

    def _back(self, visit: Visit, incident: Incident, done: str) -> web.Response:
        home = visit.field("back") == "now"
        return self._frame.redirect("/operator/" if home else f"/operator/incidents/{incident.id}", done)

    @staticmethod
    def _incident(visit: Visit) -> Incident:
        found = visit.state.incident(operations.incident_number(visit.args["id"]))
        if found is None:
            raise Refused(
                404, f"There is no incident {visit.args['id'][:20]}; it may be older than the history that is kept."
            )
        return found

    @staticmethod
    def _text(visit: Visit, *, required: bool = True) -> str:
        return json_fields.text(
            {"text": visit.field("text")}, "text", json_fields.MAX_TEXT, required=required, lines=True
        )

    @staticmethod
    def _field(visit: Visit, at: float) -> str:
        return visit.t.local(at).strftime(TIMES) if at else ""

    def _views(self) -> tuple[IncidentView, ...]:
        view = self._frame.site.view
        return view.incidents if view is not None else ()

    @staticmethod
    def _title(visit: Visit, incident: Incident, views: dict[int, IncidentView]) -> str:
        view = views.get(incident.id)
        if view is not None:
            return timeline.headline(view, visit.t)
        if incident.record.title:
            return incident.record.title
        names = {n.key: n.name for s in visit.state.plan.services for n in s.nodes}
        return ", ".join(names.get(key, key) for key in list(incident.nodes)[:5])


def moment(text: str, zone: ZoneInfo, default: float) -> float:
    """A time as a browser's field gives it, in the page's zone; the same minute as `default` keeps its seconds."""
    if not text:
        return default
    try:
        at = datetime.strptime(text[:16], TIMES).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        raise Refused(400, f"{text[:40]!r} is not a time like 2026-12-01T22:00.") from None
    return default if at == default // 60 * 60 else at
