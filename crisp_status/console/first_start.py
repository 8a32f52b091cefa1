"""The first start in a browser: five answers behind a link that works once (`crisp-status init --web`)."""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

from aiohttp import web

from crisp_status.config.addresses import web_url
from crisp_status.config.services import NAME_MAX
from crisp_status.console.frame import HEADERS
from crisp_status.formats.templates import environment
from crisp_status.http import request_body
from crisp_status.http.error_responses import Refused
from crisp_status.language.locale import Locale
from crisp_status.view.assets import own_folder
from crisp_status.view.page_info import make_info, minified

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

PATIENCE_SECONDS: Final = 1800.0
"""Half an hour to answer; an open form on a new server is an open door."""

MAX_FORM: Final = 16 * 1024

HOST: Final = re.compile(r"(?=.{1,253}$)[^\s/:@?#]+(?::\d{1,5})?", re.IGNORECASE)


class Answers(NamedTuple):
    """What the form asks for."""

    name: str = ""
    url: str = ""
    color: str = "#1972f5"
    watch: str = ""
    mail: str = ""


async def ask(listener: socket, base: str, check: Callable[[str], str], say: Callable[[str], None]) -> Answers | None:
    """Serve the form until it is answered. None: nobody did in time.

    `base` is where the page will be without a domain, `check` says what is wrong with an address to watch ("" nothing),
    `say` tells the operator the link.
    """
    form = _Form(base, check)
    server = web.Server(form.handle)
    loop = asyncio.get_running_loop()
    serving = await loop.create_server(server, sock=listener)
    host, port = listener.getsockname()[:2]
    say(f"http://{f'[{host}]' if ':' in host else host}:{port}/init/{form.token}")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await form.answers
    except TimeoutError:
        return None
    finally:
        serving.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await server.shutdown(2.0)


class _Form:
    """One form, answered once."""

    def __init__(self, base: str, check: Callable[[str], str]) -> None:
        self.token = secrets.token_urlsafe(24)
        self.answers: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        self._base = base
        self._check = check
        self._env = environment()
        info = make_info(name="crisp-status", url=base)
        folder = own_folder()
        self._css = info.css + "".join(
            minified((folder / name).read_text("utf-8")) for name in ("inner.css", "console.css")
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: the sheet, the form, or nothing."""
        if request.path == "/operator/console.css" and request.method == "GET":
            return web.Response(text=self._css, content_type="text/css", charset="utf-8")
        known = hmac.compare_digest(request.path.encode("utf-8", "replace"), f"/init/{self.token}".encode())
        if not known or self.answers.done():
            return self._page(Answers(), {}, status=404, gone=True)
        if request.method == "POST":
            return await self._answered(request)
        return self._page(Answers(name="", watch=""), {})

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        try:
            raw = await request_body.read(request, MAX_FORM)
        except Refused as refused:
            answer = self._page(Answers(), {}, status=refused.status)
            answer.headers.update(refused.headers)
            return answer
        given = {key: values[-1].strip() for key, values in parse_qs(raw.decode("utf-8", "replace")).items()}
        answers = Answers(**{key: given[key] for key in Answers._fields if given.get(key)})
        wrong = self.faults(answers)
        if wrong:
            return self._page(answers, wrong, status=400)
        if self.answers.done():  # somebody else was first while this form was still coming
            return self._page(Answers(), {}, status=404, gone=True)
        answers = answers._replace(url=_address(answers.url) or self._base)
        self.answers.set_result(answers)
        return self._page(answers, {}, done=True)

    def faults(self, answers: Answers) -> dict[str, str]:
        """What is wrong, by field."""
        found = {}
        if not 0 < len(answers.name) <= NAME_MAX:
            found["name"] = f"Expected 1 to {NAME_MAX} characters."
        if answers.url:
            try:
                web_url(_address(answers.url))
            except ValueError as error:
                found["url"] = str(error)
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", answers.color):
            found["color"] = "Expected # and six hexadecimal digits."
        if answers.watch and (fault := self._check(answers.watch)):
            found["watch"] = fault
        if answers.mail and not re.fullmatch(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+", answers.mail):
            found["mail"] = "Expected one address, as in you@example.com."
        return found

    def _page(
        self, answers: Answers, wrong: dict[str, str], *, status: int = 200, done: bool = False, gone: bool = False
    ) -> web.Response:
        body = self._env.get_template("console/first-start.html").render(
            t=Locale("en"), info=None, look="pend", answers=answers, wrong=wrong, base=self._base, done=done, gone=gone
        )
        headers = HEADERS | {"Referrer-Policy": "no-referrer"}  # the address of this form is its key
        return web.Response(status=status, text=body, content_type="text/html", charset="utf-8", headers=headers)


def _address(given: str) -> str:
    """A whole address of a domain; of an address, itself."""
    return f"https://{given}/" if HOST.fullmatch(given) else given
