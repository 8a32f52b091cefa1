"""TLS over a connection of the loop: what the HTTP server writes is encrypted, what comes is decrypted for it.

asyncio has one of its own. It takes 280 kB for each connection, so that a thousand idle ones would be a quarter of a
gigabyte, and it begins a handshake with the first byte, before anybody can look at the ClientHello. This one takes 24 kB
and serves the page nearly twice as often (docs/speed.md).

The other end of OpenSSL is a pair of buffers in memory: bytes from the network go into one, bytes for it come out of the
other. Flow control is the connection's own: nothing is held back here, so what the loop says of full buffers holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

READ_SIZE: Final = 64 * 1024
"""Bytes that are taken from OpenSSL at a time; a record holds 16 kB."""


class TlsTransport(asyncio.Transport):
    """The server's side of one connection, from the ClientHello on."""

    __slots__ = (
        "_closing",
        "_incoming",
        "_loop",
        "_made",
        "_outgoing",
        "_paused",
        "_protocol",
        "_ssl",
        "_wire",
        "established",
    )

    def __init__(
        self,
        wire: asyncio.Transport,
        context: ssl.SSLContext,
        made: Callable[[], asyncio.Protocol] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`made` gives the protocol that speaks once the handshake is done; None: nobody does, it ends then."""
        super().__init__()
        self._wire = wire
        self._made = made
        self._loop = loop
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._protocol: asyncio.Protocol | None = None
        self._paused = False
        self._closing = False
        self.established = False
        """The handshake is done."""

    # From the network.

    def feed(self, data: bytes) -> None:
        """Bytes came."""
        if self._closing:
            return
        self._incoming.write(data)
        try:
            if not self.established and not self._shake():
                return
            self._decrypt()
        except ssl.SSLError:
            # The client broke the rules or does not like us; OpenSSL has put an alert for it into the buffer.
            self._flush()
            self._end()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._closing = True
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)

    def ended(self) -> None:
        """The client says no more."""
        if self._protocol is not None and not self._closing:
            self._protocol.eof_received()
        self.close()

    def write_paused(self) -> None:
        """The client does not read."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def write_resumed(self) -> None:
        """It reads again."""
        if self._protocol is not None:
            self._protocol.resume_writing()

    def _shake(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        self._flush()
        self.established = True
        if self._made is None:
            self.close()
            return False
        self._protocol = self._made()
        self._protocol.connection_made(self)
        return True

    def _decrypt(self) -> None:
        while not self._closing and not self._paused:
            try:
                data = self._ssl.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                self.ended()
                return
            if self._protocol is not None:
                self._protocol.data_received(data)
        self._flush()  # an answer to a key update

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._wire.write(self._outgoing.read())

    # For the protocol: what asyncio promises of a transport.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Encrypt and send."""
        if self._closing or not data:
            return
        sent = self._ssl.write(data)
        if sent < len(data):
            left = memoryview(data)[sent:]
            while left:
                left = left[self._ssl.write(left) :]
        self._wire.write(self._outgoing.read())

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """All in one go."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Say goodbye after what was written, and end."""
        if self._closing:
            return
        if self.established:
            with contextlib.suppress(ssl.SSLError):  # it wants to hear the client's goodbye, for which nobody waits
                self._ssl.unwrap()
            self._flush()
        self._end()

    def _end(self) -> None:
        self._closing = True
        self._wire.close()

    def abort(self) -> None:
        """End at once."""
        self._closing = True
        self._wire.abort()

    def is_closing(self) -> bool:
        """Whether it ends, or has ended."""
        return self._closing or self._wire.is_closing()

    def pause_reading(self) -> None:
        """Let nothing more come."""
        self._paused = True
        if not self._closing:
            self._wire.pause_reading()

    def resume_reading(self) -> None:
        """Let it come again, beginning with what was decrypted only in part."""
        if self._paused:
            self._paused = False
            if not self._closing:
                self._wire.resume_reading()
                self._loop.call_soon(self.feed, b"")

    def is_reading(self) -> bool:
        """Whether anything may come."""
        return not self._paused and not self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Somebody else speaks from now on."""
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who speaks."""
        assert self._protocol is not None, "asked for before the handshake was done"
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What TLS knows, else what the connection knows."""
        if name == "sslcontext":
            return self._ssl.context
        if name == "ssl_object":
            return self._ssl
        return self._wire.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._wire.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """When the protocol is told to write less, and more again."""
        return self._wire.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As `get_write_buffer_limits`."""
        self._wire.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        """TLS ends in both directions at once."""
        return False
