"""Addresses in the configuration: of targets, of web pages, and those to listen on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import SplitResult, urlsplit

from crisp_status.config.hostname import ascii_host

if TYPE_CHECKING:
    from crisp_status.config.strict import Rooms

URL_MAX: Final = 2048
"""What browsers, proxies and servers agree to carry."""

TLS_PORT: Final = 443
"""Nobody expects anything but TLS there."""

PLAIN: Final = re.compile(
    r"([a-z]+)://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?(/[A-Za-z0-9/._~-]*)?"
)
"""What nearly every address looks like: scheme, host, port, path. One match tells what the library takes 20 µs for,
and there are thousands."""

_SPACE: Final = re.compile(r"[\s\x00-\x1f]")
_PASSWORD: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*):[^/?#\s]*@")
_MAILBOX: Final = re.compile(r"[^\s@:/?#]+@[^\s@:/?#]+\.[^\s@:/?#]+")
_MAILTO: Final = re.compile(rf"mailto:{_MAILBOX.pattern}(?:,{_MAILBOX.pattern})*(?:\?[^\s#]*)?", re.IGNORECASE)
_TEL: Final = re.compile(r"tel:\+?[0-9().-]{2,}(?:;[^\s]*)?", re.IGNORECASE)
HOST: Final = re.compile(r"^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$")
"""A name in DNS, or an IPv4 address."""


def masked(text: str) -> str:
    """The text with the password of every URL in it replaced by `***`."""
    return _PASSWORD.sub(r"\g<scheme>:***@", text) if "@" in text else text


def split(url: str) -> SplitResult:
    """The parts of a URL; ValueError with a sentence when it is none. A host is not yet asked for."""
    if _SPACE.search(url):
        raise ValueError("a URL has no spaces or line breaks in it")
    if "://" not in url:
        raise ValueError(f'"{masked(url)}" is not a URL: it needs a scheme in front, as in https://{masked(url)}')
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f'"{masked(url)}" is not a URL: {str(error)[:1].lower()}{str(error)[1:]}') from None
    return parts


def web_url(url: str) -> str:
    """A http or https URL with a host, as it is; ValueError otherwise."""
    if len(url) > URL_MAX:
        raise ValueError(f"a URL has at most {URL_MAX} characters; this one has {len(url)}")
    parts = split(url)
    if parts.scheme.lower() not in {"http", "https"}:
        raise ValueError(f'"{masked(url)}": expected a URL that starts with https:// or http://')
    require_host(parts, url)
    return url


def page_url(url: str) -> str:
    """The address of the page: a web URL to which paths can be added, so without query, fragment and password."""
    parts = split(web_url(url))
    for what, there in (
        ("a query (?…)", parts.query),
        ("a fragment (#…)", parts.fragment),
        ("a password", "@" in parts.netloc),
    ):
        if there:
            raise ValueError(
                f'"{masked(url)}" has {what}; links in messages and feeds start with it, so leave that out'
            )
    return url


def contact_url(url: str) -> str:
    """A http or https URL, `mailto:` with an address or `tel:` with a number, as it is; ValueError otherwise."""
    scheme = url.partition(":")[0].lower()
    if scheme not in {"mailto", "tel"}:
        try:
            return web_url(url)
        except ValueError as error:
            if _MAILBOX.fullmatch(url):
                raise ValueError(f'"{url}" is an address of mail; write mailto:{url}') from None
            if "://" in url:
                raise
            raise ValueError(f"{error}, or mailto:help@acme.example, or tel:+33123456789") from None
    if len(url) > URL_MAX:
        raise ValueError(f"a URL has at most {URL_MAX} characters; this one has {len(url)}")
    if scheme == "mailto" and not _MAILTO.fullmatch(url):
        raise ValueError(f'"{url}": expected an address after mailto:, as in mailto:help@acme.example')
    if scheme == "tel" and not _TEL.fullmatch(url):
        raise ValueError(f'"{url}": expected a number after tel:, as in tel:+33123456789')
    return url


def require_host(parts: SplitResult, url: str) -> None:
    """ValueError unless the URL names a host that can exist."""
    host = parts.hostname or ""
    if not host:
        raise ValueError(f'"{masked(url)}" names no host')
    if ":" in host:
        try:
            ip_address(host.partition("%")[0])
        except ValueError:
            raise ValueError(f'"{masked(url)}": [{host}] is not an IPv6 address') from None
    elif not host.isascii():
        try:
            ascii_host(host)
        except ValueError as error:
            raise ValueError(f'"{masked(url)}": {error}') from None
    elif not HOST.match(host) or ".." in host:
        raise ValueError(f'"{masked(url)}": {host} is not a host name')


@dataclass(frozen=True)
class Listen:
    """One address to listen on."""

    kind: Literal["tcp", "unix", "systemd"]
    host: str = ""
    """Of tcp; "" is every address of this machine."""
    port: int = 0
    """Of tcp; 0: any free one."""
    path: str = ""
    """Of unix."""
    tls: bool = False
    """It speaks TLS."""


def parse_listen(text: str) -> Listen:
    """`127.0.0.1:8080`, `[::1]:8080`, `*:8080`, `unix:/run/x.sock` or `systemd`; ValueError with the forms.

    Port 443 speaks TLS, and so does any other with `tls:` in front.
    """
    if text.startswith("tls:"):
        inner = parse_listen(text.removeprefix("tls:"))
        if inner.kind != "tcp":
            raise ValueError(f'"{text}": TLS is spoken on addresses with a port, as in "tls:0.0.0.0:8443"')
        return replace(inner, tls=True)
    if text == "systemd":
        return Listen("systemd")
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError(f'"{text}": a socket needs its whole path, as in "unix:/run/crisp-status/http.sock"')
        if len(path.encode()) > 107:
            raise ValueError(f'"{text}": the path of a socket has at most 107 bytes (sun_path of unix(7))')
        return Listen("unix", path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'"{text}": expected host:port with a port from 0 to 65535, as in "127.0.0.1:8080"')
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        _require_ip(host, text)
    elif ":" in host:
        raise ValueError(f'"{text}": write an IPv6 address in brackets, as in "[::1]:8080"')
    elif re.fullmatch(r"[0-9.]+", host):
        _require_ip(host, text)
    elif host not in {"", "*"} and not HOST.match(host):
        raise ValueError(f'"{text}": {host} is not a host name')
    return Listen("tcp", "" if host == "*" else host, int(port), tls=int(port) == TLS_PORT)


def _require_ip(host: str, text: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f'"{text}": {host} is not an IP address') from None


def listen_text(text: str) -> str:
    """The text of an address to listen on, when it is one."""
    parse_listen(text)
    return text


def network_text(text: str) -> str:
    """The text of an IP address or network, when it is one."""
    try:
        ip_network(text, strict=False)  # 10.0.0.5/8 means 10.0.0.0/8
    except ValueError:
        raise ValueError(f'"{text}": expected an IP address or a network, as in "127.0.0.1" or "10.0.0.0/8"') from None
    return text


def replica_fault(url: str, rooms: Rooms) -> str:
    """Why a replica cannot be looked at under that address; "" when it can. Each kind knows its own addresses."""
    if len(url) > URL_MAX:
        return f"an address has at most {URL_MAX} characters; this one has {len(url)}"
    try:
        scheme = url.partition("://")[0] if PLAIN.fullmatch(url) else split(url).scheme
        kind = rooms.schemes.get(scheme.lower())
        if kind is None:
            return f'nothing here can look at "{scheme}://"; known schemes: {", ".join(sorted(rooms.schemes))}'
        if rooms.check is None:
            require_host(split(url), url)
            return ""
    except ValueError as error:
        return str(error)
    try:
        rooms.check(kind, url)
    except ValueError as error:
        return f'"{masked(url)}": {error}'
    return ""
