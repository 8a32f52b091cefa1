"""What every page of the console shares: signing in before anything is shown, forms in, HTML out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from aiohttp import BodyPartReader, web
from aiohttp.client_exceptions import ClientError

from crisp_status.api.submit import CommandEngine, state
from crisp_status.console.access import Access, Identity, Role
from crisp_status.console.page_marks import state_mark
from crisp_status.formats.templates import environment
from crisp_status.http import negotiation, request_body
from crisp_status.http.aiohttp_private import HttpProcessingError, RequestPayloadError
from crisp_status.http.error_responses import TITLES, Refused
from crisp_status.language.locale import Locale

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from gettext import NullTranslations

    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.core.model import State
    from crisp_status.http.router import Handler, Router
    from crisp_status.http.site import Site

MAX_FORM: Final = 2 * 1024 * 1024
"""Bytes of a form: a configuration of thousands of nodes as text."""

MAX_FIELDS: Final = 5000

MAX_UPLOAD: Final = 4 * 1024 * 1024
"""Bytes of a form with files: each image has a limit of its own on top."""

UPLOAD_SECONDS: Final = 60.0
"""A header image over a bad mobile line."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make the Origin of our own forms "null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


@dataclass
class Visit:
    """One request of somebody who is signed in."""

    request: web.BaseRequest
    args: dict[str, str]
    identity: Identity
    state: State
    t: Locale
    form: dict[str, list[str]]
    files: dict[str, bytes]
    """What was uploaded, by the name of its field; an empty field is absent."""

    def field(self, name: str) -> str:
        """The value of a field, without space around it; "" when it is absent."""
        return self.form.get(name, [""])[-1].replace("\r\n", "\n").strip()

    def fields(self, name: str) -> list[str]:
        """All values of a field that may stand several times."""
        return [v.replace("\r\n", "\n").strip() for v in self.form.get(name, [])]

    @property
    def query(self) -> dict[str, list[str]]:
        """The fields of the address."""
        try:
            return parse_qs(self.request.query_string, max_num_fields=50)
        except ValueError:
            return {}


class Frame:
    """Wraps the parts of the console. One for each daemon."""

    def __init__(
        self,
        engine: CommandEngine,
        clock: Clock,
        access: Access,
        site: Site,
        config: Callable[[], Config],
        catalogues: Callable[[], Mapping[str, NullTranslations]],
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.access = access
        self.site = site
        self.config = config
        self._catalogues = catalogues
        self._env = environment()

    def add(self, router: Router, method: str, path: str, page: Any, role: Role = "viewer") -> None:
        """Register a part: GET for whoever is signed in, POST for forms of a role."""
        router.add(method, path, self._guarded(page, role))

    def _guarded(self, page: Callable[[Visit], Awaitable[web.StreamResponse]], role: Role) -> Handler:
        async def guarded(request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
            if not self.access.enabled:
                raise Refused(
                    404, "The console is off: neither server.manager_token nor a token of an operator is set."
                )
            held = await state(self.engine)
            identity = self.access.identify(request, held)
            if identity is None:
                if request.method in {"GET", "HEAD"}:
                    return self.redirect(f"/operator/sign-in?next={quote(request.path_qs, safe='')}")
                raise Refused(401, "You are signed out. Sign in again and repeat it.")
            visit = Visit(request, args, identity, held, self.locale(request), {}, {})
            try:
                if request.method == "POST":
                    visit.form, visit.files = await self._read_any(request)
                    self.access.check_form(request, identity, visit.field("form_token"))
                if not identity.may(role):
                    raise Refused(403, f"Your role is {identity.role}; this takes the role {role}.")
                return await page(visit)
            except Refused as refused:
                return self.refusal(visit, refused)

        return guarded

    async def _read_any(self, request: web.BaseRequest) -> tuple[dict[str, list[str]], dict[str, bytes]]:
        if not request.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
            return await self.read_form(request), {}
        form: dict[str, list[str]] = {}
        files: dict[str, bytes] = {}
        left = MAX_UPLOAD
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                async for part in await request.multipart():
                    if not isinstance(part, BodyPartReader) or not part.name or len(form) + len(files) > MAX_FIELDS:
                        raise Refused(400, "The form could not be read.")
                    content = bytearray()
                    while chunk := await part.read_chunk():
                        content += chunk
                        left -= len(chunk)
                        if left < 0:
                            raise Refused(413, f"At most {MAX_UPLOAD >> 20} MB are taken.", {"Connection": "close"})
                    if part.filename is None:
                        form.setdefault(part.name, []).append(content.decode("utf-8"))
                    elif content:
                        files[part.name] = bytes(content)
        except TimeoutError:
            raise Refused(408, "The upload took too long.", {"Connection": "close"}) from None
        except (ValueError, AssertionError, RuntimeError, RequestPayloadError, ClientError, HttpProcessingError):
            raise Refused(400, "The form could not be read.") from None
        return form, files

    @staticmethod
    async def read_form(request: web.BaseRequest) -> dict[str, list[str]]:
        """The fields of a form. Raises `Refused` for what is not one."""
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Refused(415, "A form was expected here.")
        return await request_body.read_form(request, MAX_FORM, MAX_FIELDS)

    def locale(self, request: web.BaseRequest) -> Locale:
        """The language of the browser, if the page speaks it, in the page's zone."""
        page = self.config().page
        spoken = (page.language, *(code for code in page.languages if code != page.language))
        code = negotiation.language(request.headers.get("Accept-Language", ""), spoken)
        return Locale(code, page.timezone, self._catalogues().get(code))

    def page(self, visit: Visit, template: str, *, status: int = 200, **context: Any) -> web.Response:
        """A page of the console."""
        held, now = visit.state, self.clock.now()
        names = {n.key: n.name for s in held.plan.services for n in s.nodes}
        services = {s.id: s.name for s in held.plan.services}
        frame = {
            "me": visit.identity,
            "form_token": visit.identity.form_token,
            "open_incidents": sum(not i.closed_at for i in held.open.values()),
            "waiting": len(held.outbox),
            "live": state_mark(held),
            "names": names,
            "services": services,
            "state": held,
            "now": now,
            "today": visit.t.day_of(now),
            "done": visit.query.get("done", [""])[-1],
            "editable": self.config().console.edit,
        }
        return self._html(visit.t, template, status, frame | context)

    def bare(self, request: web.BaseRequest, template: str, *, status: int = 200, **context: Any) -> web.Response:
        """A page for somebody who is not signed in."""
        return self._html(self.locale(request), template, status, context)

    def _html(self, t: Locale, template: str, status: int, context: dict[str, Any]) -> web.Response:
        info = self.site.view.info if self.site.view is not None else None
        look = self.site.view.look if self.site.view is not None else "pend"
        body = self._env.get_template(f"console/{template}").render(t=t, info=info, look=look, **context)
        return web.Response(status=status, body=body.encode("utf-8", "replace"), headers=HEADERS | {
            "Content-Type": "text/html; charset=utf-8"})  # fmt: skip

    def refusal(self, visit: Visit, refused: Refused) -> web.Response:
        """What could not be done, inside the console."""
        title = TITLES.get(refused.status, "This did not work")
        answer = self.page(visit, "refused.html", status=refused.status, title=title, detail=refused.detail)
        answer.headers.update(refused.headers)
        return answer

    @staticmethod
    def redirect(path: str, done: str = "") -> web.Response:
        """To another page of ours after a form; `done` names the sentence that it shows."""
        if done:
            path += f"{'&' if '?' in path else '?'}done={done}"
        return web.Response(status=303, headers=HEADERS | {"Location": path})
