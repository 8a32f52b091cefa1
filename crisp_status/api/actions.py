"""Links out of messages that act without signing in. GET asks, POST acts: mail scanners follow links, people press."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from aiohttp import web

from crisp_status.api.submit import CommandEngine, state, submit
from crisp_status.core.events import Acknowledged, Silenced
from crisp_status.core.operator_records import Silence
from crisp_status.http import negotiation
from crisp_status.http.error_responses import Refused
from crisp_status.http.responses import CAPABILITY_URL
from crisp_status.language import action_words
from crisp_status.messages import action_links

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.clock import Clock
    from crisp_status.core.model import Incident, State
    from crisp_status.http.router import Router
    from crisp_status.http.site import Site
    from crisp_status.language.action_words import ActionText
    from crisp_status.language.locale import Locale

SILENCE_SECONDS: Final = 3600.0
"""What a silence link gives: an hour, after which reminders go on; longer ones are asked for with a token."""


class ActionPages:
    """`/act/{token}`."""

    def __init__(
        self,
        engine: CommandEngine,
        clock: Clock,
        key: bytes,
        site: Site,
        signed_in: Callable[[web.BaseRequest, State], bool] = lambda request, held: False,
    ) -> None:
        """`key` is that which signs the links; `site` shows the incidents and makes pages.

        Whoever is `signed_in` to the console is led to the incident there, where the same button is, and all others.
        """
        self._signed_in = signed_in
        self._engine = engine
        self._clock = clock
        self._key = key
        self._site = site

    def add_routes(self, router: Router) -> None:
        """Register both routes."""
        router.add("GET", "/act/{token}", self.ask)
        router.add("POST", "/act/{token}", self.perform)

    def _grant(self, token: str) -> action_links.Grant:
        try:
            return action_links.verify(self._key, token, self._clock.now())
        except action_links.ActionLinkError as error:
            if error.why == "expired":
                raise Refused(410, "This link has expired. Use `crisp-status ack` or `crisp-status silence`.") from None
            raise Refused(404, "This link was not made by this page, or it was cut off on its way.") from None

    async def ask(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """The question, with one button. Changes nothing."""
        grant = self._grant(args["token"])
        held = await state(self._engine)
        incident = held.incident(grant.incident)
        if incident is not None and self._signed_in(request, held):
            location = {"Location": f"/operator/incidents/{grant.incident}", "Cache-Control": "no-store"}
            return web.Response(status=303, headers=location | {"Referrer-Policy": "no-referrer"})
        if incident is None:
            raise Refused(410, f"Incident {grant.incident} is no longer stored.")
        t = self._locale(request)
        about = self._about(incident, t)
        if incident.closed_at:
            return self._page(request, action_words.over(about, t))
        if grant.purpose == "acknowledge" and incident.acknowledged_at:
            by = incident.acknowledged_by if incident.acknowledged_by != "link" else ""
            return self._page(request, action_words.already(about, by, t))
        return self._page(request, action_words.question(about, grant.purpose, grant.expires, t))

    async def perform(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """The button was pressed."""
        grant = self._grant(args["token"])
        over = Refused(409, f"Incident {grant.incident} is over; there is nothing left to do.")
        if grant.purpose == "acknowledge":
            await submit(self._engine, Acknowledged(incident=grant.incident, by="link"), over)
        else:
            until = self._clock.now() + SILENCE_SECONDS
            silence = Silence(id=str(uuid4()), until=until, created_at=0.0, by="link")
            await submit(self._engine, Silenced(silence=silence), over)
        incident = (await state(self._engine)).incident(grant.incident)
        if incident is None:
            raise over
        t = self._locale(request)
        return self._page(request, action_words.done(self._about(incident, t), grant.purpose, t))

    def _about(self, incident: Incident, t: Locale) -> action_words.IncidentSummary:
        """What it is about, as visitors see it. A page may be a moment behind the first message."""
        view = self._site.view
        shown = view.incident(incident.id) if view is not None else None
        return action_words.summary(incident.id, incident.opened_at, shown, self._clock.now(), t)

    def _locale(self, request: web.BaseRequest) -> Locale:
        assert self._site.table.locale is not None
        return self._site.table.locale(self._language(request))

    def _language(self, request: web.BaseRequest) -> str:
        return negotiation.language(request.headers.get("Accept-Language", ""), self._site.table.languages)

    def _page(self, request: web.BaseRequest, text: ActionText) -> web.Response:
        assert self._site.table.notice is not None
        made = self._site.table.notice(text, self._language(request))
        body = made.body if isinstance(made.body, bytes) else made.body.encode("utf-8", "replace")
        headers = {"Content-Type": made.content_type, **dict(made.headers), **CAPABILITY_URL}
        return web.Response(body=body, headers=headers)
