"""`grpc://host:port[/service]` and `grpcs://…` (TLS) are healthy when the health service of gRPC says SERVING.

The protocol is grpc.health.v1, which every gRPC library has: one call over HTTP/2, with the name of a service or none for
the whole server.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import Field, SecretStr, field_validator

from crisp_status.config.hostname import ascii_host
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.stream import Connection, open_connection
from crisp_status.net.target import TargetAddress, apart
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, Reading, expect, note
from crisp_status.probes._address import known_address
from crisp_status.probes._certificate import reading
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._fields import check_fields

if TYPE_CHECKING:
    from h2.connection import H2Connection

SCHEMES = ("grpc", "grpcs")

METHOD: Final = "/grpc.health.v1.Health/Check"

SETTINGS: Final = (3, 4)
"""Where the type of a frame stands, and the type."""

RECEIVED_MAX: Final = 262_144
"""Bytes that are taken from the server in all; an answer has a hundred."""

STATUSES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
"""Of HealthCheckResponse."""

CODES: Final = {
    "2": "UNKNOWN",
    "4": "DEADLINE_EXCEEDED",
    "5": "NOT_FOUND",
    "7": "PERMISSION_DENIED",
    "8": "RESOURCE_EXHAUSTED",
    "12": "UNIMPLEMENTED",
    "13": "INTERNAL",
    "14": "UNAVAILABLE",
    "16": "UNAUTHENTICATED",
}
"""Codes of gRPC that servers answer with."""

OWN: Final = {"te", "content-type", "host", "connection", "transfer-encoding", "content-length"}


class Options(TlsOptions):
    """The table `[services.nodes.grpc]`."""

    metadata: dict[str, SecretStr] = Field(default_factory=dict)
    """Sent with the call, as in { authorization = "Bearer ${TOKEN}" }."""

    @field_validator("metadata")
    @classmethod
    def _fields(cls, metadata: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_fields(metadata, OWN)
        return metadata


class _HealthAnswer:
    """What has come of it."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.body = b""
        self.over = False


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    address = apart(target)
    if not address.port:
        raise ValueError(f"a port is needed: {address.scheme}://{address.host}:PORT")
    ascii_host(address.host)


async def probe(target: str, options: Options) -> Reading:
    """Connect, ask, and read until the call is over."""
    from h2.exceptions import ProtocolError

    secure = target.startswith("grpcs:")
    address = known_address(target, 443)
    verify = options.verify_tls if secure else None
    connection = await open_connection(address.host, address.port, verify=verify, way=options.way, alpn="h2")
    try:
        answer = await _call(connection, address, secure, options)
    except ProtocolError as error:
        raise ProbeError(ReasonCode.ERROR, f"{connection.peer} does not answer with gRPC: {error}") from None
    finally:
        connection.close()
    _judge(answer, str(connection.peer))
    return reading(connection, options)


async def _call(connection: Connection, address: TargetAddress, secure: bool, options: Options) -> _HealthAnswer:
    from h2.config import H2Configuration
    from h2.connection import H2Connection

    service = unquote(address.path.strip("/"))
    name = options.server_name or ascii_host(address.host).partition("%")[0]
    host = f"[{name}]" if ":" in name else name
    state = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    state.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "https" if secure else "http"),
        (":path", METHOD),
        (":authority", f"{host}:{address.port}"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", tools().user_agent),
        *((name.lower(), value.get_secret_value()) for name, value in options.metadata.items()),
    ]
    state.send_headers(1, headers)
    state.send_data(1, _framed(service.encode()), end_stream=True)
    await connection.send(state.data_to_send())
    expect("no answer to a health check by {peer}", peer=connection.peer)
    answer, received = _HealthAnswer(), 0
    while not answer.over:
        data = await connection.receive()
        # The first frame of a server is SETTINGS (RFC 9113, section 3.4).
        if not received and len(data) > SETTINGS[0] and data[SETTINGS[0]] != SETTINGS[1]:
            raise ProbeError(ReasonCode.ERROR, f"{connection.peer} does not answer with gRPC")
        received += len(data)
        if not data:
            raise ProbeError(ReasonCode.NO_ANSWER, f"{connection.peer} closed the connection without an answer")
        if received > RECEIVED_MAX:
            raise ProbeError(ReasonCode.ERROR, f"{connection.peer} does not answer with gRPC: too many bytes")
        for event in state.receive_data(data):
            _take(event, answer, state, str(connection.peer))
        if rest := state.data_to_send():
            await connection.send(rest)
    return answer


def _take(event: object, answer: _HealthAnswer, state: H2Connection, peer: str) -> None:
    from h2.events import (
        ConnectionTerminated,
        DataReceived,
        ResponseReceived,
        StreamEnded,
        StreamReset,
        TrailersReceived,
    )

    if isinstance(event, ResponseReceived | TrailersReceived):
        for name, value in event.headers or ():
            answer.fields[str(name)] = str(value)
    elif isinstance(event, DataReceived):
        answer.body += event.data
        state.acknowledge_received_data(event.flow_controlled_length or 0, 1)
    elif isinstance(event, StreamEnded):
        answer.over = True
    elif isinstance(event, StreamReset | ConnectionTerminated):
        if isinstance(event, StreamReset) and answer.fields.get("grpc-status"):
            answer.over = True
            return
        raise ProbeError(ReasonCode.ERROR, f"{peer} ended the call: HTTP/2 error {event.error_code!s}")


def _framed(service: bytes) -> bytes:
    """HealthCheckRequest with its one field, and the five bytes before each message of gRPC."""
    length = len(service)
    size = bytes([length]) if length < 0x80 else bytes([length & 0x7F | 0x80, length >> 7])
    message = b"\x0a" + size + service if service else b""
    return struct.pack("!BI", 0, len(message)) + message


def _judge(answer: _HealthAnswer, peer: str) -> None:
    """Raises `ProbeError` unless it serves."""
    http, code = answer.fields.get(":status", ""), answer.fields.get("grpc-status", "")
    if not code and not answer.fields.get("content-type", "").startswith("application/grpc"):
        raise ProbeError(ReasonCode.STATUS, f"{peer} answered {http} and not with gRPC", http)
    if code not in {"", "0"}:
        said = unquote(answer.fields.get("grpc-message", ""))[:200]
        name = CODES.get(code, f"code {code}")
        if code == "12":
            said = "it has no health service (grpc.health.v1)"
        raise ProbeError(ReasonCode.ERROR, f"{peer} answers {name}{f': {said}' if said else ''}", name)
    status = STATUSES.get(_status(answer.body[5:]), "UNKNOWN")
    note("{peer} says {status}", peer=peer, status=status)
    if status != "SERVING":
        raise ProbeError(ReasonCode.ERROR, f"{peer} says {status}", status)


def _status(message: bytes) -> int:
    """Field 1 of HealthCheckResponse; a message without it says 0."""
    return message[1] if message[:1] == b"\x08" and len(message) > 1 else 0
