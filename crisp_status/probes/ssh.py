"""`ssh://host[:port]` is healthy when the server introduces itself as an SSH server (RFC 4253, section 4.2)."""

from __future__ import annotations

from crisp_status import __version__
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import open_connection
from crisp_status.net.target import known, plain
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._connection import ConnectionOptions

SCHEMES = ("ssh",)

PORT = 22

GREETING_MAX = 8192
"""A server may say other lines before its banner (a legal notice); more than this is not an SSH server."""


class Options(ConnectionOptions):
    """The table `[services.nodes.ssh]`."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    plain(target, PORT)


async def probe(target: str, options: Options) -> Reading:
    """Connect, read the banner, answer with ours so that the server's log names us."""
    address = known(target, PORT)
    connection = await open_connection(address.host, address.port, verify=None, way=options.way)
    peer = connection.peer
    expect("no SSH banner")
    heard = b""
    try:
        while (banner := _banner(heard)) is None:
            more = await connection.receive()
            if not more:
                said = f" after {_shown(heard)}" if heard else ""
                raise ProbeError(ReasonCode.BANNER, f"{peer} closed the connection without an SSH banner{said}")
            heard += more
            if len(heard) > GREETING_MAX:
                raise ProbeError(ReasonCode.BANNER, f"{peer} is not an SSH server: it sent {_shown(heard)}")
        if not banner.startswith((b"SSH-2.0-", b"SSH-1.99-")):
            raise ProbeError(ReasonCode.BANNER, f"{peer} speaks an old or unknown SSH: {_shown(banner)}")
        await connection.send(f"SSH-2.0-crisp_status_{__version__}\r\n".encode())
    finally:
        connection.close()
    note("banner {banner}", banner=_shown(banner))
    return Reading()


def _banner(heard: bytes) -> bytes | None:
    """The first whole line that begins with SSH-; None while it has not come."""
    whole = heard.split(b"\n")[:-1]
    return next((line.strip() for line in whole if line.startswith(b"SSH-")), None)


def _shown(data: bytes) -> str:
    text = data[:80].decode("ascii", "replace").strip()
    return repr("".join(c if c.isprintable() else " " for c in text))
