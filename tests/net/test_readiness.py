"""Sockets are waited for by one epoll beside the loop; the right task wakes, for the right reason."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from crisp_status.cli.run import _loop_factory
from crisp_status.net.readiness import Readiness
from tests.probes.servers import blackhole, refusing


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Readiness]:
    ready = Readiness(select.epoll())
    try:
        yield ready
    finally:
        ready.close()


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def new() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


async def _a_talk() -> bytes:
    """Connect, send more than the system takes at once, read the answer to its end."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)  # meanwhile the way fills up
        heard = await reader.readexactly(8_000_000)
        writer.write(b"heard %d" % len(heard))
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    async with server, opened() as ready:
        with new() as sock:
            await ready.connect(sock, server.sockets[0].getsockname())
            await ready.send(sock, bytes(8_000_000))
            heard = b""
            while more := await ready.receive(sock, 3):
                heard += more
    return heard


@pytest.mark.parametrize("factory", [None, _loop_factory()], ids=["asyncio", "ours"])
def test_a_talk_on_every_loop(factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    """Python's own, and the one that the daemon takes where it is installed."""
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(_a_talk()) == b"heard 8000000"


async def test_a_refusal_is_an_error_with_its_number() -> None:
    """As the system says it."""
    async with opened() as ready:
        with new() as sock, pytest.raises(ConnectionRefusedError) as refused:
            await ready.connect(sock, split(refusing()))
    assert refused.value.errno == errno.ECONNREFUSED


async def test_a_connection_that_breaks_wakes_who_waits_for_bytes() -> None:
    """An end without bytes, and no task that waits for ever."""
    async with opened() as ready:
        with pair() as (ours, theirs):
            waiting = asyncio.ensure_future(ready.receive(ours, 10))
            await asyncio.sleep(0)
            theirs.close()
            assert await waiting == b""


async def test_who_gave_up_is_not_woken_in_the_next_one_with_the_same_number() -> None:
    """A child that was just forked holds the old socket open for a moment: what comes there connects nobody here."""
    async with opened() as ready:
        with pair() as (old, theirs), blackhole() as address:
            held = os.dup(old.fileno())  # as the child does
            waiting = asyncio.ensure_future(ready.receive(old, 10))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            number = old.detach()
            with new() as fresh:
                os.dup2(fresh.fileno(), number)  # closes the old one; its number leads elsewhere now
            with socket.socket(fileno=number) as again:
                waiting = asyncio.ensure_future(ready.connect(again, split(address)))
                await asyncio.sleep(0)
                theirs.send(b"late")
                await asyncio.sleep(0.02)
                assert not waiting.done()
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
            os.close(held)


@pytest.mark.parametrize("woken_first", [True, False])
async def test_giving_up_in_the_instant_of_being_woken_breaks_nothing(woken_first: bool) -> None:
    """The deadline and the answer come in the same turn of the loop, in either order."""
    async with opened() as ready:
        with pair() as (ours, theirs):
            waiting = asyncio.ensure_future(ready.receive(ours, 10))
            await asyncio.sleep(0)
            theirs.send(b"now")
            for act in (ready._wake, waiting.cancel) if woken_first else (waiting.cancel, ready._wake):
                act()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await ready.receive(ours, 10) == b"now"


async def test_thousands_wait_at_once() -> None:
    """All that are told are woken, also when the system tells of so many in parts."""
    async with opened() as ready:
        with contextlib.ExitStack() as stack:
            pairs = [stack.enter_context(pair()) for _ in range(1500)]
            waiting = [asyncio.ensure_future(ready.receive(ours, 10)) for ours, _ in pairs]
            await asyncio.sleep(0)
            for number, (_, theirs) in enumerate(pairs):
                theirs.send(b"%d" % number)
            async with asyncio.timeout(5):
                assert await asyncio.gather(*waiting) == [b"%d" % number for number in range(1500)]


async def test_who_is_swallowed_waits_until_told_to_stop() -> None:
    """Nothing wakes it before."""
    async with opened() as ready:
        with blackhole() as address, new() as sock, pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ready.connect(sock, split(address))
