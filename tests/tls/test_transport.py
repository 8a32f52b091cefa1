"""TLS over a connection: what a protocol may expect of its transport, seen from a real client."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time

import pytest

from crisp_status.tls import keypair
from crisp_status.tls.challenges import Challenges
from crisp_status.tls.contexts import Contexts
from crisp_status.tls.handshakes import Handshakes
from tests.daemon import until

DOMAIN = "status.example.org"
MEGABYTE = 2**20


class Speaker(asyncio.Protocol):
    """Writes down what happens to it."""

    def __init__(self):
        self.heard = b""
        self.happened = []

    def connection_made(self, transport):
        self.transport = transport
        self.happened.append("made")

    def data_received(self, data):
        self.heard += data

    def eof_received(self):
        self.happened.append("eof")

    def pause_writing(self):
        self.happened.append("pause")

    def resume_writing(self):
        self.happened.append("resume")

    def connection_lost(self, exc):
        self.happened.append("lost")


@contextlib.asynccontextmanager
async def serving(**limits):
    """A TLS port; gives its number, its handshakes and the speakers of its connections."""
    contexts, speakers = Contexts(Challenges()), []
    pair = keypair.self_signed([DOMAIN], time.time())
    contexts.put(DOMAIN, pair, keypair.context(pair))
    handshakes = Handshakes(contexts, **limits)

    def made():
        speakers.append(Speaker())
        return speakers[-1]

    server = await asyncio.get_running_loop().create_server(handshakes.wrap(made), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], handshakes, speakers
    finally:
        handshakes.stop()
        server.close()
        for speaker in speakers:
            speaker.transport.abort()
        await asyncio.sleep(0)


def client(**changes):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in changes.items():
        setattr(context, name, value)
    return context


@contextlib.asynccontextmanager
async def connected(port, context=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context or client(), server_hostname=DOMAIN)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_ways(version):
    """A megabyte each way, in order and whole, in each version of TLS that is spoken."""
    data = bytes(range(256)) * (MEGABYTE // 256)
    async with (
        serving() as (port, handshakes, speakers),
        connected(port, client(maximum_version=version)) as (
            reader,
            writer,
        ),
    ):
        assert writer.get_extra_info("ssl_object").version() == version.name.replace("v1_", "v1.")
        writer.write(data)
        await until(lambda: speakers and len(speakers[0].heard) == MEGABYTE)
        assert speakers[0].heard == data
        speakers[0].transport.writelines([data[:1000], data[1000:]])
        assert await reader.readexactly(MEGABYTE) == data
        assert (handshakes.finished, handshakes.failed) == (1, 0)


async def test_what_it_tells():
    """The context, by which the server knows that it is secure; the socket and the addresses of the connection."""
    async with serving() as (port, _, speakers), connected(port):
        await until(lambda: speakers)
        transport = speakers[0].transport
        assert isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext)
        assert transport.get_extra_info("peername")[0] == "127.0.0.1"
        assert transport.get_extra_info("nothing", 7) == 7
        assert transport.get_protocol() is speakers[0]
        assert not transport.can_write_eof()


async def test_reading_stops_and_goes_on():
    """While reading is paused nothing is handed over, and nothing is lost: not even what was decrypted already."""
    async with serving() as (port, _, speakers), connected(port) as (_, writer):
        writer.write(b"first")
        await until(lambda: speakers and speakers[0].heard == b"first")
        transport = speakers[0].transport
        transport.pause_reading()
        assert not transport.is_reading()
        writer.write(b"second" * 50_000)
        await asyncio.sleep(0.05)
        assert speakers[0].heard == b"first"
        transport.resume_reading()
        await until(lambda: len(speakers[0].heard) == 5 + 300_000)


async def test_protocol_that_pauses_within_a_read():
    """Several records come in one read, and the protocol has enough after the first."""

    class Sated(Speaker):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    async with serving() as (port, _, speakers), connected(port) as (_, writer):
        await until(lambda: speakers)
        sated = Sated()
        sated.transport = speakers[0].transport
        sated.transport.set_protocol(sated)
        for _ in range(3):
            writer.write(b"x" * 16_000)
        await asyncio.sleep(0.1)
        assert len(sated.heard) == 16_000
        for parts in (2, 3):
            sated.transport.resume_reading()
            await until(lambda parts=parts: len(sated.heard) == parts * 16_000)


async def test_client_that_does_not_read():
    """The protocol is told to write no more, and again when there is room; what was written arrives."""
    async with serving() as (port, _, speakers), connected(port) as (reader, _):
        await until(lambda: speakers)
        for _ in range(32):
            speakers[0].transport.write(bytes(MEGABYTE))
        assert "pause" in speakers[0].happened
        assert speakers[0].transport.get_write_buffer_size() > 0
        await reader.readexactly(32 * MEGABYTE)
        await until(lambda: "resume" in speakers[0].happened)


async def test_end_of_the_client():
    """Its goodbye ends the connection, once; a connection that breaks off does, too."""
    async with serving() as (port, _, speakers):
        async with connected(port):
            pass
        await until(lambda: speakers and "lost" in speakers[0].happened)
        assert speakers[0].happened == ["made", "eof", "lost"]
        async with connected(port) as (_, writer):
            writer.transport.abort()
        await until(lambda: len(speakers) == 2 and "lost" in speakers[1].happened)
        assert speakers[1].happened.count("lost") == 1


async def test_end_of_ours():
    """What was written before the end arrives, then a proper goodbye; nothing is written after it."""
    async with serving() as (port, _, speakers), connected(port) as (reader, _):
        await until(lambda: speakers)
        transport = speakers[0].transport
        transport.write(b"x" * MEGABYTE)
        transport.close()
        transport.close()
        assert transport.is_closing()
        transport.write(b"too late")
        assert await reader.read() == b"x" * MEGABYTE
        await until(lambda: speakers[0].happened[-1] == "lost")


async def test_garbage_in_the_middle():
    """A record that was tampered with ends the connection, and the protocol hears of it."""
    async with serving() as (port, _, speakers), connected(port) as (_, writer):
        await until(lambda: speakers)
        with writer.get_extra_info("socket").dup() as wire:
            wire.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        await until(lambda: "lost" in speakers[0].happened)
        assert speakers[0].heard == b""


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 10, b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"])
async def test_not_tls(first):
    """Whoever speaks something else is let go at once; one that speaks HTTP is told."""
    async with serving() as (port, handshakes, speakers):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        said = await reader.read()
        writer.close()
        assert said.startswith(b"HTTP/1.1 400") == first.startswith(b"GET")
        await until(lambda: handshakes.failed == 1)
        assert not speakers


async def test_handshakes_that_nobody_goes_on_with():
    """They end after their time, and when there are too many the oldest makes room; visitors come in all the while."""
    async with serving(most=5, seconds=0.5) as (port, handshakes, speakers):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
        await until(lambda: handshakes.failed == 7)
        async with connected(port):
            await until(lambda: speakers)
        await until(lambda: handshakes.failed == 12)
        for _, writer in held:
            writer.close()
        assert handshakes.finished == 1


async def test_old_versions_are_refused():
    """TLS 1.1 is not spoken."""
    old = client()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving() as (port, _, speakers):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with connected(port, old):
                pass
        assert not speakers
