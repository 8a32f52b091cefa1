"""Plain HTTP beside HTTPS: who is sent on to HTTPS, whose token is not taken, and what browsers are told to remember.

Only pages that people open are redirected. A report, a heartbeat by GET, an agent's list or a feed reader may follow no
redirect, and what is lost then is an alert: these are answered where they ask.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from crisp_status.http.error_responses import Refused, wants_html

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from crisp_status.http.authentication import Proxies
    from crisp_status.http.site import Site

HSTS: Final = b"Strict-Transport-Security: max-age=31536000\r\n"
"""For a year, this host alone: its subdomains may be somebody else's business (RFC 6797)."""

REDIRECT_CACHE: Final = "public, max-age=3600"
"""A browser that remembered it for ever could not come back to plain HTTP when the certificate has ended."""

FOR_PEOPLE: Final = ("/operator", "/subscribe")
"""Pages beside the documents that are opened in a browser; under them there are also paths for machines."""


class Secured(Protocol):
    """Makes the connections of TLS ports."""

    def wrap(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """The factory of a TLS port, for the protocols of another one."""

    def stop(self) -> None:
        """Let go of all whose handshake is not done."""


class TransportSecurity:
    """The rules of one server that speaks both."""

    def __init__(self, secured: Secured, proxies: Proxies, active: Callable[[], bool]) -> None:
        """`active`: whether HTTPS shows a certificate that browsers take; before that nobody is sent there."""
        self.secured = secured
        self._proxies = proxies
        self._active = active
        self._url = ""
        self._redirect = False
        self._plain_tokens = False

    def configure(self, url: str, *, redirect: bool, plain_tokens: bool) -> None:
        """As the configuration says; `url` is where people are sent."""
        self._url, self._redirect, self._plain_tokens = url, redirect, plain_tokens

    def exposed(self, transport: asyncio.BaseTransport | None) -> bool:
        """Whether this is plain HTTP over a network that is not ours, while HTTPS would do."""
        if transport is None or secure(transport) or not self._active():
            return False
        peer = transport.get_extra_info("peername")
        if not isinstance(peer, tuple) or not peer:
            return False  # a unix socket: a proxy of the operator
        host = str(peer[0])
        return not self._proxies.trusts(host) and not _loopback(host)

    def answer(self, request: web.BaseRequest, site: Site) -> web.StreamResponse | None:
        """What an exposed request gets instead of an answer; None: it is answered. Raises Refused for a token."""
        if "Authorization" in request.headers and not self._plain_tokens:
            raise Refused(
                403,
                f"This token came over plain HTTP, where others on the way can read it: send it to {self._url} instead "
                "(or set plain_tokens = true in [tls]).",
                {"Connection": "close"},
            )
        if not self._redirect or request.method not in {"GET", "HEAD"}:
            return None
        path, _, query = request.raw_path.partition("?")
        if not path.startswith("/"):
            path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
        inner = site.table.inner(path)
        if not self._for_people(request, site, path, inner):
            return None
        where = self._url.rstrip("/") + inner + (f"?{query}" if query else "")
        return web.Response(status=301, headers={"Location": where, "Cache-Control": REDIRECT_CACHE})

    @staticmethod
    def _for_people(request: web.BaseRequest, site: Site, path: str, inner: str) -> bool:
        target = site.table.find(path)
        if target is not None:
            return not target.route.open
        return inner.startswith(FOR_PEOPLE) and wants_html(request.headers.get("Accept", ""))


def secure(transport: asyncio.BaseTransport | None) -> bool:
    """Whether a connection is encrypted as far as us."""
    return transport is not None and transport.get_extra_info("sslcontext") is not None


def _loopback(host: str) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
