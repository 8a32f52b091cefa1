"""`tls://host:port` is healthy when the server agrees on TLS with a certificate that is good: whatever it speaks then."""

from __future__ import annotations

from crisp_status.net.stream import open_connection
from crisp_status.net.target import known, plain
from crisp_status.probes import Reading
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions

SCHEMES = ("tls",)


class Options(TlsOptions):
    """The table `[services.nodes.tls]`."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    plain(target)


async def probe(target: str, options: Options) -> Reading:
    """Connect, shake hands, close."""
    address = known(target)
    connection = await open_connection(address.host, address.port, verify=options.verify_tls, way=options.way)
    connection.close()
    return reading(connection, options)
