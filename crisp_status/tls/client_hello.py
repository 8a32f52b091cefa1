"""The first message of a TLS client, read before the handshake: which name it asks for and which protocols it speaks.

Python's `ssl` tells the name in a callback but not the protocols, and a tls-alpn-01 challenge needs both to choose the
certificate. Layout: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301 section 3.1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

HELLO_MAX: Final = 16 * 1024
"""Bytes of a ClientHello that are read; with post-quantum key shares and a session ticket they are 2 to 4 kB."""

RECORDS_MAX: Final = 64
"""Over which it may be spread; one is usual, and each that comes makes us look at all before it again."""

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = b"\x01"
_RECORD_HEAD: Final = 5
_RECORD_MAX: Final = 2**14
_SERVER_NAME: Final = 0
_HOST_NAME: Final = 0
_ALPN: Final = 16


class NotTlsError(Exception):
    """These bytes are not the beginning of a TLS connection; the message says why."""


class ClientHello(NamedTuple):
    """What decides about the certificate."""

    server_name: str
    """The host that the client asks for, in lower case; "": it does not say."""
    protocols: tuple[str, ...]
    """Application protocols in the client's order (ALPN)."""


class _Reader:
    """Takes fields off a byte string; a field that is longer than what is left is not TLS."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise NotTlsError("a field of the ClientHello is longer than the message")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """A field that begins with its own length, of `size` bytes."""
        return self.take(self.number(size))


def parse(data: bytes) -> ClientHello | None:
    """The ClientHello at the start of a connection; None: more bytes are needed. Raises `NotTlsError`."""
    message = _message(data)
    return None if message is None else _hello(message)


def _message(data: bytes) -> bytes | None:
    """The body of the first handshake message, put together from its records; None: it is not complete yet."""
    gathered, at = b"", 0
    for _ in range(RECORDS_MAX):
        if at >= len(data):
            return None
        if data[at] != _HANDSHAKE or (len(data) > at + 1 and data[at + 1] != 3):
            raise NotTlsError("the first bytes are not a TLS handshake")
        if len(data) < at + _RECORD_HEAD:
            return None
        length = int.from_bytes(data[at + 3 : at + _RECORD_HEAD], "big")
        if not 0 < length <= _RECORD_MAX:
            raise NotTlsError(f"a TLS record of {length} bytes is not allowed")
        gathered += data[at + _RECORD_HEAD : at + _RECORD_HEAD + length]
        if gathered[:1] not in {b"", _CLIENT_HELLO}:
            raise NotTlsError("the first message is not a ClientHello")
        if len(gathered) >= 4:
            size = int.from_bytes(gathered[1:4], "big")
            if size > HELLO_MAX:
                raise NotTlsError(f"a ClientHello of {size} bytes is more than {HELLO_MAX}")
            if len(gathered) >= 4 + size:
                return gathered[4 : 4 + size]
        at += _RECORD_HEAD + length
    raise NotTlsError("the ClientHello is split into too many records")


def _hello(message: bytes) -> ClientHello:
    body = _Reader(message)
    body.take(2 + 32)  # version and random
    body.vector(1)  # session
    body.vector(2)  # cipher suites
    body.vector(1)  # compressions
    name = ""
    protocols: tuple[str, ...] = ()
    extensions = _Reader(body.vector(2) if body.left else b"")
    while extensions.left:
        kind, value = extensions.number(2), _Reader(extensions.vector(2))
        if kind == _SERVER_NAME and value.left:
            name = _server_name(_Reader(value.vector(2)))
        elif kind == _ALPN:
            protocols = _protocols(_Reader(value.vector(2)))
    return ClientHello(name, protocols)


def _server_name(names: _Reader) -> str:
    while names.left:
        kind, value = names.number(1), names.vector(2)
        if kind == _HOST_NAME:
            return value.decode("ascii", "replace").lower().rstrip(".")
    return ""


def _protocols(values: _Reader) -> tuple[str, ...]:
    found: list[str] = []
    while values.left:
        found.append(values.vector(1).decode("latin-1"))
    return tuple(found)
