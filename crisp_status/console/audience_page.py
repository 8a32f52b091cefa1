"""Visitors who are told: how many, what is under way, the last failures; find, remove, send a link again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status.api import subscriber_lists
from crisp_status.api.submit import submit
from crisp_status.api.subscribe import masked
from crisp_status.core import subscribers
from crisp_status.core.subscriber_events import SubscriberRemoved, SubscriptionRequested
from crisp_status.http.error_responses import Refused
from crisp_status.messages import subscriber_links

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.core.subscriber_records import Bulletin, Subscriber
    from crisp_status.http.router import Router

FOUND_MOST: Final = 50
"""Subscribers on the page; whoever has more to look through takes the command line."""


class FoundSubscriber(NamedTuple):
    """One that was looked for."""

    id: int
    token: str
    """Of one that has not confirmed; "" of one that has."""
    one: Subscriber
    stopped: bool


class AudiencePages:
    """`/operator/subscribers`. Addresses are personal data, so viewers do not see them."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def add_routes(self, router: Router) -> None:
        """Register the page and its forms."""
        add = self._frame.add
        add(router, "GET", "/operator/subscribers", self.show, "operator")
        add(router, "POST", "/operator/subscribers/remove", self.remove, "operator")
        add(router, "POST", "/operator/subscribers/resend", self.resend, "operator")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: numbers, and whoever is looked for."""
        audience, words = visit.state.audience, visit.query.get("find", [""])[-1].strip()
        found: list[FoundSubscriber] = []
        if words:
            listed = subscriber_lists.find(visit.state, words, limit=FOUND_MOST)
            found = [FoundSubscriber(id, "", one, subscribers.is_stopped(one)) for id, one in listed]
            found += [
                FoundSubscriber(0, token, asked.subscriber, stopped=False)
                for token, asked in audience.pending.items()
                if words.casefold() in asked.subscriber.address.casefold()
            ][: FOUND_MOST - len(found)]
        return self._frame.page(
            visit,
            "subscribers.html",
            on=visit.state.plan.subscribers is not None,
            find=words,
            found=found,
            total=len(visit.state.subscribers),
            under_way=[(one, _progress(one)) for one in audience.bulletins.values() if _progress(one) is not None],
            masked=masked,
        )

    async def remove(self, visit: Visit) -> web.StreamResponse:
        """POST: forget a subscriber."""
        gone = Refused(404, "There is no such subscriber any more.")
        id = visit.field("id")
        if not id.isascii() or not id.isdecimal() or len(id) > 20:
            raise gone
        await submit(self._frame.engine, SubscriberRemoved(id=int(id), by=visit.identity.name), gone)
        return self._frame.redirect("/operator/subscribers", "removed")

    async def resend(self, visit: Visit) -> web.StreamResponse:
        """POST: send the link to confirm once more; the limit of the mailbox holds for operators as well."""
        asked = visit.state.audience.pending.get(visit.field("token"))
        gone = Refused(404, "Nobody waits to confirm that any more.")
        if asked is None:
            raise gone
        mailbox = subscriber_links.mailbox_id(self._frame.access.key, asked.subscriber.address)
        again = SubscriptionRequested(token=secrets.token_urlsafe(18), subscriber=asked.subscriber, mailbox=mailbox)
        await submit(self._frame.engine, again, gone)
        return self._frame.redirect("/operator/subscribers", "resent")


def _progress(bulletin: Bulletin) -> int | None:
    """How many wait after a failure; None: everybody was told."""
    if all(lane.done and not lane.deferred for lane in bulletin.lanes.values()):
        return None
    return sum(len(lane.deferred) for lane in bulletin.lanes.values())
