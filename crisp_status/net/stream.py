"""Bytes to and from one new connection, with TLS when wanted. Kept close to the socket: this is most of what a look costs."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from crisp_status.net.certificate import Certificate, refused
from crisp_status.net.connect import connect
from crisp_status.net.contract import ProbeError, Unknowable, expect, note, now
from crisp_status.net.errors import explain
from crisp_status.net.resolve import Address
from crisp_status.net.tools import tools

READ_MAX = 65_536
"""Bytes taken from a socket at once."""

NOT_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
"""OpenSSL's reasons for bytes that are no TLS at all."""


class Wire:
    """A connection. `receive` gives b"" at the end. Errors are `ProbeError` or `Unknowable`."""

    certificate: bytes | None = None
    """DER form of the server's certificate; None without TLS."""

    def __init__(self, sock: socket.socket, peer: Address) -> None:
        self._sock = sock
        self.peer = peer

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            await tools().ready.send(self._sock, data)
        except OSError as error:
            raise explain(error, str(self.peer)) from error

    async def receive(self) -> bytes:
        """What has come, at least a byte; b"" at the end."""
        try:
            return await tools().ready.receive(self._sock, READ_MAX)
        except OSError as error:
            raise explain(error, str(self.peer)) from error

    def close(self) -> None:
        """Hang up."""
        self._sock.close()


class TlsWire(Wire):
    """The same through TLS."""

    def __init__(self, wire: Wire, context: ssl.SSLContext, host: str) -> None:
        super().__init__(wire._sock, wire.peer)
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host.partition("%")[0].rstrip("."))

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

    @property
    def version(self) -> str:
        """TLSv1.3 and the like."""
        return self._tls.version() or "TLS"

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        self._tls.write(data)
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
                raise garbled(error, str(self.peer)) from error

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


async def dial(host: str, port: int, *, verify: bool | None) -> Wire:
    """A new connection; `verify` None means without TLS. The caller closes it."""
    sock, peer = await connect(host, port)
    wire = Wire(sock, peer)
    if verify is None:
        expect("no answer", peer=peer)
        return wire
    expect("no TLS handshake with {peer}", code="tls", peer=peer)
    try:
        secured = TlsWire(wire, tools().tls(verify), host)
        await secured.greet()
    except ssl.SSLCertVerificationError as error:
        wire.close()
        raise await distrust(error, host, port) from error
    except ssl.SSLError as error:
        wire.close()
        raise garbled(error, str(peer)) from error
    except BaseException:
        wire.close()
        raise
    note("{tls} agreed, certificate {certificate}", tls=secured.version, certificate=Shown(secured.certificate))
    expect("no answer")
    return secured


async def distrust(error: ssl.SSLCertVerificationError, host: str, port: int) -> ProbeError | Unknowable:
    """Why a certificate was refused. OpenSSL does not hand out a refused one, so it is asked for once more."""
    certificate = None
    expect("certificate refused, and nothing more", code="certificate")
    try:
        sock, peer = await connect(host, port)
        wire = TlsWire(Wire(sock, peer), tools().tls(False), host)
        try:
            await wire.greet()
        finally:
            wire.close()
        if wire.certificate is not None:
            certificate = Certificate.read(wire.certificate)
            note("certificate {certificate}", certificate=certificate)
    except (ProbeError, Unknowable, ssl.SSLError, ValueError):
        pass
    return refused(error, host, certificate, now())


def garbled(error: ssl.SSLError, peer: str) -> ProbeError:
    """What a TLS error other than a refused certificate means."""
    reason = error.reason or ""
    if reason in NOT_TLS:
        return ProbeError("tls", f"{peer} does not speak TLS")
    if isinstance(error, ssl.SSLEOFError) or "EOF" in reason:
        return ProbeError("tls", f"{peer} closed the connection during the TLS handshake")
    detail = reason.lower().replace("_", " ") or str(error)
    return ProbeError("tls", f"no TLS with {peer}: {detail}", detail)


class Shown:
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
