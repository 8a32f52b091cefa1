"""`postgres://host[:port]/[database]` is healthy when the server takes connections, as `pg_isready` asks it.

Without a password nobody signs in: a server that asks for one, or refuses the user, is up. One that is starting, stopping,
recovering or full is not. With `user:password@` a query must run, by the driver asyncpg.
"""

from __future__ import annotations

import struct
from typing import Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import open_connection
from crisp_status.net.target import TargetAddress, apart
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._address import known_address
from crisp_status.probes._driver import SignInOptions, need, place
from crisp_status.probes._frames import Frames

SCHEMES = ("postgres", "postgresql")

PORT: Final = 5432
VERSION: Final = 196_608
"""Of the protocol: 3.0."""

USER: Final = "crisp_status"
"""Unless the address names one; it need not exist."""

DRIVER_SECONDS: Final = 3600.0
"""The deadline is that of the attempt."""

NOT_READY: Final = {"57P01", "57P02", "57P03", "53300", "53200", "53100", "58000", "XX000"}
"""SQLSTATE of a server that takes nobody: shutting down, starting, too many connections, no memory, disk full, broken."""


class Options(SignInOptions):
    """The table `[services.nodes.postgres]`."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    if apart(target, PORT).password:
        need("asyncpg", "postgres")


async def probe(target: str, options: Options) -> Reading:
    """Connect, say who we are, and take the first answer for what it says about the server."""
    address = known_address(target, PORT)
    if address.password:
        await _ask(address, options)
        return Reading()
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


async def _ask(address: TargetAddress, options: Options) -> None:
    """Sign in and run the query."""
    import asyncpg

    host, context = await place(address, options)
    peer = f"{address.host}:{address.port}"
    try:
        connection = await asyncpg.connect(
            host=host,
            port=address.port,
            user=address.user or USER,
            password=address.password,
            database=_database(address),
            ssl=context or False,
            timeout=DRIVER_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": "crisp-status"},
        )
        try:
            note("signed in to {peer} as {user}", peer=peer, user=address.user or USER)
            expect(f"no answer to {options.query!r} from {{peer}}", peer=peer)
            await connection.fetchval(options.query)
            await connection.close()
        finally:
            connection.terminate()
    except asyncpg.PostgresConnectionError as error:
        raise ProbeError(ReasonCode.NO_ANSWER, f"{peer} closed the connection: {error}") from None
    except asyncpg.PostgresError as error:
        code = str(getattr(error, "sqlstate", "") or "")
        what = "refuses the user or password" if code.startswith("28") else "answers with an error"
        raise ProbeError(ReasonCode.ERROR, f"{peer} {what}: {error}", code) from None
    except ConnectionError as error:
        if error.errno is not None:
            raise
        raise ProbeError(ReasonCode.TLS, f"{peer} does not offer TLS") from None
    except asyncpg.InternalClientError as error:
        raise ProbeError(ReasonCode.BANNER, f"{peer} does not answer as PostgreSQL: {error}") from None


def _database(address: TargetAddress) -> str:
    return address.path.partition("?")[0].strip("/") or "postgres"


def _startup(address: TargetAddress) -> bytes:
    given = {"user": address.user or USER, "database": _database(address), "application_name": "crisp-status"}
    body = b"".join(f"{key}\0{value}\0".encode() for key, value in given.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, VERSION) + body


def _judge(body: bytes, peer: str) -> None:
    """Raises `ProbeError` when the error says that the server takes nobody."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    code, text = fields.get(b"C", ""), fields.get(b"M", "")
    if code in NOT_READY or not code:
        raise ProbeError(ReasonCode.ERROR, f"{peer} takes no connections: {text or 'no reason given'}", code)
    note("{peer} is PostgreSQL; it refused us ({code} {words}), so it is up", peer=peer, code=code, words=text[:200])
