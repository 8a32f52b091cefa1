"""Who subscribed, for operators: list, remove, take in. `console/` uses the same functions.

Addresses are personal data: they are shown to operators who ask, and written to no log.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from aiohttp import web

from crisp_status.api import json_fields
from crisp_status.api.submit import CommandEngine, reply, state, submit
from crisp_status.config.visitor_address import checked_address
from crisp_status.core import subscribers
from crisp_status.core.subscriber_events import SubscriberRemoved, SubscribersImported
from crisp_status.core.subscriber_records import Subscriber
from crisp_status.http import request_body
from crisp_status.http.error_responses import Refused
from crisp_status.messages import subscriber_links

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.core.model import State
    from crisp_status.http.router import Handler, Router

PAGE: Final = 1000
"""Subscribers in one answer: some milliseconds of work."""

IMPORT_MAX: Final = 1000
IMPORT_BYTES: Final = 1024 * 1024


class SubscriberLists:
    """The routes under `/manager/subscribers`."""

    def __init__(self, engine: CommandEngine, guard: Callable[[Handler], Handler], key: bytes) -> None:
        """`key` makes the ids."""
        self._engine = engine
        self._guard = guard
        self._key = key

    def add_routes(self, router: Router) -> None:
        """Register every route."""
        router.add("GET", "/manager/subscribers", self._guard(self.list))
        router.add("POST", "/manager/subscribers", self._guard(self.take_in))
        router.add("POST", "/manager/subscribers/remove", self._guard(self.remove))

    async def list(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: a page of them; `?find=` part of an address, `?after=` the id of the last one of the page before."""
        query = parse_qs(request.query_string, max_num_fields=10)
        after = query.get("after", ["-1"])[-1]
        if not after.lstrip("-").isascii() or not after.lstrip("-").isdecimal() or len(after) > 20:
            raise Refused(400, '"after" must be the id of a subscriber.')
        held = await state(self._engine)
        listed = find(held, query.get("find", [""])[-1], int(after))
        audience = held.audience
        return reply(
            {
                "total": len(held.subscribers),
                "pending": len(audience.pending),
                "sent": audience.sent,
                "failed": audience.failed,
                "subscribers": [described(id, one) for id, one in listed],
                "next": str(listed[-1][0]) if len(listed) == PAGE else None,
            }
        )

    async def remove(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"address"}`, or `{"id"}` as the list gives it."""
        given = await request_body.read_object(request)
        id, address = json_fields.text(given, "id", 32), json_fields.text(given, "address", 2048)
        held = await state(self._engine)
        found = [n for n, one in held.subscribers.items() if str(n) == id or one.address == address]
        if not found:
            raise Refused(404, "There is no such subscriber.")
        for number in found:
            await submit(self._engine, SubscriberRemoved(id=number), Refused(404, "There is no such subscriber."))
        return reply({"removed": len(found)})

    async def take_in(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"subscribers": [{"address", "services", "language"}]}`: they confirmed elsewhere, nothing is sent."""
        given = await request_body.read_object(request, IMPORT_BYTES)
        listed = given.get("subscribers")
        if not isinstance(listed, list) or len(listed) > IMPORT_MAX:
            raise Refused(400, f'"subscribers" must be a list of at most {IMPORT_MAX}.')
        held = await state(self._engine)
        taken: dict[int, Subscriber] = {}
        for place, one in enumerate(listed):
            new = _subscriber(one, place, held)
            taken[subscriber_links.subscriber_id(self._key, new.kind, new.address)] = new
        if taken:
            refused = Refused(409, "There are too many subscribers.")
            await submit(self._engine, SubscribersImported(subscribers=taken), refused)
        return reply({"imported": len(taken)})


def find(held: State, words: str, after: int = -1, limit: int = PAGE) -> list[tuple[int, Subscriber]]:
    """The first subscribers after that id whose address has these words in it."""
    words = words.casefold()
    matching = (
        id for id, one in held.subscribers.items() if id > after and (not words or words in one.address.casefold())
    )
    return [(id, held.subscribers[id]) for id in heapq.nsmallest(limit, matching)]


def described(id: int, one: Subscriber) -> dict[str, Any]:
    """A subscriber as JSON, without its keys."""
    return {
        "id": str(id),
        "kind": one.kind,
        "address": one.address,
        "services": one.services.split(),
        "language": one.language,
        "since": json_fields.iso(one.since),
        "failures": one.failures,
        "stopped": subscribers.is_stopped(one),
        "once": one.once or None,
    }


def _subscriber(given: object, place: int, held: State) -> Subscriber:
    if not isinstance(given, dict):
        raise Refused(400, f'"subscribers"[{place}] must be an object.')
    try:
        address = checked_address(json_fields.text(given, "address", 254, required=True))
    except ValueError:
        raise Refused(400, f'"subscribers"[{place}]: "address" is not an e-mail address.') from None
    listed = given.get("services") or []
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise Refused(400, f'"subscribers"[{place}]: "services" must be a list of ids.')
    unknown = [name for name in listed if name not in held.services]
    if unknown:
        raise Refused(400, f'"subscribers"[{place}]: there is no service {unknown[0][:80]!r}.')
    return Subscriber("email", address, 0.0, " ".join(listed), json_fields.text(given, "language", 8) or "en")
