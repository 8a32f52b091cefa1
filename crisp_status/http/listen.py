"""Opening the addresses that are listened on, with sentences for people when that fails."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from crisp_status.config.addresses import TLS_PORT, Listen, parse_listen

BACKLOG: Final = 1024
"""Connections that wait for us to accept them: a crowd arrives within one blink of the loop. The kernel caps it."""

UNIX_MODE: Final = 0o666
"""Of a unix socket: the proxy runs as another user, what is served is public, and the rest needs a token. Who wants
fewer to come in says so with the mode of its folder."""


class ListenError(Exception):
    """An address cannot be listened on; the message says which, why and what to do."""


@dataclass(frozen=True)
class Listener:
    """One listening socket and how people would write its address."""

    sock: socket.socket
    name: str
    path: str = ""
    """Of a unix socket that we made and take away at the end."""
    inode: int = 0
    tls: bool = False
    """It speaks TLS."""

    def close(self) -> None:
        """Stop listening."""
        if self.path:
            with suppress(OSError):
                # Only our own: another daemon may have taken the name meanwhile.
                if os.stat(self.path).st_ino == self.inode:
                    os.unlink(self.path)
        self.sock.close()


class Listeners(Protocol):
    """Whoever opens addresses; `open_doors` does it on this machine."""

    def __call__(self, addresses: Sequence[str], inherited: Sequence[socket.socket] = (), /) -> list[Listener]:
        """Bind every address."""


def open_listeners(addresses: Sequence[str], inherited: Sequence[socket.socket] = ()) -> list[Listener]:
    """Bind every address: `host:port`, `[v6]:port`, `unix:/path`, or `systemd` for the inherited sockets.

    Raises ListenError; then none stays open.
    """
    doors: list[Listener] = []
    try:
        for address in addresses:
            doors += _open(address, inherited)
    except BaseException:
        for door in doors:
            door.close()
        raise
    return doors


def _open(address: str, inherited: Sequence[socket.socket]) -> list[Listener]:
    if address == "systemd":
        if not inherited:
            raise ListenError(
                "cannot listen on systemd: it has handed over no socket; enable the .socket unit, or set an address"
            )
        return [Listener(s, _name(s), tls=_name(s).endswith(f":{TLS_PORT}")) for s in inherited]
    try:
        listen = parse_listen(address)
    except ValueError as error:
        raise ListenError(f"cannot listen on {error}") from None
    if listen.kind == "unix":
        return [_open_unix(address, listen.path)]
    return _open_tcp(address, listen)


def _open_tcp(address: str, listen: Listen) -> list[Listener]:
    host, port = listen.host, listen.port
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ListenError(f"cannot listen on {address}: the name {host} has no address ({error.strerror})") from None
    doors: list[Listener] = []
    for family, kind, proto, _, where in dict.fromkeys(found):
        try:
            sock = socket.socket(family, kind, proto)
        except OSError:
            continue
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(where)
            sock.listen(BACKLOG)
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                continue
            for door in doors:
                door.close()
            raise ListenError(f"cannot listen on {address}: {_why(error, port)}") from None
        doors.append(Listener(sock, _name(sock), tls=listen.tls))
    if not doors:
        raise ListenError(f"cannot listen on {address}: this machine has no such address")
    return doors


def _open_unix(address: str, path: str) -> Listener:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(address, path)
        sock.bind(path)
        # Nobody can connect before `listen`, so nobody comes in with the wrong mode.
        Path(path).chmod(UNIX_MODE)
        inode = os.stat(path).st_ino
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ListenError(f"cannot listen on {address}: {_why(error, 0)}") from None
    except ListenError:
        sock.close()
        raise
    return Listener(sock, f"unix:{path}", path, inode)


def _clear(address: str, path: str) -> None:
    """Take away the socket that a killed daemon left; anything else that stands there is not ours to remove."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(f"cannot listen on {address}: a file that is not a socket is in its place")
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1.0)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        os.unlink(path)
    else:
        raise ListenError(f"cannot listen on {address}: another program listens there")
    finally:
        probe.close()


def _why(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; stop it, or set another port in server.listen"
    if error.errno in {errno.EACCES, errno.EPERM}:
        if 0 < port < 1024:
            return (
                "ports below 1024 need a permission; use a higher one behind a proxy, socket activation, "
                "or AmbientCapabilities=CAP_NET_BIND_SERVICE"
            )
        return "no permission"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    if error.errno == errno.ENOENT:
        return "its folder does not exist"
    return error.strerror or str(error)


def _name(sock: socket.socket) -> str:
    where = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{where}"
    host, port = where[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"
