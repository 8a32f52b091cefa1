"""`postgres://host[:port]/[database]` is healthy when the server takes connections, as `pg_isready` asks it.

Nobody signs in: a server that asks for a password, or refuses the user, is up. One that is starting, stopping, recovering or
full is not.
"""

from __future__ import annotations

import struct
from typing import Final

from crisp_status.net.stream import open_connection
from crisp_status.net.target import TargetAddress, apart
from crisp_status.probes import ProbeError, Reading, note
from crisp_status.probes._address import known_address
from crisp_status.probes._connection import ConnectionOptions
from crisp_status.probes._frames import Frames

SCHEMES = ("postgres", "postgresql")

PORT: Final = 5432
VERSION: Final = 196_608
"""Of the protocol: 3.0."""

USER: Final = "crisp_status"
"""Unless the address names one; it need not exist."""

NOT_READY: Final = {"57P01", "57P02", "57P03", "53300", "53200", "53100", "58000", "XX000"}
"""SQLSTATE of a server that takes nobody: shutting down, starting, too many connections, no memory, disk full, broken."""


class Options(ConnectionOptions):
    """The table `[services.nodes.postgres]`."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    if apart(target, PORT).password:
        raise ValueError("nobody signs in, so no password is needed: leave it out")


async def probe(target: str, options: Options) -> Reading:
    """Connect, say who we are, and take the first answer for what it says about the server."""
    address = known_address(target, PORT)
    connection = await open_connection(address.host, address.port, verify=None, way=options.way)
    try:
        await connection.send(_startup(address))
        frames = Frames(connection, "PostgreSQL")
        kind, length = struct.unpack("!ci", await frames.take(5))
        if kind not in {b"R", b"E", b"v", b"N"} or length < 4:
            raise frames.foreign()
        body = await frames.take(length - 4)
    finally:
        connection.close()
    if kind == b"E":
        _judge(body, str(connection.peer))
    else:
        note("{peer} is PostgreSQL and takes connections", peer=connection.peer)
    return Reading()


def _startup(address: TargetAddress) -> bytes:
    database = address.path.partition("?")[0].strip("/") or "postgres"
    given = {"user": address.user or USER, "database": database, "application_name": "crisp-status"}
    body = b"".join(f"{key}\0{value}\0".encode() for key, value in given.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, VERSION) + body


def _judge(body: bytes, peer: str) -> None:
    """Raises `ProbeError` when the error says that the server takes nobody."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    code, text = fields.get(b"C", ""), fields.get(b"M", "")
    if code in NOT_READY or not code:
        raise ProbeError("error", f"{peer} takes no connections: {text or 'no reason given'}", code)
    note("{peer} is PostgreSQL; it refused us ({code} {words}), so it is up", peer=peer, code=code, words=text[:200])
