"""`amqp://host[:port]` and `amqps://…` (TLS) are healthy when the broker answers as AMQP 0-9-1 does, RabbitMQ for one.

Nobody signs in, so a virtual host is not looked at. A broker that speaks another version of AMQP is up, too.
"""

from __future__ import annotations

import struct
from typing import Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import open_connection
from crisp_status.net.target import apart
from crisp_status.probes import ProbeError, Reading, note
from crisp_status.probes._address import known_address
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._frames import Frames

SCHEMES = ("amqp", "amqps")

HELLO: Final = b"AMQP\x00\x00\x09\x01"
START: Final = struct.pack("!HH", 10, 10)
"""Class and method of Connection.Start."""

FRAME_END: Final = b"\xce"


class Options(TlsOptions):
    """The table `[services.nodes.amqp]`; all but `ip_family` are for amqps://."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    if apart(target, 5672).password:
        raise ValueError("nobody signs in, so no password is needed: leave it out")


async def probe(target: str, options: Options) -> Reading:
    """Connect, say which AMQP we speak, and hear how the broker introduces itself."""
    address = known_address(target, 5671 if target.startswith("amqps:") else 5672)
    verify = options.verify_tls if target.startswith("amqps:") else None
    connection = await open_connection(address.host, address.port, verify=verify, way=options.way)
    frames, peer = Frames(connection, "AMQP"), connection.peer
    try:
        await connection.send(HELLO)
        head = await frames.take(8)
        if head[:4] == b"AMQP":
            version = ".".join(map(str, head[5:8]))
            note("{peer} speaks AMQP {version} and not 0.9.1, so it is up", peer=peer, version=version)
            return reading(connection, options)
        kind, channel, length = struct.unpack("!BHI", head[:7])
        if (kind, channel) != (1, 0) or length < 8:
            raise frames.foreign()
        body = head[7:] + await frames.take(length)
        if body[-1:] != FRAME_END or body[:2] != START[:2]:
            raise frames.foreign()
    finally:
        connection.close()
    if body[:4] != START:
        raise ProbeError(ReasonCode.ERROR, f"{peer} refuses the connection")
    note("{peer} is an AMQP broker: {product}", peer=peer, product=_product(body))
    return reading(connection, options)


def _product(body: bytes) -> str:
    """What the broker calls itself in its properties; "" when it does not."""
    found: list[str] = []
    for key in (b"product", b"version"):
        _, mark, rest = body.partition(bytes([len(key)]) + key + b"S")
        if mark:
            length = int.from_bytes(rest[:4], "big")
            found.append(rest[4 : 4 + min(length, 60)].decode("utf-8", "replace"))
    return " ".join(found)
