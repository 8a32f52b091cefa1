"""Refuse requests that another web site makes in the browser of a signed-in operator (CSRF).

A browser that has signed in by Basic authentication sends the password with every request to this server, whichever
page asked for it. Three signs tell such a request from our own: a foreign `Origin`, `Sec-Fetch-Site: cross-site`, and a
body that is not JSON, for a form cannot send JSON and a script of another site would need permission first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from aiohttp import web

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing, and another site cannot read the answer."""

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""What a form of any site can send without asking."""


def refuse_cross_site(request: web.BaseRequest, page_url: str = "") -> None:
    """Raise Refused 403 when a page of another origin made this request.

    Ours are the origin of `page_url`, and the one that the request itself goes to (`Host`): a browser sends the
    password to no other.
    """
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("Origin")
    own = {_origin(page_url), request.headers.get("Host", "").lower()}
    foreign = origin is not None and (_origin(origin) not in own or _origin(origin) == "")
    if foreign or request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        raise Refused(403, "A page of another web site sent this request, so it was not carried out.")


def refuse_other_bodies(request: web.BaseRequest) -> None:
    """Raise Refused 415 when the body is not JSON, or the request says that it comes from a form."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if request.method in SAFE_METHODS or kind == "application/json":
        return
    if request.body_exists or kind in FORM_TYPES:
        raise Refused(415, 'Send the body as JSON, with the header "Content-Type: application/json".')


def _origin(url: str) -> str:
    """Host and port of an address, without the port that its scheme has anyway; "" for `null` and what is not a URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if port is None or port == {"http": 80, "https": 443}.get(parts.scheme) else f"{host}:{port}"
