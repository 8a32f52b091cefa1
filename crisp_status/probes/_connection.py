"""What the operator may decide about a connection: keys of every probe that makes one."""

from __future__ import annotations

import functools
import socket
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from crisp_status.config.addresses import HOST
from crisp_status.config.hostname import ascii_host
from crisp_status.config.strict import Strict
from crisp_status.net.way import USUAL, Way

FAMILIES: Final = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


class ConnectionOptions(Strict):
    """Keys of every probe that connects."""

    ip_family: Literal["any", "ipv4", "ipv6"] = "any"
    """Use only addresses of this family: "ipv4" or "ipv6"."""

    @functools.cached_property
    def way(self) -> Way:
        """The same for a connection."""
        found = Way(family=FAMILIES[self.ip_family])
        return USUAL if found == USUAL else found


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

    @functools.cached_property
    def way(self) -> Way:
        """The same for a connection."""
        found = Way(FAMILIES[self.ip_family], self.server_name, self.ca_file, self.client_cert, self.client_key)
        return USUAL if found == USUAL else found
