"""How a connection is made where the operator wants it otherwise: which addresses, whom to trust, who we are."""

from __future__ import annotations

import ssl
from pathlib import Path
from socket import AddressFamily
from typing import Final

import msgspec

from crisp_status.config.client_files import files_fault
from crisp_status.net.errors import Unknowable
from crisp_status.net.proxy import Proxy


class Way(msgspec.Struct, frozen=True):
    """What all connections of one look have in common. Files are absolute paths; "" is what is usual."""

    family: int = AddressFamily.AF_UNSPEC
    """Only addresses of this family."""
    server_name: str = ""
    """What the server is called in TLS, whatever the address says."""
    ca_file: str = ""
    """Authorities to trust in place of the system's."""
    client_cert: str = ""
    client_key: str = ""
    """With which we show who we are; the key may stand in the file of the certificate."""

    proxy: Proxy | None = None
    """Which makes the connection for us."""
    forward: bool = False
    """The proxy gets the whole request and makes a connection of its own, as for plain HTTP."""

    @property
    def family_word(self) -> str:
        """For a sentence."""
        return "IPv4" if self.family == AddressFamily.AF_INET else "IPv6"

    def elsewhere(self) -> Way:
        """The way to another site: who we are, and what this one is called, is none of its business."""
        return msgspec.structs.replace(self, server_name="", client_cert="", client_key="")


USUAL: Final = Way()


def stamps(way: Way) -> tuple[int, ...]:
    """What tells that one of its files was written anew."""
    found = []
    for name in filter(None, (way.ca_file, way.client_cert, way.client_key)):
        try:
            seen = Path(name).stat()
        except OSError as error:
            raise Unknowable(f"{name} cannot be read: {error.strerror}", "missing") from None
        found += [seen.st_mtime_ns, seen.st_ino]
    return tuple(found)


def equip(context: ssl.SSLContext, way: Way) -> None:
    """Load what is in the files. Raises `Unknowable` with the one that cannot be used."""
    if fault := files_fault(context, way.ca_file, way.client_cert, way.client_key):
        raise Unknowable(fault[1], "missing")
