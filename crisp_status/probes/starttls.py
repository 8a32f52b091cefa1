"""`smtp+starttls://host`, `imap+starttls://`, `pop3+starttls://` and `postgres+tls://`: TLS that begins in the clear.

Healthy when the server greets as its protocol has it, offers TLS, and agrees on it with a certificate that is good. Nobody
signs in, and no mail is sent.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import Connection, open_connection
from crisp_status.net.target import TargetAddress, known, plain
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._lines import Lines, quoted

SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
"""PostgreSQL, message formats: a request for TLS in place of a start."""


class Options(TlsOptions):
    """The table `[services.nodes.starttls]`."""


async def _smtp(connection: Connection) -> None:
    """RFC 5321 and 3207."""
    lines = Lines(connection, "SMTP")
    await lines.reply("220", "a greeting")
    await connection.send(b"EHLO localhost\r\n")
    offered = await lines.reply("250", "an answer to EHLO")
    if not any(line[4:].strip().upper() == "STARTTLS" for line in offered):
        raise ProbeError(ReasonCode.TLS, f"{connection.peer} offers no STARTTLS")
    await connection.send(b"STARTTLS\r\n")
    await lines.reply("220", "an answer to STARTTLS")


async def _imap(connection: Connection) -> None:
    """RFC 3501."""
    lines = Lines(connection, "IMAP")
    greeting = await lines.line("a greeting")
    if not greeting.startswith(("* OK", "* PREAUTH")):
        raise ProbeError(ReasonCode.BANNER, f"{connection.peer} does not greet as IMAP: {quoted(greeting)}")
    await connection.send(b"a STARTTLS\r\n")
    while not (answer := await lines.line("an answer to STARTTLS")).startswith("a "):
        continue
    if not answer.startswith("a OK"):
        raise ProbeError(ReasonCode.TLS, f"{connection.peer} refuses STARTTLS: {quoted(answer)}")


async def _pop3(connection: Connection) -> None:
    """RFC 1939 and 2595."""
    lines = Lines(connection, "POP3")
    greeting = await lines.line("a greeting")
    if not greeting.startswith("+OK"):
        raise ProbeError(ReasonCode.BANNER, f"{connection.peer} does not greet as POP3: {quoted(greeting)}")
    await connection.send(b"STLS\r\n")
    answer = await lines.line("an answer to STLS")
    if not answer.startswith("+OK"):
        raise ProbeError(ReasonCode.TLS, f"{connection.peer} refuses STLS: {quoted(answer)}")


async def _postgres(connection: Connection) -> None:
    expect("no answer to a request for TLS from {peer}", peer=connection.peer)
    await connection.send(SSL_REQUEST)
    answer = await connection.receive()
    if answer[:1] == b"N":
        raise ProbeError(ReasonCode.TLS, f"{connection.peer} does not offer TLS")
    if answer != b"S":
        raise ProbeError(ReasonCode.BANNER, f"{connection.peer} does not answer as PostgreSQL")
    note("{peer} is ready for TLS", peer=connection.peer)


PROTOCOLS: Final[dict[str, tuple[int, Callable[[Connection], Awaitable[None]], bytes]]] = {
    "smtp+starttls": (587, _smtp, b"QUIT\r\n"),
    "imap+starttls": (143, _imap, b"b LOGOUT\r\n"),
    "pop3+starttls": (110, _pop3, b"QUIT\r\n"),
    "postgres+tls": (5432, _postgres, b""),
}
"""By scheme: the usual port, what is said until TLS can begin, and the word with which one leaves."""

SCHEMES = tuple(PROTOCOLS)


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    _parts(target)


async def probe(target: str, options: Options) -> Reading:
    """Connect, ask for TLS, shake hands, leave."""
    port, upgrade, leave = PROTOCOLS[target.partition("://")[0]]
    address = known(target, port)
    connection = await open_connection(
        address.host, address.port, verify=options.verify_tls, way=options.way, upgrade=upgrade
    )
    try:
        if leave:
            await connection.send(leave)
    finally:
        connection.close()
    return reading(connection, options)


def _parts(target: str) -> TargetAddress:
    return plain(target, PROTOCOLS[target.partition("://")[0]][0])
