"""Keep requests to addresses that strangers gave us away from private networks.

A push subscription or a subscriber's web hook names a server of its owner's choice. Without this guard it could name a
service on our loopback or network. The address is checked where the socket is made, after the name was resolved, for
every connection: a name that is public today may be private at the next sending.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix by which IPv6 hosts reach IPv4 ones (RFC 6052): the last 32 bits are the address."""

NEVER_PUBLIC: Final = (IPv6Network("::/96"), IPv6Network("64:ff9b:1::/48"))
"""IPv4-compatible addresses (RFC 4291 section 2.5.5.1), and NAT64 inside one network (RFC 8215)."""

Reachable = Callable[[str], bool]
"""Whether a connection to this IP address may be made."""


class NotPublicError(OSError):
    """The address that a name has now lies in a private network, so no connection was made."""

    def __init__(self, ip: str) -> None:
        super().__init__(errno.EACCES, f"{ip} is not a public address")


def is_public(ip: str) -> bool:
    """Whether this IP address is reachable over the internet; False for what is no IP address.

    Forms that carry an IPv4 address (mapped, 6to4, Teredo, NAT64) are as public as that one.
    """
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if any(address in network for network in NEVER_PUBLIC) or address.is_multicast or address.is_site_local:
        return False
    carried = _carried(address)
    return all(v4.is_global and not v4.is_multicast for v4 in carried) if carried else address.is_global


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses inside an IPv6 one."""
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def refuse_private_literal(url: str, reachable: Reachable = is_public) -> None:
    """Raise `ValueError` with a sentence when a URL names the loopback or a private address without any look-up."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        ip = str(ip_address(host.partition("%")[0]))
    except ValueError:
        # Other spellings of an IPv4 address, 127.1 or 0x7f000001, are what the system takes them for.
        try:
            ip = socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            ip = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else ""
    if ip and not reachable(ip):
        raise ValueError(f"{host} is not a public address")


class PublicResolver(AbstractResolver):
    """Resolves a name once for each connection, and refuses it unless every address that it has is `reachable`."""

    def __init__(self, reachable: Reachable, resolver: AbstractResolver) -> None:
        """`resolver` asks."""
        self._reachable = reachable
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, all of them. Raises `NotPublicError`."""
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            if not self._reachable(one["host"]):
                raise NotPublicError(one["host"])
        return found

    async def close(self) -> None:
        """Nothing is kept."""
        await self._resolver.close()


def connector(reachable: Reachable = is_public, resolver: AbstractResolver | None = None) -> aiohttp.TCPConnector:
    """A connector for addresses of strangers: it makes no socket for an address that is not `reachable`.

    A name is resolved once, and the socket goes to what was found then, so that it cannot be another address by the time
    of the connection. Requests must also follow no redirect and use no proxy, which the session decides.
    """

    def guarded(info: Any) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        if not reachable(str(sockaddr[0])):
            raise NotPublicError(str(sockaddr[0]))
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        resolver=PublicResolver(reachable, resolver or ThreadedResolver()),
        use_dns_cache=False,
        force_close=True,
        limit=0,
        socket_factory=guarded,
    )
