"""`redis://host[:port]` and `rediss://…` (TLS) are healthy when the server answers PONG to a PING.

Also Valkey, KeyDB and whatever else speaks RESP. A server that wants a password is up; with one in the address,
`redis://:password@host`, it must be the right one.
"""

from __future__ import annotations

from typing import Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import open_connection
from crisp_status.net.target import apart
from crisp_status.probes import ProbeError, Reading, note
from crisp_status.probes._address import known_address
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._lines import Lines, quoted

SCHEMES = ("redis", "rediss")

PORT: Final = 6379

UP: Final = ("-NOAUTH", "-NOPERM", "-DENIED")
"""Errors of a server that is up and does not know us."""


class Options(TlsOptions):
    """The table `[services.nodes.redis]`; all but `ip_family` are for rediss://."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    address = apart(target, PORT)
    if any(character in address.user + address.password for character in "\r\n\0"):
        raise ValueError("a user or password with line breaks cannot be sent")


async def probe(target: str, options: Options) -> Reading:
    """Connect, sign in if there is a password, ping."""
    address = known_address(target, PORT)
    verify = options.verify_tls if target.startswith("rediss:") else None
    connection = await open_connection(address.host, address.port, verify=verify, way=options.way)
    lines, peer = Lines(connection, "Redis"), connection.peer
    try:
        if address.password:
            await connection.send(_command("AUTH", *filter(None, (address.user, address.password))))
            answer = await lines.line("an answer to AUTH")
            if not answer.startswith("+OK"):
                raise ProbeError(ReasonCode.ERROR, f"{peer} refuses the password: {quoted(answer)}")
        await connection.send(_command("PING"))
        answer = await lines.line("an answer to PING")
        if answer.startswith("+PONG"):
            await connection.send(_command("QUIT"))
            return reading(connection, options)
    finally:
        connection.close()
    if answer.startswith(UP):
        note("{peer} is a Redis; it wants a password, so it is up", peer=peer)
        return reading(connection, options)
    if not answer.startswith("-"):
        raise ProbeError(ReasonCode.BANNER, f"{peer} does not answer as Redis: {quoted(answer)}")
    raise ProbeError(
        ReasonCode.ERROR, f"{peer} answers PING with {quoted(answer[1:])}", answer[1:].partition(" ")[0][:40]
    )


def _command(*words: str) -> bytes:
    """An array of bulk strings (RESP)."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
