"""`/mcp`: the status of the page as tools for language models, by the Model Context Protocol over plain HTTP posts.

Reading is for everybody who may see the page; what operators do needs the manager token. Each request is answered by
itself: there are no sessions, and nothing is pushed, both of which the protocol leaves to the server.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from crisp_status import __version__
from crisp_status.api.json_fields import MAX_TEXT
from crisp_status.api.submit import CommandEngine, accepted
from crisp_status.core.events import Acknowledged, Noted
from crisp_status.core.incident_edits import PHASES
from crisp_status.formats import statuspage
from crisp_status.http import request_body
from crisp_status.http.cross_site import refuse_cross_site, refuse_other_bodies
from crisp_status.http.error_responses import Refused, json_bytes
from crisp_status.http.site import NotYetError

if TYPE_CHECKING:
    from crisp_status.http.authentication import Permissions, Proxies
    from crisp_status.http.router import Router
    from crisp_status.http.site import Site
    from crisp_status.view.page_view import PageView

VERSIONS: Final = ("2025-06-18", "2025-03-26", "2024-11-05")
"""Of the protocol, newest first; a client that wants another one is offered the newest."""

PATHS: Final = ("/mcp", "/mcp/probes")
"""The second one is Vigil's."""

GATE_ROUTE: Final = "/status/report"
"""Whoever may read this document may use the tools that read."""

_INCIDENT: Final = {"type": "integer", "minimum": 1, "description": "Number of the incident."}

TOOLS: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "get_report",
        "description": "Health of the page and of every service, node and replica.",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "get_incidents",
        "description": "Incidents that are not over, with their timelines, and announced work.",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "acknowledge_incident",
        "description": "For operators, with the manager token: stop the reminders of an incident.",
        "inputSchema": {"type": "object", "properties": {"incident": _INCIDENT}, "required": ["incident"]},
    },
    {
        "name": "write_update",
        "description": "For operators, with the manager token: add a public update to an incident.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "incident": _INCIDENT,
                "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": "Markdown."},
                "phase": {"enum": list(PHASES)},
            },
            "required": ["incident", "text"],
        },
    },
)

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
"""Codes of JSON-RPC."""


class RpcError(Exception):
    """A request that is answered with an error of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ModelContext:
    """The endpoint."""

    def __init__(self, engine: CommandEngine, site: Site, permissions: Permissions | None, proxies: Proxies) -> None:
        """Without `permissions` nobody can do what operators do."""
        self._engine = engine
        self._site = site
        self._permissions = permissions
        self._proxies = proxies

    def add_routes(self, router: Router) -> None:
        """Posts only: a GET would be for a stream, and there is none."""
        for path in PATHS:
            router.add("POST", path, self.answer)

    async def answer(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """One message of a client."""
        if self._site.private is not None:
            self._site.private.check(request, self._site.table.routes[GATE_ROUTE])
        message: Any = None
        made: dict[str, Any]
        try:
            try:
                message = json.loads(await request_body.read(request))
            except (ValueError, RecursionError):
                raise RpcError(PARSE_ERROR, "the body is not JSON") from None
            if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
                raise RpcError(INVALID_REQUEST, "expected one JSON-RPC 2.0 message")
            if "id" not in message:  # a notification; those that clients send ask for nothing
                return web.Response(status=202, headers={"Cache-Control": "no-store"})
            params = message.get("params") or {}
            if not isinstance(params, dict):
                raise RpcError(INVALID_PARAMS, "params: expected an object")
            made = {"result": await self._result(request, str(message.get("method")), params)}
        except RpcError as error:
            made = {"error": {"code": error.code, "message": str(error)}}
        number = message.get("id") if isinstance(message, dict) else None
        return web.Response(
            body=json_bytes({"jsonrpc": "2.0", "id": number, **made}),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    async def _result(self, request: web.BaseRequest, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "initialize":
            wanted = params.get("protocolVersion")
            return {
                "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "crisp-status", "version": __version__},
            }
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": list(TOOLS)}
        if method == "tools/call":
            arguments = params.get("arguments") or {}
            if not isinstance(arguments, dict):
                raise RpcError(INVALID_PARAMS, "arguments: expected an object")
            return await self._call(request, str(params.get("name")), arguments)
        raise RpcError(NO_METHOD, f"{method[:100]}: no such method")

    async def _call(self, request: web.BaseRequest, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name == "get_report":
            return _structured(statuspage.report(self._view()))
        if name == "get_incidents":
            view = self._view()
            assert self._site.table.locale is not None
            t = self._site.table.locale(view.info.language)
            names = ("incidents/unresolved", "scheduled-maintenances")
            return _structured(
                {n.rpartition("/")[2].replace("-", "_"): statuspage.DOCUMENTS[n](view, t) for n in names}
            )
        if name not in {"acknowledge_incident", "write_update"}:
            raise RpcError(INVALID_PARAMS, f"{name[:100]}: no such tool")
        if self._permissions is None:
            raise Refused(403, "No manager token is configured, so nothing can be changed here.")
        refuse_cross_site(request, self._site.home)
        refuse_other_bodies(request)
        self._permissions.check(request.headers.get("Authorization"), self._proxies.client(request))
        number = arguments.get("incident")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise RpcError(INVALID_PARAMS, "incident: expected its number")
        acknowledges = name == "acknowledge_incident"
        event = Acknowledged(incident=number) if acknowledges else _note(number, arguments)
        if not await accepted(self._engine, event):
            return _sentence(f"Incident {number} is not open.", error=True)
        return _sentence(f"Incident {number} is acknowledged." if acknowledges else "The update is on the page.")

    def _view(self) -> PageView:
        if self._site.view is None:
            raise NotYetError
        return self._site.view


def _note(number: int, arguments: dict[str, Any]) -> Noted:
    text, phase = arguments.get("text"), arguments.get("phase", "")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        raise RpcError(INVALID_PARAMS, f"text: expected 1 to {MAX_TEXT} characters")
    if phase not in ("", *PHASES):
        raise RpcError(INVALID_PARAMS, f"phase: expected one of {', '.join(PHASES)}")
    return Noted(incident=number, text=text, phase=phase)


def _structured(value: dict[str, Any]) -> dict[str, Any]:
    """As data, and as text for clients that read only that."""
    return {
        "content": [{"type": "text", "text": statuspage.dump(value)}],
        "structuredContent": value,
        "isError": False,
    }


def _sentence(text: str, *, error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": error}
