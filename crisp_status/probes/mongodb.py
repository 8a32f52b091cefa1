"""`mongodb://host[:port]` is healthy when the server answers `hello` as one that can be asked: primary, secondary or router.

Nobody signs in: `hello` needs no user. A member that is starting, recovering or removed from its set is dead.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import open_connection
from crisp_status.net.target import apart
from crisp_status.probes import ProbeError, Reading, note
from crisp_status.probes._address import known_address
from crisp_status.probes._bson import decoded, encoded
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._frames import Frames

SCHEMES = ("mongodb",)

PORT: Final = 27017
OP_MSG: Final = 2013

ROLES: Final = (
    ("isWritablePrimary", "a primary"),
    ("ismaster", "a primary"),
    ("secondary", "a secondary"),
    ("arbiterOnly", "an arbiter"),
)
"""What a member can be that is well; `ismaster` is what others than MongoDB may still say."""


class Options(TlsOptions):
    """The table `[services.nodes.mongodb]`."""

    tls: bool = False
    """Speak TLS."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    address = apart(target, PORT)
    if address.user or address.password:
        raise ValueError("nobody signs in, so no user and password are needed: leave them out")
    if "," in address.host:
        raise ValueError("each member of a set is a replica of its own")


async def probe(target: str, options: Options) -> Reading:
    """Connect, say hello, and take the answer for what it says about the server."""
    address = known_address(target, PORT)
    verify = options.verify_tls if options.tls else None
    connection = await open_connection(address.host, address.port, verify=verify, way=options.way)
    frames, peer = Frames(connection, "MongoDB"), str(connection.peer)
    try:
        document = encoded({"hello": 1, "$db": "admin"})
        await connection.send(struct.pack("<iiiiiB", 21 + len(document), 1, 0, OP_MSG, 0, 0) + document)
        length, _, answered, operation = struct.unpack("<iiii", await frames.take(16))
        if operation != OP_MSG or answered != 1 or length < 26:
            raise frames.foreign()
        body = await frames.take(length - 16)
    finally:
        connection.close()
    try:
        said = decoded(body[5:])
    except ValueError:
        raise frames.foreign() from None
    _judge(said, peer)
    return reading(connection, options)


def _judge(said: dict[str, Any], peer: str) -> None:
    """Raises `ProbeError` unless it can be asked."""
    if said.get("ok") != 1:
        text = str(said.get("errmsg", "no reason given"))[:200]
        raise ProbeError(ReasonCode.ERROR, f"{peer} refuses: {text}", str(said.get("codeName", "")))
    role = next((word for key, word in ROLES if said.get(key) is True), "")
    if not role:
        named = f" of the set {said['setName']}" if said.get("setName") else ""
        raise ProbeError(
            ReasonCode.ERROR, f"{peer} is neither primary nor secondary{named}: it starts, recovers, or was removed"
        )
    note("{peer} is {role}", peer=peer, role=role)
