"""Waiting for a socket, with nothing around it: a look is short, and most of its cost is what surrounds the socket."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Any

PENDING = {errno.EINPROGRESS, errno.EINTR, errno.EALREADY}


async def connect(sock: socket.socket, address: Any) -> None:
    """Connect a non-blocking socket to a numeric address. Raises `OSError`."""
    number = sock.connect_ex(address)
    if number in PENDING:
        await writable(sock)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


async def send(sock: socket.socket, data: bytes) -> None:
    """Send all of it. Raises `OSError`."""
    while data:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            await writable(sock)


async def receive(sock: socket.socket, size: int) -> bytes:
    """What has come, at least a byte; b"" at the end. Raises `OSError`."""
    while True:
        try:
            return sock.recv(size)
        except BlockingIOError:
            await readable(sock)


async def readable(sock: socket.socket) -> None:
    """Wait until there is something to read, or an error or an end to learn of."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    number = sock.fileno()
    loop.add_reader(number, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_reader(number)


async def writable(sock: socket.socket) -> None:
    """Wait until it takes data, or is connected, or has failed."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    number = sock.fileno()
    loop.add_writer(number, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_writer(number)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
