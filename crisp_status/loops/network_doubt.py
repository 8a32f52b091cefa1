"""Is it our own network that is gone? What the targets themselves say about that, where no witness can."""

from __future__ import annotations

from ipaddress import ip_address
from math import inf
from typing import Final

WINDOW: Final = 60.0
"""Seconds in which failures belong together: the looks of an outage end within their budget of half a minute."""

NETWORKS: Final = 2
"""Different networks that fall silent together before we doubt our own."""


class NetworkDoubt:
    """Silence of several networks, and nothing that answers, looks as if our own network were gone. Monotonic seconds."""

    def __init__(self) -> None:
        self._failed: dict[str, float] = {}
        """When the last look began that a network did not answer, by network."""
        self._answered_at = -inf
        self._believed = False

    def failed(self, ip: str, began: float) -> None:
        """A target at that address was silent in an attempt that began then."""
        if network := network_of(ip):
            self._failed[network] = began

    def answered(self, ip: str, began: float) -> None:
        """A target at that address answered in a look that began then."""
        if network_of(ip):
            self._answered_at = max(self._answered_at, began)
            self._believed = False

    def answered_since(self, at: float) -> bool:
        """Whether a look that began then, or later, found an answer."""
        return self._answered_at >= at

    def believe(self) -> None:
        """Whoever is silent is dead, until something answers again."""
        self._believed = True

    def ours(self, now: float) -> bool:
        """Whether targets of several networks have fallen silent within seconds and none has answered since."""
        since = max(now - WINDOW, self._answered_at)
        self._failed = {network: began for network, began in self._failed.items() if began > now - WINDOW}
        return not self._believed and sum(began >= since for began in self._failed.values()) >= NETWORKS


def network_of(ip: str) -> str:
    """Where an address belongs: its /16 (IPv4) or /32 (IPv6); "" for this host itself, and for what is not an address."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return ""
    if address.is_loopback:
        return ""
    return ".".join(str(address).split(".")[:2]) if address.version == 4 else address.exploded[:9]
