"""What is looked at: servers on the loopback that answer at once, and addresses that swallow connections.

python -m benchmarks.targets http|body|tls|tcp      prints the port, serves until its input ends
"""

from __future__ import annotations

import datetime
import ipaddress
import select
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import running

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
BODY_MATCH = "all systems normal"
BODY = b"<!doctype html><title>bench</title><p>" + b"x" * 2000 + BODY_MATCH.encode() + b"</p>"
BODY_ANSWER = ANSWER.replace(b"Content-Length: 0", b"Content-Length: %d" % len(BODY)) + BODY
ADDRESSES = [f"127.0.0.{n}" for n in range(2, 18)]
"""Several, so that the local ports towards one of them do not run out."""

HOLES = [f"127.0.1.{n}" for n in range(2, 18)]


def listeners(addresses: list[str], backlog: int) -> list[socket.socket]:
    """One port on each of the addresses."""
    made: list[socket.socket] = []
    for address in addresses:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, made[0].getsockname()[1] if made else 0))
        sock.listen(backlog)
        sock.setblocking(False)
        made.append(sock)
    return made


def serve(kind: str) -> None:
    """Accept, read once, answer, close: as little as a target can do. For `tcp` accept and close; `body` has 2 kB of it."""
    doors = {sock.fileno(): sock for sock in listeners(ADDRESSES, 4096)}
    print(next(iter(doors.values())).getsockname()[1], flush=True)
    answer = BODY_ANSWER if kind == "body" else ANSWER
    poll = select.epoll()
    for number in (0, *doors):
        poll.register(number, select.EPOLLIN)
    guests: dict[int, socket.socket] = {}
    while True:
        for number, _ in poll.poll():
            if number == 0:
                return
            if number in doors:
                try:
                    guest, _ = doors[number].accept()
                except BlockingIOError:
                    continue
                if kind == "tcp":
                    guest.close()
                    continue
                guests[guest.fileno()] = guest
                poll.register(guest.fileno(), select.EPOLLIN)
                continue
            guest = guests.pop(number)
            try:
                if guest.recv(8192):
                    guest.send(answer)
            except OSError:
                pass
            guest.close()


def serve_tls(files: str) -> None:
    """The same through TLS."""
    import asyncio
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{files}/cert.pem", f"{files}/key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError, ssl.SSLError):
            pass

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


def certify(where: Path) -> None:
    """A certificate for 127.0.0.1 that signs itself; who trusts `cert.pem` trusts it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    began = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (where / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (where / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextmanager
def answering(kind: str, files: Path | None = None) -> Iterator[int]:
    """A target process on the last core; its port."""
    import subprocess

    command = [sys.executable, "-m", "benchmarks.targets", kind, str(files or "")]
    with running(command, -1, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def swallowing() -> Iterator[int]:
    """Addresses whose queue of connections is full: whoever connects hears nothing. Their port."""
    doors = listeners(HOLES, 0)
    waiting: list[socket.socket] = []
    try:
        for door in doors:
            for _ in range(3):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(door.getsockname())
                waiting.append(sock)
        yield doors[0].getsockname()[1]
    finally:
        for sock in (*doors, *waiting):
            sock.close()


if __name__ == "__main__":
    if sys.argv[1] == "tls":
        serve_tls(sys.argv[2])
    else:
        serve(sys.argv[1])
