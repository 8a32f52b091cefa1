"""An operator's own passkeys: what there is, adding one, removing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.api import json_fields
from crisp_status.api.submit import reply, submit
from crisp_status.core.events import PasskeyAdded, PasskeyRemoved
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.console.passkeys import Passkeys
    from crisp_status.http.router import Router

NAME_MAX: Final = 60


class PasskeyPages:
    """`/operator/passkeys`."""

    def __init__(self, frame: Frame, passkeys: Passkeys) -> None:
        self._frame = frame
        self._passkeys = passkeys

    def add_routes(self, router: Router) -> None:
        """Register the page, its forms, and what its script asks for."""
        add = self._frame.add
        add(router, "GET", "/operator/passkeys", self.show)
        add(router, "GET", "/operator/passkeys/options", self.options)
        add(router, "POST", "/operator/passkeys", self.register)
        add(router, "POST", "/operator/passkeys/{id}/remove", self.remove)

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: one's own passkeys; for owners everybody's."""
        me = visit.identity
        known = visit.state.console.passkeys.values()
        return self._frame.page(
            visit,
            "passkeys.html",
            passkeys=[p for p in known if me.may("owner") or p.operator == me.operator],
            operators={o.id: o.name for o in self._frame.config().operators},
            fault=self._passkeys.fault(),
        )

    async def options(self, visit: Visit) -> web.StreamResponse:
        """GET: what the browser needs to make a passkey, as JSON."""
        me = _operator(visit)
        known = visit.state.console.passkeys
        return reply(self._passkeys.creation_options(me, visit.identity.name, visit.identity.form_token, known))

    async def register(self, visit: Visit) -> web.StreamResponse:
        """POST: remember a passkey; `answer` is what the browser said to the script of the page, as JSON."""
        me = _operator(visit)
        name = json_fields.text({"name": visit.field("name")}, "name", NAME_MAX, required=True)
        new = self._passkeys.made(visit.field("answer"), me, name, visit.identity.form_token)
        full = Refused(409, "This passkey is known already, or there are too many of yours.")
        await submit(self._frame.engine, PasskeyAdded(passkey=new, by=visit.identity.name), full)
        return self._frame.redirect("/operator/passkeys", "passkey")

    async def remove(self, visit: Visit) -> web.StreamResponse:
        """POST: forget one's own passkey; an owner may forget anybody's."""
        me, known = visit.identity, visit.state.console.passkeys.get(visit.args["id"])
        gone = Refused(404, "There is no such passkey any more.")
        if known is None or not (me.may("owner") or known.operator == me.operator):
            raise gone
        await submit(self._frame.engine, PasskeyRemoved(id=known.id, by=me.name), gone)
        return self._frame.redirect("/operator/passkeys", "passkey-removed")


def _operator(visit: Visit) -> str:
    """Id of who is signed in."""
    if not visit.identity.operator:
        raise Refused(
            409, "A passkey belongs to an entry of [[operators]]. Sign in as one of these, not with the manager token."
        )
    return visit.identity.operator
