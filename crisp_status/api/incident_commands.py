"""What operators do about incidents, as JSON: the same operations as the forms of the console, for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crisp_status.api import json_fields, operations
from crisp_status.api.submit import CommandEngine, done, reply, state
from crisp_status.core.events import (
    IncidentCorrected,
    IncidentMerged,
    IncidentOpened,
    IncidentStruck,
    PostmortemWritten,
)
from crisp_status.core.model import Health
from crisp_status.http import request_body
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from crisp_status.core.model import Incident
    from crisp_status.http.router import Handler, Router


class IncidentCommands:
    """`/manager/incidents` and below, as far as something is changed."""

    def __init__(self, engine: CommandEngine, guard: Callable[[Handler], Handler]) -> None:
        """`guard` puts a handler behind the manager token."""
        self._engine = engine
        self._guard = guard

    def add_routes(self, router: Router) -> None:
        """Register every route."""
        router.add("POST", "/manager/incidents", self._guard(self.open))
        router.add("PUT", "/manager/incidents/{id}/times", self._guard(self.correct))
        router.add("POST", "/manager/incidents/{id}/merge", self._guard(self.merge))
        router.add("POST", "/manager/incidents/{id}/strike", self._guard(self.strike))
        router.add("PUT", "/manager/incidents/{id}/postmortem", self._guard(self.explain))

    async def open(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"title", "text"?, "nodes"?, "health"?, "by"?}`: an incident that no look found; gives its number."""
        given = await request_body.read_object(request)
        nodes = given.get("nodes", [])
        if not isinstance(nodes, list) or not all(isinstance(key, str) for key in nodes):
            raise Refused(400, '"nodes" must be a list of service/node.')
        health = json_fields.text(given, "health") or "sick"
        if health not in {"sick", "dead"}:
            raise Refused(400, '"health" must be "sick" or "dead".')
        new = IncidentOpened(
            title=json_fields.text(given, "title", required=True),
            text=json_fields.text(given, "text", json_fields.MAX_TEXT, lines=True),
            health=Health.DEAD if health == "dead" else Health.SICK,
            nodes=nodes,
            by=json_fields.text(given, "by"),
        )
        number = (await state(self._engine)).next_incident
        await operations.open_incident(self._engine, new)
        return reply({"id": number})

    async def correct(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """PUT `{"start"?, "end"?, "by"?}`: it began or ended at another time."""
        incident, given = await self._incident(args), await request_body.read_object(request)
        event = IncidentCorrected(
            incident=incident.id,
            opened_at=json_fields.moment(given, "start") or incident.opened_at,
            closed_at=json_fields.moment(given, "end") or incident.closed_at,
            by=json_fields.text(given, "by"),
        )
        await operations.edit_incident(self._engine, event, operations.CORRECTABLE)
        return done()

    async def merge(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"into", "by"?}`: it is the same as another one."""
        incident, given = await self._incident(args), await request_body.read_object(request)
        into = json_fields.number(given, "into", 1e15)
        event = IncidentMerged(incident=incident.id, into=int(into or 0), by=json_fields.text(given, "by"))
        await operations.edit_incident(self._engine, event, operations.MERGEABLE)
        return done()

    async def strike(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"by"?}`: it was not an outage."""
        incident, given = await self._incident(args), await request_body.read_object(request)
        event = IncidentStruck(incident=incident.id, by=json_fields.text(given, "by"))
        await operations.edit_incident(self._engine, event, operations.STRIKABLE)
        return done()

    async def explain(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """PUT `{"text", "by"?}`: the post-mortem; "" takes it away."""
        incident, given = await self._incident(args), await request_body.read_object(request)
        text = json_fields.text(given, "text", json_fields.MAX_TEXT, lines=True)
        event = PostmortemWritten(incident=incident.id, text=text, by=json_fields.text(given, "by"))
        await operations.edit_incident(self._engine, event, f"There is no incident {incident.id} any more.")
        return done()

    async def _incident(self, args: dict[str, Any]) -> Incident:
        number = args["id"]
        known = number.isascii() and number.isdecimal() and len(number) <= 15
        found = (await state(self._engine)).incident(int(number)) if known else None
        if found is None:
            raise Refused(404, f"There is no incident {number[:20]}.")
        return found
