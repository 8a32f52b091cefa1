"""Operators' devices that want push messages: the public key, subscriptions, the service worker."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from crisp_status.api import json_fields
from crisp_status.api.submit import CommandEngine, done, reply, state, submit
from crisp_status.channels.push import check_endpoint
from crisp_status.core.events import Subscribed, Unsubscribed
from crisp_status.core.operator_records import Subscription
from crisp_status.http import request_body
from crisp_status.http.error_responses import Refused
from crisp_status.net import public_address
from crisp_status.view.assets import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.http.router import Handler, Router

MAX_KEY: Final = 200
"""Characters of `p256dh` and `auth`, which have 87 and 22 (RFC 8291)."""


class Devices:
    """The routes under `/operator/push/`."""

    def __init__(
        self,
        engine: CommandEngine,
        guard: Callable[[Handler], Handler],
        key: Callable[[], str],
        reachable: public_address.Reachable = public_address.is_public,
    ) -> None:
        """`key` gives the public VAPID key in base64url; "" while no notifier of type push is configured.

        `reachable` says which IP addresses may stand in an endpoint; names are checked when a message is sent.
        """
        self._engine = engine
        self._guard = guard
        self._key = key
        self._reachable = reachable

    def add_routes(self, router: Router) -> None:
        """Register every route."""
        router.add("GET", "/operator/push/key", self._guard(self.key))
        router.add("GET", "/operator/push/subscriptions", self._guard(self.subscriptions))
        router.add("POST", "/operator/push/subscriptions", self._guard(self.subscribe))
        router.add("DELETE", "/operator/push/subscriptions", self._guard(self.unsubscribe))
        router.add("GET", "/operator/push/worker.js", self.worker)

    async def key(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: what the browser needs to subscribe."""
        key = self._key()
        if not key:
            raise Refused(404, "No push key is there: add a notifier of type push to the configuration.")
        return reply({"key": key})

    async def subscriptions(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: whose devices are subscribed; their addresses stay here."""
        held = (await state(self._engine)).subscriptions.values()
        return reply([{"id": s.id, "operator": s.operator, "created_at": json_fields.iso(s.created_at)} for s in held])

    async def subscribe(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"operator", "subscription"}`, the latter as the browser gives it."""
        given = await request_body.read_object(request)
        return reply({"id": await subscribe_device(self._engine, given, reachable=self._reachable)})

    async def unsubscribe(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE with the same body, or with `{"id"}`."""
        given = await request_body.read_object(request)
        id = json_fields.text(given, "id", 64) or _id(_subscription(given)[0])
        await submit(self._engine, Unsubscribed(id=id), Refused(404, "This device is not subscribed."))
        return done()

    async def worker(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: the script that shows a message when no window is open. Public: a browser sends no token for it."""
        headers = {
            "Content-Type": "text/javascript; charset=utf-8",
            "Cache-Control": "no-cache",
            "Service-Worker-Allowed": "/operator/",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
        }
        return web.Response(body=(own_folder() / "worker.js").read_bytes(), headers=headers)


async def subscribe_device(
    engine: CommandEngine, given: dict[str, Any], by: str = "", *, reachable: public_address.Reachable | None = None
) -> str:
    """Send alerts to a device from now on: `{"operator", "subscription"}`. Gives the id of the device.

    `reachable` says which IP addresses may stand in an endpoint; None: it is found out when a message is sent.
    """
    operator = json_fields.text(given, "operator", 64, required=True)
    held = await state(engine)
    if operator not in held.plan.operators:
        raise Refused(404, f"There is no operator {operator!r} in the configuration.")
    endpoint, keys = _subscription(given)
    if reachable is not None:
        try:
            public_address.refuse_private_literal(endpoint, reachable)
        except ValueError as error:
            raise Refused(400, f'"endpoint": {error}.') from None
    new = Subscription(
        id=_id(endpoint),
        operator=operator,
        endpoint=endpoint,
        p256dh=json_fields.text(keys, "p256dh", MAX_KEY, required=True),
        auth=json_fields.text(keys, "auth", MAX_KEY, required=True),
        created_at=0.0,
    )
    await submit(engine, Subscribed(subscription=new, by=by), Refused(409, "There are too many devices."))
    return new.id


def _subscription(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Endpoint and keys."""
    subscription = given.get("subscription")
    if not isinstance(subscription, dict):
        raise Refused(400, '"subscription" must be what PushManager.subscribe gave.')
    endpoint = json_fields.text(subscription, "endpoint", 2048, required=True)
    try:
        check_endpoint(endpoint)
    except ValueError as error:
        raise Refused(400, f'"endpoint": {error}.') from None
    keys = subscription.get("keys")
    return endpoint, keys if isinstance(keys, dict) else {}


def _id(endpoint: str) -> str:
    """The same device has the same id, so that it can be named without its secret address."""
    return blake2b(endpoint.encode(), digest_size=12).hexdigest()
