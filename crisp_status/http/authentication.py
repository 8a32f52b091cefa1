"""Check tokens (Basic password or Bearer), slow failed attempts down by address, find the client behind proxies."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import ceil
from typing import Final

from aiohttp import web

from crisp_status import log
from crisp_status.http.error_responses import Refused
from crisp_status.net.authorization import credentials

FREE_FAILURES: Final = 10
"""Wrong tokens that one address may send at once: a person who mistypes, a fleet with yesterday's token."""

FAILURES_PER_SECOND: Final = 0.2
"""After that one in five seconds is answered and logged; the rest get a 429 and no line in the log. Slows guessing down
but never blocks a correct token; brute force is prevented by the length of the token."""

MAX_ADDRESSES: Final = 10_000
"""Addresses whose failures are remembered; when full, those that failed the longest ago are forgotten."""

MAX_HOPS: Final = 20
"""Entries of `X-Forwarded-For` that are read; real chains have three."""


class Failures:
    """A token bucket for each address: who fails too often gets an answer only now and then."""

    def __init__(
        self, monotonic: Callable[[], float], free: int = FREE_FAILURES, per_second: float = FAILURES_PER_SECOND
    ) -> None:
        """`free` at once, then `per_second`. What counts as a failure is the caller's to say."""
        self.counted = 0
        """Failures so far, of all addresses."""
        self._monotonic = monotonic
        self._free, self._rate = float(free), per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def count(self, address: str) -> float:
        """Note one failure. Gives the seconds to wait when there were too many, else 0."""
        self.counted += 1
        now = self._monotonic()
        key = _neighbourhood(address)
        left, at = self._buckets.pop(key, (self._free, now))
        left = min(self._free, left + (now - at) * self._rate)
        if len(self._buckets) >= MAX_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        if left < 1.0:
            self._buckets[key] = (left, now)
            return (1.0 - left) / self._rate
        self._buckets[key] = (left - 1.0, now)
        return 0.0


class Permissions:
    """One token. The right one always opens, however many wrong ones came from the same address."""

    def __init__(self, token: str, realm: str, failures: Failures) -> None:
        """An empty token never opens. `realm` is what a browser shows when it asks."""
        self._token = token.encode()
        self._realm = realm
        self._failures = failures

    def check(self, authorization: str | None, address: str) -> None:
        """Raise Refused 401 without a readable token, 403 with a wrong one (logged), 429 after too many of these."""
        given = credentials(authorization)
        if given is None:
            raise Refused(
                401,
                "Send the token as Basic password (any user name) or as Bearer token.",
                {"WWW-Authenticate": f'Basic realm="{self._realm}", charset="UTF-8"'},
            )
        if self._token and hmac.compare_digest(given, self._token):
            return
        wait = self._failures.count(address)
        if wait > 0:
            raise Refused(429, "Too many wrong tokens came from your address.", {"Retry-After": str(ceil(wait))})
        log.get().warning("wrong token", realm=self._realm, client=address)
        raise Refused(403, "This token is not the right one.")


class Proxies:
    """Which connections come from a proxy of the operator, so that what it says of the client may be believed."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Addresses or networks."""
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(t, strict=False) for t in trusted]
        self._known: dict[str, bool] = {}

    def trusts(self, text: str) -> bool:
        """Whether an address is one of theirs."""
        known = self._known.get(text)
        if known is None:
            address = _address(text)
            known = address is not None and any(address in n for n in self._networks)
            if len(self._known) >= MAX_ADDRESSES:
                self._known.clear()
            self._known[text] = known
        return known

    def vouches(self, request: web.BaseRequest) -> bool:
        """Whether a proxy of the operator made this connection; over a unix socket only they can."""
        peer = request.remote or ""
        return not peer or self.trusts(peer)

    def protected(self, request: web.BaseRequest) -> bool:
        """Whether nobody on the way can read what is said: over HTTPS, here or at a proxy of the operator, or the loopback."""
        if request.transport is not None and request.transport.get_extra_info("sslcontext") is not None:
            return True
        if self.vouches(request) and request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https":
            return True
        client = _address(self.client(request))
        return client is not None and client.is_loopback

    def client(self, request: web.BaseRequest) -> str:
        """The address of the client: that of the connection, or the nearest untrusted one in `X-Forwarded-For`.

        A unix socket has no address; who can open it is a proxy of the operator.
        """
        peer = request.remote or ""
        if peer and not self.trusts(peer):
            return peer
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")[-MAX_HOPS:]
        nearest = peer
        for hop in reversed(hops):
            address = _address(_without_port(hop.strip()))
            if address is None:
                break
            nearest = str(address)
            if not self.trusts(nearest):
                break
        return nearest or "unix"


def _without_port(hop: str) -> str:
    """The address in an entry of `X-Forwarded-For`: gateways write 1.2.3.4:5678, [v6]:5678, [v6], or quotes around it."""
    hop = hop.strip('"')
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, colon, port = hop.rpartition(":")
    return host if colon and ":" not in host and port.isdecimal() else hop


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _neighbourhood(address: str) -> str:
    """One home has a whole /64 of IPv6 addresses; they share one bucket."""
    parsed = _address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed) >> 64 << 64, 64)))
    return address
