"""All parts of the console together, and its style sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from crisp_status.console.announcements import AnnouncementPages
from crisp_status.console.audience_page import AudiencePages
from crisp_status.console.domain import DomainPage
from crisp_status.console.frame import Frame
from crisp_status.console.incidents import IncidentPages
from crisp_status.console.live import LiveUpdates
from crisp_status.console.notices import NoticePages
from crisp_status.console.notifier_pages import NotifierPages
from crisp_status.console.now import Now
from crisp_status.console.passkey_pages import PasskeyPages
from crisp_status.console.passkeys import Passkeys
from crisp_status.console.place_matrix import PlacesPage
from crisp_status.console.settings import SettingsPages
from crisp_status.console.sign_in import SignIn
from crisp_status.view.assets import own_folder
from crisp_status.view.page_info import minified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from crisp_status.config.root import Config
    from crisp_status.http.router import Router

SHEETS = ("inner.css", "console.css")
"""After the sheet of the page."""


class Console:
    """Registers every part of the console."""

    def __init__(
        self,
        frame: Frame,
        look_now: Callable[[Collection[tuple[str, str]]], None],
        reload: Callable[[Config], Awaitable[None]],
        push_key: Callable[[], str],
        changed: Callable[[int], Awaitable[int]],
        certificates: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        """`look_now` looks at replicas (node, replica) at once, at all when none is named; `reload` takes a config.

        `push_key`: the public key of Web Push; `changed` waits for a newer revision of the state.
        """
        self._frame = frame
        self.access = frame.access
        passkeys = Passkeys(frame)
        settings = SettingsPages(frame, reload)
        self.parts = (
            SignIn(frame, passkeys),
            PasskeyPages(frame, passkeys),
            Now(frame, look_now),
            IncidentPages(frame),
            AnnouncementPages(frame),
            NoticePages(frame, push_key),
            LiveUpdates(frame, changed),
            settings,
            NotifierPages(frame, settings),
            DomainPage(frame, certificates),
            AudiencePages(frame),
            PlacesPage(frame),
        )
        folder = own_folder()
        self._css = "".join(minified((folder / name).read_text("utf-8")) for name in SHEETS)

    def add_routes(self, router: Router) -> None:
        """Register every part."""
        for part in self.parts:
            part.add_routes(router)
        router.add("GET", "/operator/console.css", self.style)
        router.add("GET", "/operator/console.js", self.script)

    async def script(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: what only a script can do."""
        text = (own_folder() / "console.js").read_text("utf-8")
        headers = {"Cache-Control": "private, max-age=60", "X-Content-Type-Options": "nosniff"}
        return web.Response(text=text, content_type="text/javascript", charset="utf-8", headers=headers)

    async def style(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """GET: the sheet of the page with its brand, and that of the console."""
        view = self._frame.site.view
        css = (view.info.css if view is not None else "") + self._css
        headers = {"Cache-Control": "private, max-age=60", "X-Content-Type-Options": "nosniff"}
        return web.Response(text=css, content_type="text/css", charset="utf-8", headers=headers)
