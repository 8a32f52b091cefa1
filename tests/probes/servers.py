"""Real local servers, each with one habit, good or bad; and certificates for them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from crisp_status import kinds
from crisp_status.clock import SystemClock
from crisp_status.look.once import Policy
from crisp_status.look.policy import look
from crisp_status.look.result import Look

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def looked(target: str, kind: str = "", **given: Any) -> Look:
    """One look, short delays; keys that are not of the policy are options of the probe. What a busy machine has spoilt
    (this process stood still for too much of it) says nothing of the target, and is done again.
    """
    policy: dict[str, Any] = {"retry": 0, "retry_wait": 0.0, "delay_dead": 5.0, "delay_sick": 4.0, "expect_dead": False}
    policy |= {key: given.pop(key) for key in list(given) if key in policy}
    clock = given.pop("clock", SystemClock())
    module: Any = kinds.probes()[kind or kinds.scheme_owner()[target.partition("://")[0]]]
    while True:
        seen = await look(module, target, module.Options(**given), Policy(**policy), clock)
        if seen.cause != "stall":
            return seen


class Server:
    """Where it listens and what it heard."""

    def __init__(self, port: int, host: str) -> None:
        self.port = port
        self.host = host
        self.connections = 0
        self.heads: list[bytes] = []

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://{self.address}{path}"


@contextlib.asynccontextmanager
async def talking(talk: Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """A server that talks as told to each connection."""
    running: set[asyncio.Task[None]] = set()
    server = Server(0, host)
    over = False

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if over:  # its handshake took longer than the server lived
            writer.close()
            return
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    listener = await asyncio.start_server(one, host, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        over = True
        await asyncio.sleep(0.001)  # whoever came and left at once is still to be let in
        listener.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)


def saying(*parts: bytes, wait: float = 0.0, stay: bool = False, after_head: bool = True) -> Talk:
    """Wait for a request head, then say the parts, with a pause between them."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after_head:
            await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(wait)
        if stay:
            await asyncio.sleep(3600)

    return talk


def http(status: str = "200 OK", body: bytes = b"", *fields: str) -> bytes:
    """A whole answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode() + body


def answering(answers: dict[str, bytes]) -> Talk:
    """Answer by method and path, `"HEAD /"`; anything else is 404. A HEAD gets no body."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = " ".join(head.split(b" ", 2)[i].decode() for i in (0, 1))
        answer = answers.get(asked, http("404 Not Found"))
        if asked.startswith("HEAD"):
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        writer.write(answer)
        await writer.drain()

    return talk


@contextlib.contextmanager
def blackhole() -> Iterator[str]:
    """An address that swallows connections: its queue is full and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield f"127.0.0.1:{address[1]}"


def refusing() -> str:
    """An address where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


@functools.cache
def _rsa_key() -> rsa.RSAPrivateKey:
    """One is enough: making it takes a while."""
    return rsa.generate_private_key(65537, 2048)


class Authority:
    """Issues certificates; its own is in `file`."""

    def __init__(
        self, folder: Path, name: str = "Test Authority", by: Authority | None = None, ends: float = 4000
    ) -> None:
        """`by`: it stands below that one, and its servers send its certificate along."""
        self.folder = folder
        self.above = by
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(by._name if by else self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=4000))
            .not_valid_after(now + datetime.timedelta(days=ends))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(by._key if by else self._key, hashes.SHA256())
        )
        self.file = folder / f"{built.serial_number}-authority.pem"
        self.file.write_bytes(built.public_bytes(serialization.Encoding.PEM))

    def context(
        self,
        *,
        starts: float = -1,
        ends: float = 30,
        names: tuple[str, ...] = ("127.0.0.1",),
        own: bool = False,
        by_rsa: bool = False,
    ) -> ssl.SSLContext:
        """TLS settings of a server whose certificate is valid from and to so many days from now."""
        key = _rsa_key() if by_rsa else ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternative = [
            x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() or ":" in n else x509.DNSName(n) for n in names
        ]
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if own else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=starts))
            .not_valid_after(now + datetime.timedelta(days=ends))
            .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
            .sign(key if own else self._key, hashes.SHA256())
        )
        file = self.folder / f"{built.serial_number}.pem"
        file.write_bytes(
            built.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + (self.file.read_bytes() if self.above else b"")
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def certificate(self, name: str, *, ends: float = 30) -> Path:
        """A file with a certificate of that name and its key, for a client or another server."""
        self.context(names=(name,), ends=ends)
        return max(self.folder.glob("*.pem"), key=lambda file: file.stat().st_mtime_ns)
