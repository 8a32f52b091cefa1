"""Visitors ask to be told, confirm it, choose, leave. A GET shows, a POST acts: mail scanners follow every link.

What a request for a link answers does not depend on whether the address is known, and neither does how long it takes:
the same event is written for everybody.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from msgspec.structs import replace

from crisp_status.api.submit import CommandEngine, accepted, state, submit
from crisp_status.config.visitor_address import checked_address
from crisp_status.core import subscribers
from crisp_status.core.subscriber_events import (
    SubscriberAdded,
    SubscriberChanged,
    SubscriberRemoved,
    SubscriptionConfirmed,
    SubscriptionRequested,
)
from crisp_status.core.subscriber_records import SLOW, UPDATES, WORK, Kind, Subscriber
from crisp_status.formats import subscriber_pages
from crisp_status.formats.html import CONTENT_TYPE, Html
from crisp_status.http import negotiation, request_body
from crisp_status.http.authentication import Failures
from crisp_status.http.error_responses import Refused
from crisp_status.http.responses import CAPABILITY_URL
from crisp_status.http.site import NotYetError
from crisp_status.loops.subscriber_posts import checked_url
from crisp_status.messages import subscriber_links, subscriber_mail
from crisp_status.view.incident_views import names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from gettext import NullTranslations

    from crisp_status.api.hook_challenges import HookChallenges
    from crisp_status.clock import Clock
    from crisp_status.core.model import State
    from crisp_status.http.router import Router
    from crisp_status.http.site import Site
    from crisp_status.net.public_address import Reachable
    from crisp_status.view.page_info import PageInfo
    from crisp_status.view.page_view import PageView

FORM_MAX: Final = 64 * 1024
"""Bytes of a form: a thousand services may be ticked in it."""

FIELDS_MAX: Final = 1200

REQUESTS_FREE: Final = 5
REQUESTS_PER_SECOND: Final = 1 / 120
"""Of one address (an IPv6 network): five requests at once, then one in two minutes."""

SERVICES_MAX: Final = 1000

WANTS: Final = {"slow": SLOW, "updates": UPDATES, "work": WORK}

Form = dict[str, list[str]]


class SubscriberPages:
    """`/subscribe`, `/confirm`, `/manage`, `/unsubscribe`, `/undo`."""

    def __init__(
        self,
        engine: CommandEngine,
        clock: Clock,
        site: Site,
        key: bytes,
        client: Callable[[web.BaseRequest], str],
        challenges: HookChallenges,
        reachable: Reachable,
    ) -> None:
        """`key` signs links; `client` says which address a request comes from; `reachable`, where one may go."""
        self._challenges = challenges
        self._reachable = reachable
        self._engine = engine
        self._clock = clock
        self._site = site
        self._key = key
        self._client = client
        self._requests = Failures(clock.monotonic, REQUESTS_FREE, REQUESTS_PER_SECOND)
        self._html: Html | None = None

    def configure(self, info: PageInfo, catalogues: Mapping[str, NullTranslations]) -> None:
        """Show these pages as that configuration says."""
        self._html = Html(info, catalogues)
        self._links = subscriber_mail.Addresses(info, self._key)

    def add_routes(self, router: Router) -> None:
        """Register every route."""
        router.add("POST", "/subscribe", self.subscribe)
        for name, show, act in (
            ("confirm", self.show_confirm, self.confirm),
            ("manage", self.show_manage, self.manage),
            ("unsubscribe", self.show_unsubscribe, self.unsubscribe),
        ):
            router.add("GET", f"/{name}/{{token}}", show)
            router.add("POST", f"/{name}/{{token}}", act)
        router.add("POST", "/undo", self.undo)

    async def subscribe(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST a form: somebody asks. The answer is the same for every address."""
        html = self._page()
        form = await _form(request)
        language = self.spoken(_field(form, "language"), request)
        held = await state(self._engine)
        if "hook" in form:
            return await self._subscribe_hook(request, form, language, held)
        wanted = self._wanted(form, language, held, html.info)
        if isinstance(wanted, str):
            return self._refused(language, wanted)
        self.slow_down(request)
        await self.request_link(wanted)
        return _to(f"{html.info.base(language)}subscribe/sent")

    async def _subscribe_hook(
        self, request: web.BaseRequest, form: Form, language: str, held: State
    ) -> web.StreamResponse:
        """A web hook is asked with a challenge, and its key is shown."""
        self.require("webhook")
        self.slow_down(request)
        t = self._page().locale(language)
        services, _ = chosen(form, held)
        try:
            new = await self._challenges.subscribe(_field(form, "hook"), _field(form, "owner"), services, language)
        except ValueError:
            return self._refused(language, t.gettext("This is not a public web address that we can send to."))
        if new is None:
            return self._unanswered(language)
        id = subscriber_links.subscriber_id(self._key, new.kind, new.address)
        headline = t.gettext("Your server hears from us")
        return self._step(language, "hooked", headline, secret=new.key, manage=self._links.manage(id))

    def _unanswered(self, language: str) -> web.StreamResponse:
        t = self._page().locale(language)
        said = t.gettext("It must answer the POST with status 200 and the value of “challenge” as its body.")
        headline = t.gettext("Your server did not answer the challenge")
        return self._step(language, "refused", headline, said, status=400)

    async def request_link(self, wanted: Subscriber) -> None:
        """Owe somebody the message with the link."""
        mailbox = subscriber_links.mailbox_id(self._key, wanted.address)
        event = SubscriptionRequested(token=secrets.token_urlsafe(18), subscriber=wanted, mailbox=mailbox)
        await submit(self._engine, event, Refused(409, "This cannot be done now."))

    def slow_down(self, request: web.BaseRequest) -> None:
        """Refuse somebody who asks too often."""
        wait = self._requests.count(self._client(request))
        if wait:
            raise Refused(429, "Please wait a moment.", {"Retry-After": str(int(wait) + 1)}, everyday=True, page=True)

    def _wanted(self, form: Form, language: str, held: State, info: PageInfo) -> Subscriber | str:
        """Who is to be told of what; or why not, in words."""
        t = self._page().locale(language)
        kind: Kind = "slack" if "slack" in form else "email"
        field = "slack" if kind == "slack" else "address"
        if kind not in info.ways:
            return t.gettext("This way is not offered here.")
        try:
            typed = _field(form, field)
            address = checked_address(typed) if kind == "email" else checked_url(typed, self._reachable)
        except ValueError:
            if kind == "slack":
                return t.gettext("This is not a public web address that we can send to.")
            return t.gettext("This is not an e-mail address that we can write to.")
        services, once = chosen(form, held)
        return Subscriber(kind, address, 0.0, services, language, once=once)

    async def show_confirm(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: the question."""
        html, held = self._page(), await state(self._engine)
        pending = held.audience.pending.get(args["token"])
        if pending is None:
            return self._gone(request)
        known = pending.subscriber
        t = html.locale(known.language)
        said = t.gettext("About %(what)s, to %(address)s.") % {
            "what": subscriber_mail.about(known, names_of(held.plan), t),
            "address": masked(known),
        }
        return self._step(known.language, "confirm", t.gettext("One click, then we write to you"), said)

    async def confirm(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST: yes."""
        html, held = self._page(), await state(self._engine)
        pending = held.audience.pending.get(args["token"])
        if pending is None:
            return self._gone(request)
        known = replace(pending.subscriber)
        t = html.locale(known.language)
        id = subscriber_links.subscriber_id(self._key, known.kind, known.address)
        if not await accepted(self._engine, SubscriptionConfirmed(token=args["token"], id=id)):
            return self._refused(known.language, t.gettext("It is over already: there is nothing left to tell."))
        if known.once:
            said = t.gettext("You get one message when it is over. Then your address is deleted.")
            return self._step(known.language, "done", t.gettext("Confirmed"), said)
        return _to(f"{self._links.manage(id)}?done=confirmed")

    async def show_manage(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: what somebody gets."""
        id, known, held = await self._known(args["token"], "manage")
        if known is None:
            return self._gone(request)
        html = self._page()
        t = html.locale(known.language)
        query = parse_qs(request.query_string, max_num_fields=5)
        done = {"confirmed": t.gettext("Confirmed"), "saved": t.gettext("Saved")}.get(query.get("done", [""])[-1], "")
        today = t.day_of(held.at)
        since = t.date(known.since, year=t.day_of(known.since)[:4] != today[:4])
        said = t.gettext("To %(address)s since %(date)s.") % {"address": masked(known), "date": since}
        return self._step(
            known.language,
            "manage",
            t.gettext("Your updates"),
            said,
            eye=done,
            chosen=known.services.split(),
            wants={name: bool(known.wants & bit) for name, bit in WANTS.items()},
            spoken=known.language,
            leave=self._links.leave(id),
        )

    async def manage(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST a form: another choice."""
        id, known, held = await self._known(args["token"], "manage")
        if known is None:
            return self._gone(request)
        form = await _form(request)
        services, _ = chosen(form, held)
        wants = 1 + sum(WANTS.get(name, 0) for name in set(form.get("when", ())))
        language = self.spoken(_field(form, "language") or known.language, request)
        if subscribers.is_stopped(known) and known.kind == "webhook" and not await self._challenges.answers(known):
            return self._unanswered(known.language)
        await accepted(self._engine, SubscriberChanged(id=id, services=services, language=language, wants=wants))
        return _to(f"{self._links.manage(id)}?done=saved")

    async def show_unsubscribe(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: the question."""
        id, known, _ = await self._known(args["token"], "unsubscribe")
        if known is None:
            return self._gone(request)
        t = self._page().locale(known.language)
        said = t.gettext("We delete %(address)s at once. You can come back at any time.") % {"address": masked(known)}
        return self._step(
            known.language, "unsubscribe", t.gettext("Stop all messages?"), said, manage=self._links.manage(id)
        )

    async def unsubscribe(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST, by the form or by a mail program (RFC 8058): no cookie, no sign-in, no redirect."""
        id, known, _ = await self._known(args["token"], "unsubscribe")
        if known is None:
            return self._gone(request)
        left = replace(known)
        await accepted(self._engine, SubscriberRemoved(id=id))
        t = self._page().locale(left.language)
        said = t.gettext("%(address)s is deleted. Was it a mistake?") % {"address": masked(left)}
        undo = subscriber_links.seal(self._key, left, self._clock.now() + subscriber_links.UNDO_SECONDS)
        headline = t.gettext("Done. You hear nothing more from us")
        return self._step(left.language, "unsubscribed", headline, said, undo=undo)

    async def undo(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST: it was a mistake."""
        form = await _form(request)
        back = subscriber_links.unseal(self._key, _field(form, "undo"), self._clock.now())
        if back is None:
            return self._gone(request)
        id = subscriber_links.subscriber_id(self._key, back.kind, back.address)
        await accepted(self._engine, SubscriberAdded(id=id, subscriber=back))
        return _to(f"{self._links.manage(id)}?done=saved")

    async def _known(self, token: str, purpose: str) -> tuple[int, Subscriber | None, State]:
        held = await state(self._engine)
        id = subscriber_links.verify(self._key, token, purpose)
        return id or 0, held.subscribers.get(id) if id is not None else None, held

    def require(self, kind: str) -> None:
        """Raise Refused 404 unless visitors may be told that way."""
        if kind not in self._page().info.ways:
            raise Refused(404, "This way is not offered here: it is not switched on in [subscribers].")

    def spoken(self, code: str, request: web.BaseRequest) -> str:
        """That language if the page speaks it, else what the browser asks for."""
        languages = self._page().info.languages
        for known in languages:
            if known == code:
                return known  # one and the same word for all
        return negotiation.language(request.headers.get("Accept-Language", ""), languages)

    def welcome(self, language: str) -> dict[str, object]:
        """The first push message."""
        html = self._page()
        words = html.locale(language).gettext("Done. This is how you hear from us on this device.")
        return {"id": "welcome", "title": html.info.name, "body": words, "url": html.info.url, "tag": "welcome"}

    def _page(self) -> Html:
        if self._html is None or not self._html.info.ways:
            raise Refused(404, "Nobody can subscribe here.", everyday=True, page=True)
        return self._html

    def view(self) -> PageView:
        """What the page shows now."""
        view = self._site.view
        if view is None:
            raise NotYetError
        return view

    def _step(
        self, language: str, step: str, headline: str, *said: str, status: int = 200, **more: Any
    ) -> web.StreamResponse:
        html = self._page()
        text = subscriber_pages.step(html, self.view(), language, step, headline, *said, **more)
        headers = {"Content-Type": CONTENT_TYPE, "Content-Security-Policy": html.info.csp, **CAPABILITY_URL}
        return web.Response(status=status, body=text.encode("utf-8", "replace"), headers=headers)

    def _gone(self, request: web.BaseRequest) -> web.StreamResponse:
        t = self._page().locale(self.spoken("", request))
        said = t.gettext("It was used already, is too old, or was cut off on its way.")
        return self._step(t.code, "refused", t.gettext("This link is not valid any more"), said, status=410)

    def _refused(self, language: str, why: str) -> web.StreamResponse:
        t = self._page().locale(language)
        return self._step(language, "refused", t.gettext("This did not work"), why, status=400)


def chosen(form: Form, held: State) -> tuple[str, int]:
    """The services that are ticked in a form, "" for everything; and the incident whose end alone is wanted."""
    what = _field(form, "what")
    if what.startswith("incident-") and what[9:].isascii() and what[9:].isdecimal() and len(what) < 24:
        return "", int(what[9:])
    ticked = set(form.get("service", ())) if what == "some" else set()
    services = [service.id for service in held.plan.services if service.id in ticked][:SERVICES_MAX]
    return " ".join(services) if len(services) < len(held.plan.services) else "", 0


def masked(known: Subscriber) -> str:
    """Who that is, so that only those who know it can tell: `r••••@example.com`."""
    if known.kind == "email":
        local, _, domain = known.address.rpartition("@")
        return f"{local[:1]}••••@{domain}"
    return known.address.split("/")[2] if "://" in known.address else known.kind


async def _form(request: web.BaseRequest) -> Form:
    return await request_body.read_form(request, FORM_MAX, FIELDS_MAX)


def _field(form: Form, name: str) -> str:
    return form.get(name, [""])[-1].strip()


def _to(path: str) -> web.Response:
    """To another page of ours after a form, by whatever address the visitor came."""
    parts = urlsplit(path)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = {"Location": path, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=303, headers=headers)
