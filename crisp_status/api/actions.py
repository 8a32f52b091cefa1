"""Links out of messages that act without signing in. GET asks, POST acts: mail scanners follow links, people press."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from aiohttp import web

from crisp_status.api.submit import CommandEngine, state, submit
from crisp_status.core.events import Acknowledged, Silenced
from crisp_status.core.operator_records import Silence
from crisp_status.http.error_responses import Refused, plain_page
from crisp_status.messages import action_links

if TYPE_CHECKING:
    from crisp_status.clock import Clock
    from crisp_status.http.router import Router
    from crisp_status.http.site import Site

SILENCE_SECONDS: Final = 3600.0
"""What a silence link gives: an hour, after which reminders go on; longer ones are asked for with a token."""

_QUESTIONS: Final = {
    "acknowledge": (
        "Acknowledge incident {n}?",
        "Your team gets no more reminders of it. The page stays as it is.",
        "Acknowledge",
    ),
    "silence": (
        "Hold reminders for an hour?",
        "Your team gets no reminders until then. New outages are still told.",
        "Hold reminders",
    ),
}
_DONE: Final = {
    "acknowledge": ("Incident {n} is acknowledged", "There will be no more reminders of it."),
    "silence": ("Reminders are held for an hour", "New outages are still told."),
}


class ActionPages:
    """`/act/{token}`."""

    def __init__(self, engine: CommandEngine, clock: Clock, key: bytes, site: Site | None = None) -> None:
        """`key` is that which signs the links; `site` says what the page is called and where it is."""
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
        incident = (await state(self._engine)).incident(grant.incident)
        if incident is None:
            raise Refused(410, f"Incident {grant.incident} is no longer stored.")
        if incident.closed_at:
            return self._page(f"Incident {incident.id} is over", "Everything affected is well again.")
        title, text, button = _QUESTIONS[grant.purpose]
        if grant.purpose == "acknowledge" and incident.acknowledged_at:
            by = f" by {incident.acknowledged_by}" if incident.acknowledged_by else ""
            return self._page(f"Incident {incident.id} is acknowledged{by}", "There will be no more reminders of it.")
        return self._page(title.format(n=incident.id), text, button)

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
        title, text = _DONE[grant.purpose]
        return self._page(title.format(n=grant.incident), text)

    def _page(self, title: str, text: str, button: str = "") -> web.Response:
        form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
        name, home = (self._site.name, self._site.home) if self._site else ("", "/")
        content, headers = plain_page(title, text, name=name, home=home, extra=form)
        # The address is the permission: it must not travel on to the next site, nor be framed or kept.
        headers |= {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }
        return web.Response(body=content, headers=headers)
