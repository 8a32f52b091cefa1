"""`tcp://host:port` is healthy when any of the host's addresses accepts a connection."""

from __future__ import annotations

from crisp_status.config.strict import Strict
from crisp_status.net.connect import connect
from crisp_status.net.target import known, plain
from crisp_status.probes import Reading

SCHEMES = ("tcp",)

CONNECTED = Reading()
"""All that there is to say, made once."""


class Options(Strict):
    """A TCP look has no options."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    plain(target)


async def probe(target: str, options: Options) -> Reading:
    """Connect and close."""
    address = known(target)
    sock, _ = await connect(address.host, address.port)
    sock.close()
    return CONNECTED
