"""Signing in with a token, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.api.submit import state, submit
from crisp_status.core.events import SignedIn, SignedOut
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.http.router import Router


class SignIn:
    """`/operator/sign-in` and `/operator/sign-out`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def add_routes(self, router: Router) -> None:
        """Register the form, and what it is sent to."""
        router.add("GET", "/operator/sign-in", self.show)
        router.add("POST", "/operator/sign-in", self.sign_in)
        self._frame.add(router, "POST", "/operator/sign-out", self.sign_out)

    async def show(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: the form; whoever is signed in already goes on."""
        self._require_enabled()
        if self._frame.access.identify(request, await state(self._frame.engine)) is not None:
            return self._frame.redirect(_next(request.query.get("next", "")))
        return self._frame.bare(request, "sign-in.html", next=_next(request.query.get("next", "")), error="")

    async def sign_in(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST: a new session for the right token."""
        self._require_enabled()
        access = self._frame.access
        access.check_origin(request)
        access.require_cookies(request)
        form = await self._frame.read_form(request)
        target = _next(form.get("next", [""])[-1])
        try:
            session, value = access.sign_in(request, form.get("token", [""])[-1].strip())
        except Refused as refused:
            answer = self._frame.bare(request, "sign-in.html", status=refused.status, next=target, error=refused.detail)
            answer.headers.update(refused.headers)
            return answer
        full = Refused(503, "The session could not be kept. Try again.")
        await submit(self._frame.engine, SignedIn(session=session, by=session.name), full)
        response = self._frame.redirect(target)
        access.set_cookie(request, response, value)
        return response

    async def sign_out(self, visit: Visit) -> web.StreamResponse:
        """POST: the session ends here and in the state."""
        if visit.identity.session:
            gone = Refused(409, "This session has ended already.")
            await submit(self._frame.engine, SignedOut(id=visit.identity.session, by=visit.identity.name), gone)
        response = self._frame.redirect("/operator/sign-in")
        self._frame.access.set_cookie(visit.request, response, "")
        return response

    def _require_enabled(self) -> None:
        if not self._frame.access.enabled:
            raise Refused(404, "The console is off: neither server.manager_token nor a token of an operator is set.")


def _next(given: str) -> str:
    """Where to go after signing in: only within the console, whatever the link said."""
    inside = (
        given.startswith("/operator/")
        and "\\" not in given
        and given.isprintable()
        and not given.startswith("/operator/sign-")
    )
    return given if inside else "/operator/"
