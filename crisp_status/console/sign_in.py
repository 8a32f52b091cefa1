"""Signing in with a token or a passkey, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.api.submit import reply, state, submit
from crisp_status.core.events import SignedIn, SignedOut
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.console.frame import Frame, Visit
    from crisp_status.console.passkeys import Passkeys
    from crisp_status.core.operator_records import Session
    from crisp_status.http.router import Router


class SignIn:
    """`/operator/sign-in` and `/operator/sign-out`."""

    def __init__(self, frame: Frame, passkeys: Passkeys) -> None:
        self._frame = frame
        self._passkeys = passkeys

    def add_routes(self, router: Router) -> None:
        """Register the form, and what it is sent to."""
        router.add("GET", "/operator/sign-in", self.show)
        router.add("POST", "/operator/sign-in", self.sign_in)
        router.add("GET", "/operator/sign-in/passkey", self.options)
        router.add("POST", "/operator/sign-in/passkey", self.with_passkey)
        self._frame.add(router, "POST", "/operator/sign-out", self.sign_out)

    async def show(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: the form; whoever is signed in already goes on."""
        self._require_enabled()
        if self._frame.access.identify(request, await state(self._frame.engine)) is not None:
            return self._frame.redirect(_next(request.query.get("next", "")))
        return await self._page(request, request.query.get("next", ""))

    async def _page(
        self, request: web.BaseRequest, next: str, refused: Refused | None = None, error: str = "token"
    ) -> web.Response:
        passkeys = not self._passkeys.fault() and bool((await state(self._frame.engine)).console.passkeys)
        status = refused.status if refused is not None else 200
        answer = self._frame.bare(
            request, "sign-in.html", status=status, next=_next(next), error=error if refused else "", passkeys=passkeys
        )
        answer.headers.update(refused.headers if refused is not None else {})
        return answer

    async def _form(self, request: web.BaseRequest) -> dict[str, str]:
        """What a form of this page sends, when it comes from it."""
        self._require_enabled()
        self._frame.access.check_origin(request)
        self._frame.access.require_cookies(request)
        return {name: values[-1].strip() for name, values in (await self._frame.read_form(request)).items()}

    async def sign_in(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST: a new session for the right token."""
        form = await self._form(request)
        try:
            session, value = self._frame.access.sign_in(request, form.get("token", ""))
        except Refused as refused:
            return await self._page(request, form.get("next", ""), refused)
        return await self._begin(request, form, session, value)

    async def options(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: what the browser needs to sign in with a passkey, as JSON."""
        self._require_enabled()
        return reply(self._passkeys.request_options())

    async def with_passkey(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """POST: a new session for whoever holds a passkey; `answer` is what the browser said to the script, as JSON."""
        form, access = await self._form(request), self._frame.access
        known = (await state(self._frame.engine)).console.passkeys
        try:
            passkey, count = self._passkeys.verified(form.get("answer", ""), known)
        except Refused as refused:
            return await self._page(request, form.get("next", ""), access.failed(request, refused.detail), "passkey")
        operator = next((o for o in self._frame.config().operators if o.id == passkey.operator), None)
        if operator is None:
            raise Refused(403, "The operator of this passkey is not in the configuration any more.")
        session, value = access.new_session(operator.name, operator.id, operator.role, passkey=passkey.id)
        return await self._begin(request, form, session, value, count)

    async def _begin(
        self, request: web.BaseRequest, form: dict[str, str], session: Session, value: str, count: int = 0
    ) -> web.StreamResponse:
        """Keep the session, then hand out its cookie."""
        full = Refused(503, "The session could not be kept. Try again.")
        await submit(self._frame.engine, SignedIn(session=session, sign_count=count, by=session.name), full)
        response = self._frame.redirect(_next(form.get("next", "")))
        self._frame.access.set_cookie(request, response, value)
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
