"""Through a proxy to a target: HTTP (CONNECT, RFC 9110) and SOCKS5 (RFC 1928, 1929). The proxy resolves the name.

What the proxy itself does wrong says nothing about the target: the look is unknown. What it reports of the target is the
target's.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import struct
from base64 import b64encode
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import msgspec

from crisp_status.config.hostname import ascii_host
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.errors import ProbeError, Unknowable

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD_MAX: Final = 8192
"""Bytes of the answer to CONNECT."""

REFUSED: Final = {
    3: (ReasonCode.UNREACHABLE, "its network is unreachable"),
    4: (ReasonCode.UNREACHABLE, "it is unreachable"),
    5: (ReasonCode.REFUSED, "it refused the connection"),
    6: (ReasonCode.UNREACHABLE, "it is too far away"),
}
"""Replies of SOCKS5 that are about the target, and what they say."""

UNREACHED: Final = {500, 502, 503, 504}
"""Statuses with which a proxy says that it did not get through."""


class Proxy(msgspec.Struct, frozen=True):
    """A proxy, taken apart."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def authorization(self) -> str:
        """The header for HTTP; "" without a user."""
        if not self.user and not self.password:
            return ""
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Proxy:
    """A proxy as people write it. Raises ValueError with a sentence."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not the address of a proxy: {error}") from None
    scheme = {"socks5h": "socks5"}.get(parts.scheme, parts.scheme)
    if scheme not in {"http", "socks5"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError('is not the address of a proxy: expected "http://host:port" or "socks5://host:port"')
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if max(len(user.encode()), len(password.encode())) > 255:
        raise ValueError("has a user or password of more than 255 bytes")
    return Proxy(scheme, parts.hostname, port or (1080 if scheme == "socks5" else 3128), user, password)


def from_environment(secure: bool, host: str, port: int, environ: Mapping[str, str] = os.environ) -> str:
    """The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names for a web address; "" for none, as NO_PROXY says.

    This machine is never reached through one. HTTP_PROXY in capitals is read all the same: this is no CGI program.
    """
    for name in ("HTTPS_PROXY", "ALL_PROXY") if secure else ("HTTP_PROXY", "ALL_PROXY"):
        found = environ.get(name.lower()) or environ.get(name)
        if found:
            return "" if _direct(host, port, environ.get("no_proxy") or environ.get("NO_PROXY") or "") else found
    return ""


@functools.lru_cache(maxsize=65_536)
def _direct(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY, or common sense, leaves that host out."""
    name = host.rstrip(".").lower()
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        address = None
    if name == "localhost" or name.endswith(".localhost") or (address is not None and address.is_loopback):
        return True
    for entry in no_proxy.lower().split(","):
        wanted = entry.strip()
        if wanted == "*" or (wanted and wanted in {name, f"{name}:{port}", f"[{name}]:{port}"}):
            return True
        if address is not None:
            try:
                if address in ip_network(wanted, strict=False):
                    return True
            except ValueError:
                pass
        elif wanted and name.endswith(f".{wanted.removeprefix('*').lstrip('.')}"):
            return True
    return False


async def through(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy on the other side of the socket for a connection to that target."""
    try:
        if proxy.scheme == "socks5":
            await _socks5(sock, proxy, ascii_host(host), port)
        else:
            await _connect(sock, proxy, ascii_host(host), port)
    except (OSError, EOFError) as error:
        why = (isinstance(error, OSError) and error.strerror) or "it closed the connection"
        raise Unknowable(f"the proxy {proxy} broke off: {why}", "network") from None
    except ValueError as error:
        raise ProbeError(ReasonCode.NAME, str(error)) from None


async def _connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
    await asyncio.get_running_loop().sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows is the target's
        head += await _exactly(sock, 1)
        if len(head) > HEAD_MAX:
            raise Unknowable(f"the proxy {proxy} does not answer as a proxy", "network")
    words = bytes(head).split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise Unknowable(f"the proxy {proxy} does not answer as a proxy", "network")
    status = int(words[1])
    if 200 <= status < 300:
        return
    said = f"{status} {words[2].strip()[:60]}" if len(words) > 2 else str(status)
    if status in UNREACHED:
        raise ProbeError(
            ReasonCode.UNREACHABLE, f"{where} was not reached by the proxy {proxy}: it says {said}", str(status)
        )
    raise _refuses(proxy, f"says {said} to a connection to {where}")


async def _socks5(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    signed = bool(proxy.user or proxy.password)
    await loop.sock_sendall(sock, b"\x05\x02\x00\x02" if signed else b"\x05\x01\x00")
    version, method = await _exactly(sock, 2)
    if version != 5:
        raise Unknowable(f"the proxy {proxy} does not answer as a proxy", "network")
    if method == 2 and signed:
        user, password = proxy.user.encode(), proxy.password.encode()
        await loop.sock_sendall(sock, bytes([1, len(user), *user, len(password), *password]))
        if (await _exactly(sock, 2))[1]:
            raise _refuses(proxy, "refuses the user or password")
    elif method:
        raise _refuses(proxy, "wants a user and a password")
    await loop.sock_sendall(sock, b"\x05\x01\x00" + _address(host) + struct.pack("!H", port))
    _, reply, _, kind = await _exactly(sock, 4)
    if reply in REFUSED or reply == 1:
        code, text = REFUSED.get(reply, (ReasonCode.UNREACHABLE, "it was not reached"))
        raise ProbeError(code, f"{text}, says the proxy {proxy} of {host}:{port}")
    if reply:
        raise _refuses(proxy, f"refuses a connection to {host}:{port} (reply {reply})")
    length = {1: 4, 4: 16}.get(kind) or (await _exactly(sock, 1))[0]
    await _exactly(sock, length + 2)


def _address(host: str) -> bytes:
    for family, kind in ((socket.AF_INET, 1), (socket.AF_INET6, 4)):
        try:
            return bytes([kind]) + socket.inet_pton(family, host.partition("%")[0])
        except OSError:
            continue
    name = host.encode()
    return bytes([3, len(name)]) + name


async def _exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    found = b""
    while len(found) < count:
        more = await loop.sock_recv(sock, count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _refuses(proxy: Proxy, what: str) -> Unknowable:
    return Unknowable(f"the proxy {proxy} {what}", "permission")
