"""Notifiers with what they last answered, tests, the outbox, the story of one message, and devices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from crisp_status.api import operations
from crisp_status.api.devices import subscribe_device
from crisp_status.api.submit import submit
from crisp_status.core.events import Unsubscribed
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.core.model import DeliveryAttempt, State
    from crisp_status.http.router import Router

MESSAGES_SHOWN: Final = 100
"""Pending messages on the page, oldest first."""

STORIES_SHOWN: Final = 30
"""Messages of which the story can be chosen, newest first."""


class NotifierRow(NamedTuple):
    """One notifier or web hook and what became of its messages."""

    id: str
    type: str
    enabled: bool
    success: DeliveryAttempt | None
    failure: DeliveryAttempt | None
    """The last one, when it is newer than the last success."""
    waiting: int

    @property
    def look(self) -> str:
        """Colour and icon."""
        if not self.enabled:
            return "pend"
        if self.failure is not None:
            return "dead" if self.failure.outcome in {"refused", "gave up"} else "sick"
        return "ok" if self.success is not None else "pend"


class NoticePages:
    """`/operator/notices`."""

    def __init__(self, frame: Frame, push_key: Callable[[], str]) -> None:
        """`push_key` is the public key of Web Push; "" while no notifier of type push is configured."""
        self._frame = frame
        self._push_key = push_key

    def add_routes(self, router: Router) -> None:
        """Register the page and its forms."""
        add = self._frame.add
        add(router, "GET", "/operator/notices", self.show)
        add(router, "POST", "/operator/notices/test", self.test, "operator")
        add(router, "POST", "/operator/notices/retry", self.retry, "operator")
        add(router, "POST", "/operator/notices/drop", self.drop, "operator")
        add(router, "POST", "/operator/devices", self.add_device, "operator")
        add(router, "POST", "/operator/devices/{id}/remove", self.remove_device, "operator")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: everything about telling people."""
        held = visit.state
        wanted = visit.query.get("message", [""])[-1]
        stories = _messages(held)
        return self._frame.page(
            visit,
            "notices.html",
            notifiers=notifier_rows(held),
            messages=list(held.outbox.values())[:MESSAGES_SHOWN],
            total=len(held.outbox),
            gave_up=held.gave_up,
            held=self._frame.engine.held()[:MESSAGES_SHOWN],
            devices=sorted(held.subscriptions.values(), key=lambda s: s.created_at),
            push_key=self._push_key(),
            operators=[(o.id, o.name) for o in self._frame.config().operators],
            stories=stories[:STORIES_SHOWN],
            wanted=wanted,
            story=[a for a in reversed(held.attempts) if a.message == wanted],
            audit=list(reversed(held.console.audit)) if visit.identity.role == "owner" else [],
        )

    async def test(self, visit: Visit) -> web.StreamResponse:
        """POST: a test message through one notifier, or through all."""
        notifier = visit.field("notifier")
        found = await operations.send_tests(self._frame.engine, notifier, visit.identity.name)
        if notifier and notifier in found["nothing_to_send_to"]:
            raise Refused(409, f"The notifier {notifier} has nobody to tell yet: subscribe a device first.")
        first: list[dict[str, Any]] = found["messages"]
        return self._frame.redirect(
            f"/operator/notices?message={first[0]['id']}" if first else "/operator/notices", "test"
        )

    async def retry(self, visit: Visit) -> web.StreamResponse:
        """POST: try one message now, or all."""
        await operations.retry(self._frame.engine, visit.field("message"), visit.identity.name)
        return self._frame.redirect("/operator/notices", "retry")

    async def drop(self, visit: Visit) -> web.StreamResponse:
        """POST: give one message up."""
        await operations.drop(self._frame.engine, visit.field("message"), visit.identity.name)
        return self._frame.redirect("/operator/notices", "drop")

    async def add_device(self, visit: Visit) -> web.StreamResponse:
        """POST: alerts on this device; `subscription` is what the browser gave to the script of the page, as JSON."""
        try:
            given = json.loads(visit.field("subscription"))
        except (ValueError, RecursionError):
            raise Refused(
                400, "The browser did not say where to send alerts. Does it allow them for this page?"
            ) from None
        operator = visit.field("operator") or visit.identity.operator
        await subscribe_device(self._frame.engine, {"operator": operator, "subscription": given}, visit.identity.name)
        return self._frame.redirect("/operator/notices", "device")

    async def remove_device(self, visit: Visit) -> web.StreamResponse:
        """POST: forget a device."""
        gone = Refused(404, "This device is not subscribed any more.")
        await submit(self._frame.engine, Unsubscribed(id=visit.args["id"], by=visit.identity.name), gone)
        return self._frame.redirect("/operator/notices", "device-removed")


def notifier_rows(state: State) -> list[NotifierRow]:
    """Every notifier and web hook of the configuration, in its order."""
    success: dict[str, DeliveryAttempt] = {}
    failure: dict[str, DeliveryAttempt] = {}
    for attempt in state.attempts:
        if attempt.outcome == "delivered":
            success[attempt.notifier] = attempt
            failure.pop(attempt.notifier, None)
        elif attempt.outcome != "dropped":
            failure[attempt.notifier] = attempt
    waiting: dict[str, int] = {}
    for message in state.outbox.values():
        waiting[message.notifier] = waiting.get(message.notifier, 0) + 1
    known = [(n.id, n.kind, n.enabled) for n in state.plan.notifiers]
    known += [(id, "webhook", True) for id in state.plan.webhooks]
    return [
        NotifierRow(id, type, enabled, success.get(id), failure.get(id), waiting.get(id, 0))
        for id, type, enabled in known
    ]


def _messages(state: State) -> list[tuple[str, str, str, float]]:
    """Message, notifier, kind and time of what was tried, newest first, each once."""
    found: dict[str, tuple[str, str, str, float]] = {}
    for attempt in reversed(state.attempts):
        found.setdefault(attempt.message, (attempt.message, attempt.notifier, attempt.kind, attempt.at))
    return list(found.values())
