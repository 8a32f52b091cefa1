"""`mysql://[user@]host[:port]` and `mariadb://…` are healthy when the server takes connections.

It is greeted to the end, with a user that need not exist and no password: MySQL counts a connection that leaves before as an
error, and blocks our host after a hundred of them. A server that refuses the user is up.
"""

from __future__ import annotations

import struct
from typing import Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.errors import explain
from crisp_status.net.stream import open_connection
from crisp_status.net.target import TargetAddress, apart
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._address import known_address
from crisp_status.probes._driver import SignInOptions, need, place
from crisp_status.probes._frames import Frames

SCHEMES = ("mysql", "mariadb")

PORT: Final = 3306

USER: Final = "crisp_status"

PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH = 0x0200, 0x8000, 0x0008_0000

DENIED: Final = {1044, 1045, 1698, 1130}
"""Errors about who signs in."""

NOT_READY: Final = {1040, 1041, 1053, 1129, 1135, 1203, 1226, 3032}
"""Errors of a server that takes nobody, or not us any more: too many connections, no memory, shutting down, our host blocked."""

ROUNDS_MAX: Final = 4
"""Of an exchange about signing in; real ones have two."""


class Options(SignInOptions):
    """The table `[services.nodes.mysql]`."""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    address = apart(target, PORT)
    if address.password:
        need("aiomysql", "mysql")
    if "\0" in address.user:
        raise ValueError("a user has no NUL in it")


async def probe(target: str, options: Options) -> Reading:
    """Connect, hear the greeting, answer it, and take the verdict for what it says about the server."""
    address = known_address(target, PORT)
    if address.password:
        await _ask(address, options)
        return Reading()
    connection = await open_connection(address.host, address.port, verify=None, way=options.way)
    peer = str(connection.peer)
    frames = Frames(connection, "MySQL")
    try:
        number, greeting = await _packet(frames)
        if greeting[:1] == b"\xff":
            _judge(greeting, peer)
            return Reading()
        if greeting[:1] != b"\x0a" or b"\0" not in greeting:
            raise frames.foreign()
        note("{peer} is {version}", peer=peer, version=greeting[1:].partition(b"\0")[0][:60].decode("latin-1"))
        answer = _answer(address.user or USER)
        for _ in range(ROUNDS_MAX):
            await connection.send(len(answer).to_bytes(3, "little") + bytes([(number + 1) % 256]) + answer)
            number, verdict = await _packet(frames)
            if verdict[:1] == b"\xff":
                _judge(verdict, peer)
            if verdict[:1] in {b"\x00", b"\xff"}:
                break
            answer = b""  # another way to sign in is asked for: no password, here neither
    finally:
        connection.close()
    return Reading()


async def _ask(address: TargetAddress, options: Options) -> None:
    """Sign in and run the query."""
    import aiomysql

    host, context = await place(address, options)
    peer, user = f"{address.host}:{address.port}", address.user or USER
    try:
        connection = await aiomysql.connect(
            host=host,
            port=address.port,
            user=user,
            password=address.password,
            db=address.path.partition("?")[0].strip("/") or None,
            ssl=context,
            program_name="crisp-status",
        )
        try:
            note("signed in to {peer} as {user}", peer=peer, user=user)
            expect(f"no answer to {options.query!r} from {{peer}}", peer=peer)
            async with connection.cursor() as cursor:
                await cursor.execute(options.query)
                await cursor.fetchone()
            await connection.ensure_closed()
        finally:
            connection.close()
    except aiomysql.MySQLError as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, OSError):
            raise explain(cause, peer) from None
        code, text = (*error.args, "", "")[:2]
        what = "refuses the user or password" if code in DENIED else "answers with an error"
        raise ProbeError(ReasonCode.ERROR, f"{peer} {what}: {text or code}", str(code)) from None


def _answer(user: str) -> bytes:
    """HandshakeResponse41 without a password."""
    flags = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH
    return struct.pack("<IIB23x", flags, 1 << 24, 33) + user.encode() + b"\0\0" + b"mysql_native_password\0"


async def _packet(frames: Frames) -> tuple[int, bytes]:
    """The number of a packet and what is in it."""
    head = await frames.take(4)
    length = int.from_bytes(head[:3], "little")
    if not length:
        raise frames.foreign()
    return head[3], await frames.take(length)


def _judge(packet: bytes, peer: str) -> None:
    """Raises `ProbeError` when the error says that the server takes nobody."""
    code = int.from_bytes(packet[1:3], "little")
    text = packet[3:].decode("utf-8", "replace")
    text = text[6:] if text.startswith("#") else text
    if code in NOT_READY:
        raise ProbeError(ReasonCode.ERROR, f"{peer} takes no connections: {text}", str(code))
    note("{peer} is a MySQL; it refused us ({code} {words}), so it is up", peer=peer, code=code, words=text[:200])
