"""What the operator may decide about a connection: keys of every probe that makes one."""

from __future__ import annotations

import functools
import os
import socket
from typing import Annotated, Final, Literal

from msgspec.structs import replace
from pydantic import AfterValidator, Field, SecretStr, model_validator

from crisp_status.config.addresses import HOST
from crisp_status.config.hostname import ascii_host
from crisp_status.config.strict import Strict
from crisp_status.net.errors import Unknowable
from crisp_status.net.proxy import from_environment, parse
from crisp_status.net.way import USUAL, Way

FAMILIES: Final = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


ENVIRONMENT: Final = any(name.lower() in {"http_proxy", "https_proxy", "all_proxy"} for name in os.environ)
"""Whether it names a proxy, as it does on few machines."""

NO_PROXY: Final = "none"
"""Whatever the environment says."""


def _proxy(text: SecretStr) -> SecretStr:
    if text.get_secret_value() not in {"", NO_PROXY}:
        parse(text.get_secret_value())
    return text


class FamilyOptions(Strict):
    """Keys of every probe that asks a host."""

    ip_family: Literal["any", "ipv4", "ipv6"] = "any"
    """Use only addresses of this family: "ipv4" or "ipv6"."""

    @functools.cached_property
    def way(self) -> Way:
        """The same for a connection."""
        found = self._way()
        return USUAL if found == USUAL else found

    def _way(self) -> Way:
        return Way(family=FAMILIES[self.ip_family])


class ConnectionOptions(FamilyOptions):
    """Keys of every probe that connects."""

    proxy: Annotated[SecretStr, AfterValidator(_proxy)] = SecretStr("")
    """Connect through this proxy: "http://host:3128" or "socks5://user:password@host:1080"; "none": through none, whatever HTTP_PROXY says."""

    def _way(self) -> Way:
        found = self.proxy.get_secret_value()
        return replace(super()._way(), proxy=parse(found) if found not in {"", NO_PROXY} else None)


def _server_name(text: str) -> str:
    name = ascii_host(text)
    if text and not HOST.match(name):
        raise ValueError(f'"{text}" is not a host name')
    return name


class TlsOptions(ConnectionOptions):
    """Keys of every probe that may speak TLS."""

    verify_tls: bool = True
    """Refuse certificates that a browser would refuse."""
    certificate_sick_days: Annotated[float, Field(ge=0, le=3650)] = 0
    """Sick when the certificate ends within so many days; 0: never."""
    server_name: Annotated[str, AfterValidator(_server_name)] = ""
    """What the server is called, where its address is a number: in TLS, and in Host of HTTP."""
    ca_file: str = ""
    """File (PEM) of the authorities to trust in place of the system's."""
    client_cert: str = ""
    """File (PEM) of the certificate with which we show who we are, and perhaps its key."""
    client_key: str = ""
    """File (PEM) of its key, without a passphrase."""

    @model_validator(mode="after")
    def _pair(self) -> TlsOptions:
        if self.client_key and not self.client_cert:
            raise ValueError("client_key needs client_cert")
        if self.ca_file and not self.verify_tls:
            raise ValueError("ca_file has no effect while verify_tls is false")
        return self

    def _way(self) -> Way:
        names = {key: getattr(self, key) for key in ("server_name", "ca_file", "client_cert", "client_key")}
        return replace(super()._way(), **names)


def web_way(options: ConnectionOptions, secure: bool, host: str, port: int) -> Way:
    """The way to a web address: by the proxy of the environment where none is written."""
    way = options.way
    if not ENVIRONMENT or way.proxy is not None or options.proxy.get_secret_value() == NO_PROXY:
        return way
    try:
        found = from_environment(secure, host, port)
        return replace(way, proxy=parse(found)) if found else way
    except ValueError as error:
        raise Unknowable(f"the proxy of the environment {error}", "missing") from None
