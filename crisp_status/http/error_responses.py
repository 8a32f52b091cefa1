"""What a client is told when its request cannot be answered: JSON for machines, a small branded page for people."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from crisp_status.formats.routes import Made

_STYLE: Final = (
    ":root{color-scheme:light dark}body{margin:0;min-height:100vh;display:grid;place-items:center;"
    'font:1rem/1.5 system-ui,"Segoe UI",Roboto,sans-serif;background:#f4f6fa;color:#141822}'
    "a:focus-visible{outline:3px solid #1972f5;outline-offset:2px}"
    "main{max-width:32rem;padding:2rem}h1{font-size:1.75rem;line-height:1.15;margin:0 0 .5rem}p{margin:0 0 1.25rem}"
    "a{color:inherit;font-weight:550;text-underline-offset:3px}"
    "@media(prefers-color-scheme:dark){body{background:#0c0e14;color:#eceef3}}"
)
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()

TITLES: Final = {
    400: "This request cannot be read",
    401: "A token is needed",
    403: "This token does not open this door",
    404: "There is nothing here",
    405: "This address does not take that",
    408: "The request took too long to arrive",
    409: "That is not possible now",
    410: "This is no longer stored",
    412: "This node is not observed that way",
    413: "That is too large",
    415: "This kind of content is not understood",
    429: "Too many attempts",
    500: "Something went wrong on our side",
    503: "Not ready yet",
}
"""Headings for people, by status."""


class Refused(Exception):
    """A request that is not carried out; `detail` is a sentence for people, `headers` go out with the answer.

    `everyday` ones can happen to any visitor: the page has words of its own for them, in every language. `page`: the
    address is that of a page for people, so that the answer is one as well, for curl too.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: dict[str, str] | None = None,
        *,
        everyday: bool = False,
        page: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.everyday = everyday
        self.page = page


def slug(status: int) -> str:
    """The stable word of a status in JSON errors: 404 gives `not_found`."""
    try:
        return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    except ValueError:
        return "error"


def json_bytes(value: Any) -> bytes:
    """JSON that somebody may also look at in a terminal: what is not printable in its strings is written as an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return text.encode()


def wants_html(accept: str, *, page: bool = False) -> bool:
    """Whether the `Accept` header asks for HTML; where a `page` would stand, everything but JSON does."""
    return "text/html" in accept or (page and "json" not in accept)


def plain_page(title: str, text: str, *, name: str = "", home: str = "/") -> tuple[bytes, dict[str, str]]:
    """A page of a few words: its bytes and the headers that it needs."""
    brand = f" · {escape(name)}" if name else ""
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}{brand}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(text)}</p>"
        f'<p><a href="{escape(home)}">See the current status</a></p></main></body></html>'
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return html.encode("utf-8", "replace"), {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
    }


def response(
    refused: Refused, *, accept: str = "", name: str = "", home: str = "/", own: Made | None = None
) -> web.Response:
    """The answer for a refusal, in the form that the client's `Accept` header asks for; `own` is the page's own one."""
    if own is not None:
        body = own.body.encode("utf-8", "replace") if isinstance(own.body, str) else own.body
        headers = {"Content-Type": own.content_type, **dict(own.headers)}
    elif wants_html(accept, page=refused.page):
        title = TITLES.get(refused.status, "This did not work")
        body, headers = plain_page(title, refused.detail, name=name, home=home)
    else:
        body = json_bytes({"error": slug(refused.status), "detail": refused.detail})
        headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
    headers |= {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **refused.headers}
    return web.Response(status=refused.status, body=body, headers=headers)
