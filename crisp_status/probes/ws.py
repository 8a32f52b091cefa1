"""`ws://host/path` and `wss://…` are healthy when the server opens a WebSocket and answers a ping in it (RFC 6455).

With `send` a text goes out in place of the ping, and with `healthy_match` an answer must fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field, SecretStr, field_validator
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from crisp_status.config.hostname import ascii_host
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import Connection, open_connection
from crisp_status.net.target import TargetAddress, apart
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._address import known_address
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions, web_way
from crisp_status.probes._fields import check_fields
from crisp_status.probes._match import Expression, found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCHEMES = ("ws", "wss")

RECEIVED_MAX: Final = 1_048_576
"""Bytes that are taken from the server in all, the handshake included."""

OWN: Final = {"host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version"}
"""Header fields that open a WebSocket: they are ours to write."""


class Options(TlsOptions):
    """The table `[services.nodes.ws]`."""

    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Header fields to send with the handshake."""
    subprotocols: tuple[str, ...] = ()
    """Offered to the server, which must choose one of them."""
    send: SecretStr | None = None
    """A text to send when it is open; default: a ping."""
    healthy_match: Expression = ""
    """Regular expression that one of the server's messages must match."""

    @field_validator("headers")
    @classmethod
    def _fields(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_fields(headers, OWN)
        return headers


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    ascii_host(apart(target, 80).host)


async def probe(target: str, options: Options) -> Reading:
    """Connect, open the WebSocket, ping or send, wait for the answer, close."""
    secure = target.partition("://")[0] == "wss"
    address = known_address(target, 443 if secure else 80)
    verify = options.verify_tls if secure else None
    way = web_way(options, secure, address.host, address.port)
    connection = await open_connection(address.host, address.port, verify=verify, way=way, alpn="http/1.1")
    try:
        socket = WSConnection(ConnectionType.CLIENT)
        await connection.send(socket.send(_request(address, secure, options)))
        await _talk(connection, socket, options)
    finally:
        connection.close()
    return reading(connection, options)


def _request(address: TargetAddress, secure: bool, options: Options) -> Request:
    name = options.server_name or ascii_host(address.host)
    host = f"[{name.partition('%')[0]}]" if ":" in name else name
    usual = address.port == (443 if secure else 80)
    given = [(name.encode(), value.get_secret_value().encode()) for name, value in options.headers.items()]
    if b"user-agent" not in {name.lower() for name, _ in given}:
        given.append((b"User-Agent", tools().user_agent.encode()))
    return Request(
        host=host if usual else f"{host}:{address.port}",
        target=address.path or "/",
        subprotocols=list(options.subprotocols),
        extra_headers=given,
    )


async def _talk(connection: Connection, socket: WSConnection, options: Options) -> None:
    """Until the server has answered as it should. Raises `ProbeError` when it does not."""
    peer = connection.peer
    expect("no WebSocket opened by {peer}", peer=peer)
    async for event in _events(connection, socket):
        if isinstance(event, RejectConnection):
            code = str(event.status_code)
            raise ProbeError(ReasonCode.STATUS, f"{peer} answered {code} and opened no WebSocket", code)
        if isinstance(event, AcceptConnection):
            if options.subprotocols and event.subprotocol is None:
                raise ProbeError(
                    ReasonCode.BANNER, f"{peer} chose none of the subprotocols {', '.join(options.subprotocols)}"
                )
            note("{peer} opened a WebSocket", peer=peer)
            if options.send is not None:
                await connection.send(socket.send(TextMessage(data=options.send.get_secret_value())))
            else:
                await connection.send(socket.send(Ping(payload=b"crisp-status")))
            expect("no message from {peer} that fits" if options.healthy_match else "no answer from {peer}", peer=peer)
        elif isinstance(event, CloseConnection):
            raise ProbeError(
                ReasonCode.NO_ANSWER, f"{peer} closed the WebSocket with code {event.code}", str(event.code)
            )
        elif await _answers(event, options):
            await connection.send(socket.send(CloseConnection(code=1000)))
            return
        elif isinstance(event, Ping):
            await connection.send(socket.send(event.response()))


async def _answers(event: Event, options: Options) -> bool:
    """Whether that is what was waited for: a message that fits, any message to what was sent, or a pong."""
    message = event.data if isinstance(event, TextMessage | BytesMessage) else None
    if options.healthy_match:
        if message is None:
            return False
        text = message if isinstance(message, str) else bytes(message).decode("utf-8", "replace")
        return await found(options.healthy_match, text)
    return message is not None if options.send is not None else isinstance(event, Pong)


async def _events(connection: Connection, socket: WSConnection) -> AsyncIterator[Event]:
    """What the server says. Raises `ProbeError` at its end, and when it breaks the protocol."""
    received = 0
    while True:
        try:
            for event in socket.events():
                yield event
            data = await connection.receive()
            received += len(data)
            if not data:
                if received:
                    socket.receive_data(None)  # it knows whether that was a WebSocket so far
                raise ProbeError(ReasonCode.NO_ANSWER, f"{connection.peer} closed the connection without an answer")
            if received > RECEIVED_MAX:
                raise ProbeError(
                    ReasonCode.ERROR, f"{connection.peer} sent more than {RECEIVED_MAX // 1024} kB without an answer"
                )
            socket.receive_data(data)
        except ProtocolError as error:
            raise ProbeError(ReasonCode.BANNER, f"{connection.peer} does not speak WebSocket: {error}") from None
