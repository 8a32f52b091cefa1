"""Those whom we look at, and nameservers: what a target may answer over every scheme, and what stands in certificates."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import socket
import ssl
import time
import warnings
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crisp_status.net import tools as net_tools
from crisp_status.net.certificate import Certificate, day, iso
from crisp_status.net.errors import TEXT_MAX
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.world import World
from tests.probes.servers import Talk, looked, talking
from tests.receivers import certificate, server_tls

LOOK_SECONDS = 0.4
SLACK_SECONDS = 15.0
"""What a busy machine may add to a deadline before it counts as a hang."""

BOMB = gzip.compress(bytes(20_000_000), 9)
BODIES = (
    b"",
    b"hello",
    b"x" * 300_000,
    BOMB,
    zlib.compress(bytes(5_000_000)),
    b"\x1b[2J\x1b]0;x\x07",
    "\u202e<script>".encode(),
    b"\0" * 99,
)
STATUS_LINES = (b"HTTP/1.1 200 OK", b"HTTP/1.0 200", b"HTTP/1.1 503 \x1b[31mno", b"HTTP/1.1 999 x", b"HTTP/1.1 0200 x", b"HTTP/2 200", b"HTTP/1.1 204 x", b"HTTP/1.1 101 x", b"HTTP/1.1 103 x", b"HTTP/1.1 301 go", b"SSH-2.0-x", b"ICY 200 OK", b"HTTP/1.1 200 " + b"y" * 70_000)  # fmt: skip
FIELDS = (
    b"Content-Length: 5", b"Content-Length: 5000000000", b"Content-Length: -5", b"Content-Length: x", b"Transfer-Encoding: chunked",
    b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br", b"Content-Encoding: gzip, gzip",
    b"Content-Type: text/html; charset=\xff\xfe", b"Content-Type: text/html; charset=utf-7", b"Content-Type: text/html; charset=idna",
    b"Content-Type: x; charset=unicode_escape", b"Content-Type: x; charset=zlib", b"Content-Type: x; charset=punycode", b"Content-Type: x; charset=undefined",
    b"Location: /", b"Location: http://[::1", b"Location: \xff\xfe", b"Location: file:///etc/passwd", b"Location: //x:99999/", b"Location: http://127.0.0.1:1/\x1b[31m",
    b"Set-Cookie: a=b", b"Connection: upgrade", b"Retry-After: " + b"9" * 4000, b"X: " + b"y" * 70_000, b"X : y", b"\x1b: \x1b", b" folded", b": x", b"nothing", *([b"A: b"] * 9),
)  # fmt: skip


def answer(dice: Random) -> bytes:
    """An HTTP answer that is nearly right."""
    head = [
        dice.choice(STATUS_LINES[:3] if dice.random() < 0.6 else STATUS_LINES),
        *dice.choices(FIELDS, k=dice.choice((0, 1, 3, 300))),
    ]
    body = dice.choice(BODIES)
    if dice.random() < 0.2:
        body = b"%x\r\n%b\r\n" % (len(body), body) + dice.choice(
            (b"0\r\n\r\n", b"-1\r\n", b"", b"ffffffffffffffffff\r\n")
        )
    end = dice.choice((b"\r\n", b"\r\n", b"\n"))
    return chance.mangled(dice, end.join(head) + end + end + body, 0.3)


def babbling(dice: Random, first: bytes) -> Talk:
    """Say that, in one of the ways that servers have: at once, in drips, without end, or not at all."""
    how = dice.choice(("whole", "whole", "whole", "drip", "endless", "silent", "reset", "before"))
    noise = dice.choice((b"\0" * 60_000, b"A: b\r\n" * 9000, b"HTTP/1.1 103 x\r\n\r\n" * 3000, first[:60_000] or b"x"))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how != "before":
            await reader.read(1)
        if how == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "silent":
            await asyncio.sleep(30)
        if how == "drip":
            for place in range(len(first)):
                writer.write(first[place : place + 1])
                await writer.drain()
                await asyncio.sleep(0.002)
        writer.write(first)
        await writer.drain()
        while how == "endless":
            writer.write(noise)
            await writer.drain()
            # Over TLS neither of them waits nor complains once the other side is gone, and nobody else had a turn.
            await asyncio.sleep(0)

    return talk


URLS: tuple[tuple[str, dict[str, object]], ...] = (
    ("http", {}),
    ("http", {"healthy_match": "hello"}),
    ("http", {"follow_redirects": True}),
    ("http", {"follow_redirects": True, "dead_match": "(a+)+$"}),
    ("https", {"verify_tls": False, "certificate_sick_days": 9}),
    ("https", {}),
    ("https", {"verify_tls": False, "healthy_match": "x"}),
    ("ssh", {}),
    ("tcp", {}),
)


@contextlib.asynccontextmanager
async def targets(world: World) -> AsyncIterator[Attempt]:
    """What a monitored server may say, over every scheme: a verdict in time, in plain words, and never "our bug"."""
    papers = (server_tls(), server_tls(), *(context for _, context in strange(world.folder)))
    async with net_tools.opened():

        async def attempt(dice: Random) -> str:
            scheme, options = dice.choice(URLS)
            tls = dice.choice(papers)
            first = dice.choice((answer, answer, greeting, record))(dice)
            secure = scheme == "https" and dice.random() < 0.6
            async with talking(babbling(dice, first), tls=tls if secure else None) as server:
                began = time.monotonic()
                path = "" if scheme in {"ssh", "tcp"} else "/"
                seen = await looked(server.url(path, scheme), delay_dead=LOOK_SECONDS, **options)
                took = time.monotonic() - began
            claim(took < LOOK_SECONDS + SLACK_SECONDS, f"{took:.1f} s for", scheme, options, first[:200])
            claim(seen.cause != "bug", "a bug of ours:", seen.reason.text, scheme, options, first[:300])
            for text in (seen.reason.text, seen.reason.value, seen.reason.code, *seen.lines().split("\n")):
                claim(text.isprintable() and len(text) <= TEXT_MAX + 20, "not for people:", text[:300])
            return f"{scheme} {seen.outcome}" + (f" ({seen.cause})" if seen.cause else "")

        yield attempt


NAMES: tuple[tuple[str, int, int, int], ...] = (
    ("\x1b[2J<script>alert(1)</script>\u202e", 1, -9, 9),
    ("*." * 20, 1, -9, -1),
    ("a", 2500, -9, 3),
    ("", 0, 9, 99),
    ("x" * 60, 60, -7000, 2_900_000),
)
"""Of strange certificates: whom it names, in how many further names, and the days of its life from now."""


def strange(folder: Path) -> list[tuple[x509.Certificate, ssl.SSLContext]]:
    """Certificates that no authority would sign, and what a server needs to show them."""
    made = []
    key = ec.generate_private_key(ec.SECP256R1())
    today = datetime.datetime.now(datetime.UTC)
    for name, count, begins, ends in NAMES:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
        wishes = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        wishes = wishes.serial_number(x509.random_serial_number())
        wishes = wishes.not_valid_before(today + datetime.timedelta(days=begins))
        wishes = wishes.not_valid_after(today + datetime.timedelta(days=ends))
        if count:
            names = [x509.DNSName(f"{number}.x.example") for number in range(count)]
            wishes = wishes.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = wishes.sign(key, hashes.SHA256())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = folder / "strange.pem"
        file.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        made.append((signed, context))
    return made


def greeting(dice: Random) -> bytes:
    """Of an SSH server, nearly."""
    return chance.mangled(
        dice,
        dice.choice(
            (b"SSH-2.0-x\r\n", b"SSH-1.5-x\r\n", b"legal\r\n" * 2000 + b"SSH-2.0-\x1b[31m\r\n", b"SSH-" + b"y" * 9000)
        ),
        0.5,
    )


def record(dice: Random) -> bytes:
    """Of TLS, nearly: alerts, handshakes and data with any length."""
    body = dice.randbytes(dice.choice((2, 40, 4000)))
    return (
        bytes((dice.choice((20, 21, 22, 23, 24)), 3, dice.randrange(5)))
        + dice.choice((len(body), 0, 65_535)).to_bytes(2)
        + body
    )


@contextlib.asynccontextmanager
async def certificates(world: World) -> AsyncIterator[Attempt]:
    """Certificates with anything in them: read, or a `ValueError`."""
    odd = [found.public_bytes(serialization.Encoding.DER) for found, _ in strange(world.folder)]
    good = [ssl.PEM_cert_to_DER_cert(certificate()[0].read_text())] * 4 + odd
    # The library warns of what it still reads and will refuse one day.
    warnings.filterwarnings("ignore", module=r"crisp_status\.probes\._certificate")

    async def attempt(dice: Random) -> str:
        der = bytearray(dice.choice(good))
        for _ in range(dice.choice((1, 1, 2, 3))):
            place = dice.randrange(len(der))
            der[place] = dice.choice((dice.randrange(256), der[place] ^ 1, 0, 0xFF, 0x30, 0x06, 0x17))
        try:
            read = Certificate.read(bytes(der))
        except ValueError:
            return "refused"
        str(read)
        for word in (read.subject, read.issuer, *read.names):
            claim(word.isprintable() and len(word) <= TEXT_MAX, "not for people:", word[:300])
        claim(day(read.ends_at, time.time()) and iso(read.ends_at), "no date:", read.ends_at)
        return "read"

    yield attempt


@contextlib.asynccontextmanager
async def nameserver(world: World) -> AsyncIterator[Attempt]:
    """Datagrams and streams of a nameserver that says anything."""
    import dns.message
    import dns.rrset

    said: dict[str, Callable[[bytes], bytes]] = {"": lambda packet: packet}

    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(said[""](data), addr)  # type: ignore[attr-defined]

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            size = int.from_bytes(await reader.readexactly(2))
            packet = said[""](await reader.readexactly(size))
            writer.write(len(packet).to_bytes(2) + packet)
            await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(stream, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(Liar, local_addr=("127.0.0.1", port))
    turn = asyncio.Lock()

    async def attempt(dice: Random) -> str:
        def reply(packet: bytes) -> bytes:
            made = dns.message.make_response(dns.message.from_wire(packet))
            kind, value = dice.choice(
                (("A", "10.0.0.1"), ("TXT", '"\\027[31m<b>"'), ("MX", "5 a.example."), ("CNAME", "x.example."))
            )
            made.answer.append(dns.rrset.from_text("x.example.", 9, "IN", kind, *[value] * dice.choice((1, 1, 3))))
            wire = made.to_wire()
            return wire[:2] + chance.mangled(dice, wire[2:], 0.8)

        async with turn:
            said[""] = reply
            seen = await looked(
                f"dns://127.0.0.1:{port}/x.example?type={dice.choice(('A', 'TXT', 'MX'))}",
                delay_dead=LOOK_SECONDS,
                **dice.choice(({}, {"match": "10"})),
            )
        claim(seen.cause != "bug", "a bug of ours:", seen.reason.text)
        claim(
            seen.reason.text.isprintable() and all(line.isprintable() for line in seen.lines().split("\n")),
            "not for people:",
            seen.lines(),
        )
        return seen.outcome

    async with net_tools.opened():
        yield attempt
    transport.close()
    server.close()
