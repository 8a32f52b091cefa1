"""Who may see a page that is not for everybody: by password, by network, or by a key in the address.

The key opens what other programs fetch (feeds, calendar, badges, the warning for other sites) and nothing else. It is
made from the password, so that a new password makes a new key.
"""

from __future__ import annotations

import base64
import hmac
from ipaddress import ip_address, ip_network
from math import ceil
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from crisp_status.http.error_responses import Refused
from crisp_status.net.authorization import credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from crisp_status.formats.routes import DocumentRoute
    from crisp_status.http.authentication import Failures, Proxies

KEY_LENGTH: Final = 32
"""Characters: 192 bits."""

_ASK: Final = {"WWW-Authenticate": 'Basic realm="Status page", charset="UTF-8"', "Cache-Control": "no-store"}


def read_key(secret: bytes, password: str) -> str:
    """What stands behind `?key=`; `secret` signs links in messages."""
    digest = hmac.digest(secret, f"crisp-status page key 1\n{password}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode()[:KEY_LENGTH]


def without_key(query: str) -> str:
    """A query string without the key, so that it names the same document."""
    return "&".join(part for part in query.split("&") if not part.startswith("key="))


class PrivatePage:
    """Decides about each request for a document of the page."""

    def __init__(
        self, password: str, token: str, networks: Sequence[str], key: str, proxies: Proxies, failures: Failures
    ) -> None:
        """`password`: "" where there is none to ask for; `token`: that of managers, which opens the page too."""
        self._asks = bool(password)
        self._passwords = [word.encode() for word in (password, token) if word]
        self._networks = [ip_network(network, strict=False) for network in networks]
        self._key = key.encode()
        self._proxies = proxies
        self._failures = failures

    def check(self, request: web.BaseRequest, route: DocumentRoute) -> None:
        """Raise Refused 401 where there is a password to ask for, else 403; 429 after too many wrong passwords."""
        client = self._proxies.client(request)
        if route.access == "free" or self._near(client) or (route.access == "keyed" and self._keyed(request)):
            return
        given = credentials(request.headers.get("Authorization"))
        if given is not None:
            # All are compared, so that the time says nothing of which was nearly right.
            if sum(hmac.compare_digest(given, word) for word in self._passwords):
                return
            wait = self._failures.count(client)
            if wait > 0:
                raise Refused(429, "Too many wrong passwords came from your address.", {"Retry-After": str(ceil(wait))})
        page = not route.open
        if self._asks:
            raise Refused(401, "This page has a password.", dict(_ASK), everyday=True, page=page)
        raise Refused(
            403, "This page is only for certain networks.", {"Cache-Control": "no-store"}, everyday=True, page=page
        )

    def _near(self, client: str) -> bool:
        try:
            address = ip_address(client.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    def _keyed(self, request: web.BaseRequest) -> bool:
        given = [value for name, value in parse_qsl(request.rel_url.raw_query_string) if name == "key"]
        return any(hmac.compare_digest(value.encode(), self._key) for value in given)
