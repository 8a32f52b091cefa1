"""Subscriptions that no mailbox confirms: browsers, web hooks; and the API of Atlassian Statuspage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from crisp_status.api import json_fields
from crisp_status.api.submit import CommandEngine, done, reply, state, submit
from crisp_status.api.subscribe import chosen
from crisp_status.channels import ChannelError, push
from crisp_status.config.visitor_address import checked_address
from crisp_status.core.subscriber_events import SubscriberAdded
from crisp_status.core.subscriber_records import Subscriber
from crisp_status.http import request_body
from crisp_status.http.error_responses import Refused
from crisp_status.loops.subscriber_ways import Rejected
from crisp_status.messages import subscriber_links
from crisp_status.net import public_address
from crisp_status.view.assets import own_folder

if TYPE_CHECKING:
    from crisp_status.api.hook_challenges import HookChallenges
    from crisp_status.api.subscribe import SubscriberPages
    from crisp_status.http.router import Router
    from crisp_status.loops.subscriber_posts import PushWay

MAX_KEY: Final = 200
"""Characters of `p256dh` and `auth`, which have 87 and 22 (RFC 8291)."""


class SubscribeByPost:
    """`/subscribe/push` and its script, and `POST /api/v2/subscribers.json`."""

    def __init__(
        self,
        pages: SubscriberPages,
        challenges: HookChallenges,
        engine: CommandEngine,
        key: bytes,
        reachable: public_address.Reachable,
    ) -> None:
        """`key` makes the ids; `reachable` says which addresses of strangers may be used."""
        self._pages = pages
        self._challenges = challenges
        self._engine = engine
        self._key = key
        self._reachable = reachable
        self._push: PushWay | None = None
        self._public = ""

    def configure(self, push_way: PushWay, public: str) -> None:
        """`public`: what browsers subscribe with; "" while nobody can."""
        self._push, self._public = push_way, public

    def add_routes(self, router: Router) -> None:
        """Register every route."""
        router.add("GET", "/subscribe/push-key", self.key)
        router.add("GET", "/subscribe/push.js", self.script)
        router.add("GET", "/subscribe/worker.js", self.worker)
        router.add("POST", "/subscribe/push", self.subscribe_browser)
        router.add("POST", "/api/v2/subscribers.json", self.subscribers)

    async def key(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: what the browser needs to subscribe."""
        self._pages.require("webpush")
        return reply({"key": self._public})

    async def script(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: the script of the form."""
        return _script("push.js")

    async def worker(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: the script that shows a message when no window is open."""
        return _script("worker.js")

    async def subscribe_browser(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST what the browser gave. It is kept when its push service took a first message."""
        self._pages.require("webpush")
        given = await request_body.read_object(request)
        held = await state(self._engine)
        subscription = given.get("subscription")
        if not isinstance(subscription, dict):
            raise Refused(400, '"subscription" must be what PushManager.subscribe gave.')
        endpoint = json_fields.text(subscription, "endpoint", push.ENDPOINT_MAX, required=True)
        keys = subscription.get("keys")
        keys = keys if isinstance(keys, dict) else {}
        try:
            push.check_endpoint(endpoint)
            public_address.refuse_private_literal(endpoint, self._reachable)
        except ValueError:
            raise Refused(400, '"endpoint" is not the https address of a push service.') from None
        secret = " ".join(json_fields.text(keys, name, MAX_KEY, required=True) for name in ("p256dh", "auth"))
        form = {"what": [json_fields.text(given, "what", 40)], "service": _strings(given.get("services"))}
        services, _ = chosen(form, held)
        language = self._pages.spoken(json_fields.text(given, "language", 8), request)
        new = Subscriber("webpush", endpoint, 0.0, services, language, secret=secret)
        self._pages.slow_down(request)
        assert self._push is not None
        try:
            await self._push.post(new, self._pages.welcome(language))
        except (Rejected, ChannelError):
            raise Refused(400, "The push service did not take a message for this browser.") from None
        id = subscriber_links.subscriber_id(self._key, new.kind, new.address)
        await submit(self._engine, SubscriberAdded(id=id, subscriber=new), Refused(409, "There are too many."))
        return done()

    async def subscribers(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST as clients of Statuspage do: `{"subscriber": {"email", "component_ids", "incident_id", "endpoint"}}`."""
        given = await self._statuspage(request)
        held = await state(self._engine)
        view = self._pages.view()
        email, endpoint = json_fields.text(given, "email", 254), json_fields.text(given, "endpoint", 2048)
        components = _strings(given.get("component_ids")) + _strings(given.get("component_id"))
        incident = json_fields.text(given, "incident_id", 20) if given.get("incident_id") is not None else ""
        ticked = [name.partition("/")[0] for name in components]
        what = f"incident-{incident}" if incident else "some" if ticked else "all"
        services, once = chosen({"what": [what], "service": ticked}, held)
        if ticked and not services and not set(ticked) & set(held.services):
            raise Refused(422, '"component_ids" names no component of this page.')
        language = self._pages.spoken("", request)
        if endpoint:
            self._pages.require("webhook")
            self._pages.slow_down(request)
            try:
                new = await self._challenges.subscribe(endpoint, email, services, language)
            except ValueError:
                new = None
            if new is None:
                raise Refused(422, '"endpoint" did not answer the challenge, or is not a public https address.')
            answer: dict[str, Any] = {"mode": "webhook", "endpoint": new.address, "secret": new.key}
        else:
            self._pages.require("email")
            try:
                address = checked_address(email)
            except ValueError:
                raise Refused(422, '"email" is not an e-mail address.') from None
            self._pages.slow_down(request)
            await self._pages.request_link(Subscriber("email", address, 0.0, services, language, once=once))
            answer = {"mode": "email"}
        page: dict[str, Any] = {"id": held.plan.services[0].id if held.plan.services else "", "name": view.info.name}
        page |= {"url": view.info.url, "time_zone": view.info.timezone, "updated_at": json_fields.iso(view.at)}
        return reply({"email": email or None, "can_select_components": True, "page": page, **answer}, 201)

    async def _statuspage(self, request: web.BaseRequest) -> dict[str, Any]:
        """The fields of the subscriber: JSON or a form, in an object of that name or not."""
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            value = await request_body.read_object(request)
            inner = value.get("subscriber", value)
            if not isinstance(inner, dict):
                raise Refused(400, '"subscriber" must be an object.')
            return inner
        form = await request_body.read_form(request, request_body.MAX_BODY, 100, blank=False)
        plain = {name.removeprefix("subscriber[").partition("]")[0]: values for name, values in form.items()}
        return {name: values if name == "component_ids" else values[-1] for name, values in plain.items()}


def _strings(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, str)]


def _script(name: str) -> web.Response:
    headers = {
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    }
    return web.Response(body=(own_folder() / name).read_bytes(), headers=headers)
