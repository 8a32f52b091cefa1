"""A TCP connection to a host: any of its addresses will do, tried as a browser tries them (RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import expect, note
from crisp_status.net.errors import ProbeError, Unknowable, explain
from crisp_status.net.proxy import Proxy, through
from crisp_status.net.resolve import Address, numeric
from crisp_status.net.tools import Tools, tools
from crisp_status.net.way import USUAL, Way

PENDING = {errno.EINPROGRESS, errno.EINTR, errno.EALREADY}

STAGGER = 0.25
"""Seconds that an address has for itself before the next one is tried beside it (RFC 8305, section 8)."""


async def connect(host: str, port: int, way: Way = USUAL) -> tuple[socket.socket, Address]:
    """A connected, non-blocking socket and the address it leads to; the caller closes it.

    Raises `ProbeError` or `Unknowable`.
    """
    shared = tools()
    if way.proxy is not None:
        return await _by_proxy(way.proxy, host, port, way)
    literal = numeric(host, port)
    addresses = (literal,) if literal is not None else await shared.resolver.resolve(host, port)
    if way.family:
        addresses = of_family(addresses, way, host)
    if len(addresses) == 1:
        expect("no connection to {peer}", peer=addresses[0])
        found = await _open(shared, addresses[0])
    else:
        expect("no connection to {peer}", peer=_several(addresses))
        found = await _race(shared, addresses)
    note("connected to {address}", address=found[1])
    return found


async def _by_proxy(proxy: Proxy, host: str, port: int, way: Way) -> tuple[socket.socket, Address]:
    """The connection that a proxy makes for us. One that cannot be reached says nothing about the target."""
    try:
        sock, _ = await connect(proxy.host, proxy.port, Way(way.family))
    except ProbeError as error:
        raise Unknowable(f"the proxy {proxy} cannot be reached: {error}", "network") from None
    there = Address(socket.AF_UNSPEC, (host, port))
    if way.forward:
        return sock, there
    try:
        expect("no connection to {peer} by the proxy", peer=there)
        await through(sock, proxy, host, port)
    except BaseException:
        sock.close()
        raise
    note("connected to {address} by the proxy {proxy}", address=there, proxy=proxy)
    return sock, there


def of_family(addresses: tuple[Address, ...], way: Way, host: str) -> tuple[Address, ...]:
    """Those of the family that is wanted; a `ProbeError` when there is none."""
    found = tuple(address for address in addresses if way.family in {socket.AF_UNSPEC, address.family})
    if not found:
        raise ProbeError(ReasonCode.NAME, f"{host} has no {way.family_word} address")
    return found


async def _open(shared: Tools, address: Address) -> tuple[socket.socket, Address]:
    sock = None
    try:
        sock = shared.new_socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        await _connected(sock, address)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise explain(error, str(address), address.sockaddr) from error
    except BaseException:
        if sock is not None:
            sock.close()
        raise
    return sock, address


async def _connected(sock: socket.socket, address: Address) -> None:
    """Connect. `loop.sock_connect` would take the address apart again, which is a tenth of what a look costs."""
    number = sock.connect_ex(address.sockaddr)
    if number in PENDING:
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()
        descriptor = sock.fileno()
        loop.add_writer(descriptor, _wake, writable)
        try:
            await writable
        finally:
            loop.remove_writer(descriptor)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _wake(writable: asyncio.Future[None]) -> None:
    if not writable.done():
        writable.set_result(None)


async def _race(shared: Tools, addresses: tuple[Address, ...]) -> tuple[socket.socket, Address]:
    """Start with the first, the next after `STAGGER` or as soon as one fails; the first that connects wins."""
    waiting = list(addresses)
    running: set[asyncio.Task[tuple[socket.socket, Address]]] = set()
    failures: list[ProbeError | Unknowable] = []
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_open(shared, waiting.pop(0))))
            done, running = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None:
                    running |= done - {task}
                    return task.result()
                if not isinstance(error, ProbeError | Unknowable):
                    raise error
                failures.append(error)
    finally:
        await _discard(running)
    raise _worst(failures)


async def _discard(tasks: set[asyncio.Task[tuple[socket.socket, Address]]]) -> None:
    """Stop those who lost the race, and close what they may have opened."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, ProbeError, Unknowable):
            (await task)[0].close()


def _worst(failures: list[ProbeError | Unknowable]) -> ProbeError | Unknowable:
    """What to say when no address connected: a failure of the target counts more than a family that we lack."""
    limits = [f for f in failures if isinstance(f, Unknowable) and f.cause != "network"]
    theirs = [f for f in failures if isinstance(f, ProbeError)]
    if limits or not theirs:
        return (limits or failures)[0]
    first = theirs[0]
    if len(theirs) > 1:
        others = len(theirs) - 1
        more = f"{first}, and no better by {others} more address{'es' if others > 1 else ''}"
        return ProbeError(first.reason.code, more, first.reason.value)
    return first


def _several(addresses: tuple[Address, ...]) -> str:
    return f"any of {', '.join(map(str, addresses[:3]))}{', …' if len(addresses) > 3 else ''}"
