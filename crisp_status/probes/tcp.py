"""`tcp://host:port` is healthy when any of the host's addresses accepts a connection, and answers as it should if asked."""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.connect import connect
from crisp_status.net.stream import open_connection
from crisp_status.net.target import TargetAddress, known, plain
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._connection import ConnectionOptions
from crisp_status.probes._match import Expression, found

SCHEMES = ("tcp",)

CONNECTED = Reading()
"""All that there is to say, made once."""

ANSWER_MAX: Final = 65_536
"""Bytes in which the answer must be found."""


class Options(ConnectionOptions):
    """The table `[services.nodes.tcp]`."""

    send: SecretStr | None = None
    """A text to send when it is connected, as in "PING\\r\\n"."""
    expect: Expression = ""
    """Regular expression that must be found in what the server says, within its first 64 kB."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    plain(target)


async def probe(target: str, options: Options) -> Reading:
    """Connect; if wanted, send and read until the answer fits; close."""
    address = known(target)
    if options.send is None and not options.expect:
        sock, _ = await connect(address.host, address.port, options.way)
        sock.close()
    else:
        await _talk(address, options)
    return CONNECTED


async def _talk(address: TargetAddress, options: Options) -> None:
    connection = await open_connection(address.host, address.port, verify=None, way=options.way)
    peer, heard = connection.peer, b""
    try:
        if options.send is not None:
            await connection.send(options.send.get_secret_value().encode())
            note("sent {bytes} bytes", bytes=len(options.send.get_secret_value()))
        if not options.expect:
            return
        expect(f"no answer that matches {options.expect} from {{peer}}", code=ReasonCode.MATCH, peer=peer)
        while more := await connection.receive():
            heard += more
            if await found(options.expect, heard.decode("utf-8", "replace")):
                return
            if len(heard) > ANSWER_MAX:
                break
    finally:
        connection.close()
    said = repr(heard[:80].decode("utf-8", "replace")) if heard else "nothing"
    raise ProbeError(ReasonCode.MATCH, f"{peer} said {said}, which does not match {options.expect}")
