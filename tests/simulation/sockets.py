"""Sockets of a simulated machine, as asyncio and our probes use the real ones."""

from __future__ import annotations

import errno
import os
import selectors
import socket
from typing import TYPE_CHECKING, Any

from tests.simulation.wire import End

if TYPE_CHECKING:
    from tests.simulation.host import SimHost
    from tests.simulation.wire import Address


class SimSocket:
    """A TCP socket that does not block, as far as asyncio and our probes use one."""

    proto = 0

    def __init__(self, host: SimHost, family: int = socket.AF_INET) -> None:
        self.host = host
        self.family = socket.AddressFamily(family)
        self.type = socket.SOCK_STREAM
        self.number = host.admit(self)
        self.end = End(host.net, host.name)
        self.waiting: list[End] | None = None
        """Of a listening socket: who wants to come in."""
        self._name: Address = (host.name, 0)

    def fileno(self) -> int:
        return self.number

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def gettimeout(self) -> float:
        return 0.0

    def setsockopt(self, *_: object) -> None:
        """No option matters here."""

    def getsockopt(self, level: int, option: int) -> int:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_ERROR):
            return self.end.error
        return 0

    def getsockname(self) -> Address:
        return self._name if self.waiting is not None else self.end.at

    def getpeername(self) -> Address:
        if self.end.peer is None or not self.end.connected:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self.end.peer.at

    def bind(self, address: Address) -> None:
        self._name = address

    def listen(self, _backlog: int) -> None:
        self.waiting = []
        self.host.net.servers[self._name] = self

    def knock(self, end: End) -> str:
        """As a `wire.Server`: the kernel takes connections also while the program stands still."""
        if self.waiting is None or len(self.waiting) > 1000:
            return "silent"
        self.waiting.append(end)
        return "yes"

    def accept(self) -> tuple[SimSocket, Address]:
        if not self.waiting:
            raise BlockingIOError
        made = SimSocket(self.host)
        made.end = self.waiting.pop(0)
        return made, made.end.peer.at if made.end.peer else ("", 0)

    def connect_ex(self, address: Any) -> int:
        self.host.net.connect(self.end, (address[0], address[1]))
        return errno.EINPROGRESS

    def connect(self, address: Any) -> None:
        self.connect_ex(address)
        raise BlockingIOError(errno.EINPROGRESS, os.strerror(errno.EINPROGRESS))

    def send(self, data: bytes) -> int:
        self._check()
        if self.end.error or self.end.closed:
            raise OSError(self.end.error or errno.EPIPE, os.strerror(self.end.error or errno.EPIPE))
        taken = self.end.send(data)
        if not taken:
            raise BlockingIOError
        return taken

    def sendmsg(self, parts: list[bytes]) -> int:
        return self.send(b"".join(parts))

    def recv(self, size: int) -> bytes:
        self._check()
        end = self.end
        if end.inbox:
            data = bytes(end.inbox[:size])
            del end.inbox[:size]
            return data
        if end.error:
            raise OSError(end.error, os.strerror(end.error))
        if end.eof:
            return b""
        raise BlockingIOError

    def recv_into(self, buffer: Any) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def shutdown(self, _how: int) -> None:
        self._check()
        self.end.finish()

    def close(self) -> None:
        if self.number < 0:
            return
        self.host.sockets.pop(self.number, None)
        self.number = -1
        if self.waiting is not None:
            self.host.net.servers.pop(self._name, None)
            for end in self.waiting:
                end.close(hard=True)
        self.end.close()

    def detach(self) -> int:
        number, self.number = self.number, -1
        return number

    def ready(self) -> int:
        """What a selector would report."""
        end = self.end
        if self.waiting is not None:
            return selectors.EVENT_READ if self.waiting else 0
        found = selectors.EVENT_READ if end.inbox or end.eof or end.error else 0
        if end.error or (end.connected and end.room > 0):
            found |= selectors.EVENT_WRITE
        return found

    def _check(self) -> None:
        if self.number < 0 or self.host.off:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
