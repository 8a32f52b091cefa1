"""Bytes to and from one new connection, with TLS when wanted."""

from __future__ import annotations

import _ssl
import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from crisp_status.config.hostname import ascii_host
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import expect, note, now
from crisp_status.net.certificate import Certificate, refused
from crisp_status.net.connect import connect
from crisp_status.net.errors import ProbeError, Unknowable, explain, tls_failure
from crisp_status.net.resolve import Address
from crisp_status.net.tools import tools
from crisp_status.net.way import USUAL, Way

READ_MAX = 65_536
"""Bytes taken from a socket at once."""

STRONG = ("GCM-SHA256", "GCM-SHA384", "CHACHA20-POLY1305")
"""Endings of TLS 1.2 suites with authenticated encryption."""


class Connection:
    """A connection. `receive` gives b"" at the end. Errors are `ProbeError` or `Unknowable`."""

    certificate: bytes | None = None
    """DER form of the server's certificate; None without TLS."""

    def chain(self) -> list[bytes]:
        """DER forms from the server's certificate on, without the authority's own; [] without TLS."""
        return []

    def __init__(self, sock: socket.socket, peer: Address) -> None:
        self._sock = sock
        self.peer = peer

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except OSError as error:
            raise explain(error, str(self.peer), self.peer.sockaddr if self.peer.family else None) from error

    async def receive(self) -> bytes:
        """What has come, at least a byte; b"" at the end."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._sock, READ_MAX)
        except OSError as error:
            raise explain(error, str(self.peer), self.peer.sockaddr if self.peer.family else None) from error

    def close(self) -> None:
        """Close it, at once and without a word."""
        self._sock.close()


class TlsConnection(Connection):
    """The same through TLS."""

    def __init__(self, connection: Connection, context: ssl.SSLContext, host: str) -> None:
        super().__init__(connection._sock, connection.peer)
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=_sni(host))

    async def greet(self) -> None:
        """The handshake; an `ssl.SSLError` when it fails."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                await self._flush()  # the alert that tells the other side why
                raise
            else:
                # What is left to say goes out with the request, in one packet.
                self.certificate = self._tls.getpeercert(binary_form=True)
                return

    def chain(self) -> list[bytes]:
        """As it was verified; where nothing is verified, as the server sent it."""
        wrapped: Any = self._tls
        # Public from Python 3.13 on, and until then only on the object inside.
        if hasattr(wrapped, "get_verified_chain"):
            found = wrapped.get_verified_chain() or wrapped.get_unverified_chain()
        else:
            inner = wrapped._sslobj
            found = [
                c.public_bytes(_ssl.ENCODING_DER)
                for c in inner.get_verified_chain() or inner.get_unverified_chain() or ()
            ]
        return found[:-1] if len(found) > 1 and self._tls.context.verify_mode is ssl.CERT_REQUIRED else list(found)

    @property
    def version(self) -> str:
        """TLSv1.3 and the like; with the cipher when it is one that only old servers choose."""
        version, cipher = self._tls.version() or "TLS", (self._tls.cipher() or ("",))[0]
        strong = version == "TLSv1.3" or (cipher.startswith("ECDHE") and cipher.endswith(STRONG))
        return version if strong else f"{version} with the weak cipher {cipher}"

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise tls_failure(error, str(self.peer), agreed=True) from error
        await self._flush()

    async def receive(self) -> bytes:
        """What has come, at least a byte; b"" at the end."""
        while True:
            try:
                return self._tls.read(READ_MAX)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise tls_failure(error, str(self.peer), agreed=True) from error

    async def _flush(self) -> None:
        if self._out.pending:
            await super().send(self._out.read())

    async def _fill(self) -> bool:
        data = await super().receive()
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        return bool(data)


def _sni(host: str) -> str:
    """The name for TLS (RFC 6066, section 3): in ASCII, without a closing dot; of an address without its zone."""
    try:
        return ascii_host(host.partition("%")[0]).rstrip(".")
    except ValueError as error:
        raise ProbeError(ReasonCode.NAME, str(error)) from None


Upgrade = Callable[[Connection], Awaitable[None]]
"""What is said in the clear until the server is ready for TLS, as in STARTTLS."""


async def open_connection(
    host: str, port: int, *, verify: bool | None, way: Way = USUAL, alpn: str = "", upgrade: Upgrade | None = None
) -> Connection:
    """A new connection; `verify` None means without TLS, `alpn` is the protocol to offer in it. The caller closes it. Raises `ProbeError` or `Unknowable`."""
    sock, peer = await connect(host, port, way)
    plain = Connection(sock, peer)
    if verify is None:
        expect("no answer", peer=peer)
        return plain
    try:
        if upgrade is not None:
            await upgrade(plain)
        expect("no TLS handshake with {peer}", code=ReasonCode.TLS, peer=peer)
        secured = TlsConnection(plain, tools().tls(verify, way, alpn), way.server_name or host)
        await secured.greet()
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise await distrust(error, host, port, way, alpn, upgrade) from error
    except ssl.SSLError as error:
        plain.close()
        raise tls_failure(error, str(peer)) from error
    except BaseException:
        plain.close()
        raise
    note("{tls} agreed, certificate {certificate}", tls=secured.version, certificate=PeerText(secured.certificate))
    expect("no answer")
    return secured


async def distrust(
    error: ssl.SSLCertVerificationError, host: str, port: int, way: Way, alpn: str, upgrade: Upgrade | None = None
) -> ProbeError | Unknowable:
    """Why a certificate was refused. OpenSSL does not hand out a refused one, so it is asked for once more."""
    certificate = None
    expect("certificate refused, and nothing more", code=ReasonCode.CERTIFICATE)
    try:
        sock, peer = await connect(host, port, way)
        plain = Connection(sock, peer)
        connection = TlsConnection(plain, tools().tls(False, way, alpn), way.server_name or host)
        try:
            if upgrade is not None:
                await upgrade(plain)
            await connection.greet()
        finally:
            connection.close()
        if connection.certificate is not None:
            certificate = Certificate.read(connection.certificate)
            note("certificate {certificate}", certificate=certificate)
    except (ProbeError, Unknowable, ssl.SSLError, ValueError):
        pass
    return refused(error, way.server_name or host, certificate, now())


class PeerText:
    """A certificate for a story: taken apart only when somebody reads it."""

    __slots__ = ("_der",)

    def __init__(self, der: bytes | None) -> None:
        self._der = der

    def read(self) -> Certificate | None:
        """The certificate, when there is one that can be understood."""
        try:
            return Certificate.read(self._der) if self._der else None
        except ValueError:
            return None

    def plain(self) -> dict[str, Any] | None:
        """For JSON."""
        found = self.read()
        return found.plain() if found is not None else None

    def __str__(self) -> str:
        return str(self.read() or "unreadable")
