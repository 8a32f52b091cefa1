"""Names to addresses with the resolver of the system, in threads of our own.

The default pool of asyncio is small: sixty hanging lookups keep a healthy one waiting for a minute, and a slow
nameserver would look like dead targets. Nothing is remembered from one look to the next, so that a changed record is
seen; only lookups of the same name at the same time share one answer.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import secrets
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from crisp_status.config.hostname import ascii_host
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import acquire, expect, note, resolved_after
from crisp_status.net.errors import Cause, NameFailure, ProbeError, Unknowable, out_of_files
from crisp_status.net.threads import Threads

THREADS = 64
"""getaddrinfo blocks; a hanging one ends by itself after the timeouts of resolv.conf, usually 10 to 30 s."""

SHARED_SECONDS = 1.0
"""A lookup that takes longer is not waited for by others: a packet of it may be lost, and theirs would come through."""

ADDRESSES_MAX = 32
"""More addresses of one name than this are cut off: a name is not a way to make us knock on a thousand doors."""

ALIVE_WAIT = 2.0
"""Seconds for our nameservers to show that they live."""

RESOLV_CONF = "/etc/resolv.conf"

NOERROR = 0


class Address(NamedTuple):
    """Where to connect to."""

    family: int
    sockaddr: Any

    @property
    def ip(self) -> str:
        """The address without a port."""
        return str(self.sockaddr[0])

    def __str__(self) -> str:
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{host}:{self.sockaddr[1]}" if self.sockaddr[1] else self.ip


class Blocking(Protocol):
    """Whoever runs calls that block; `net.threads.Threads` is the real one."""

    def run(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """Have it called."""

    def close(self) -> None:
        """No more calls."""


GetAddrInfo = Callable[..., Sequence[tuple[Any, Any, Any, Any, Any]]]


class Resolver:
    """Shared by all looks of one event loop. Everything it is given is of the system but in tests."""

    def __init__(
        self,
        lookup: GetAddrInfo = socket.getaddrinfo,
        resolv_conf: str = RESOLV_CONF,
        threads: Callable[[int], Blocking] = Threads,
    ) -> None:
        self._lookup = lookup
        self._resolv_conf = resolv_conf
        self._threads = threads(THREADS)
        self._limit = asyncio.Semaphore(THREADS)
        self._asked: dict[tuple[str, int], asyncio.Future[tuple[Address, ...]]] = {}
        self._asked_at: dict[tuple[str, int], float] = {}
        self._alive: asyncio.Future[bool] | None = None

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """Addresses of a host, in the order of preference of this system (RFC 6724).

        Raises `NameFailure` when it was not found, `ProbeError` when no such name can exist, `Unknowable` for an error of
        ours. The target is not charged for waiting for a free thread.
        """
        literal = numeric(host, port)
        if literal is not None:
            return (literal,)
        expect(f"the name {host} was not resolved", code=ReasonCode.NAME)
        key = (host, port)
        loop = asyncio.get_running_loop()
        began = loop.time()
        asked = self._shared(key)
        if asked is None:
            await acquire(self._limit)
            asked = self._shared(key)
            if asked is not None:
                self._limit.release()
            else:
                asked = self._threads.run(functools.partial(self._blocking, host, port))
                self._asked[key] = asked
                self._asked_at[key] = loop.time()
                asked.add_done_callback(functools.partial(self._forget, key))
        found = await asyncio.shield(asked)
        resolved_after(loop.time() - began)
        note("resolved {name} to {addresses}", name=host, addresses=[address.ip for address in found])
        return found

    def _shared(self, key: tuple[str, int]) -> asyncio.Future[tuple[Address, ...]] | None:
        """The lookup of the same name that has just begun."""
        asked = self._asked.get(key)
        if asked is None or asyncio.get_running_loop().time() - self._asked_at[key] > SHARED_SECONDS:
            return None
        return asked

    def _forget(self, key: tuple[str, int], asked: asyncio.Future[tuple[Address, ...]]) -> None:
        """The thread is free again, which may be long after the look that asked has given up."""
        self._limit.release()
        if self._asked.get(key) is asked:
            del self._asked[key], self._asked_at[key]
        if not asked.cancelled():
            asked.exception()

    def _blocking(self, host: str, port: int) -> tuple[Address, ...]:
        try:
            found = self._lookup(ascii_host(host), port, 0, socket.SOCK_STREAM)
        except ValueError:  # also the UnicodeError of a label that is empty or too long
            raise ProbeError(ReasonCode.NAME, f"{host} is not a host name") from None
        except socket.gaierror as error:
            raise _named(host, error) from None
        except OSError as error:
            cause: Cause = "limit" if error.errno in {errno.EMFILE, errno.ENFILE} else "resolver"
            raise Unknowable(f"cannot resolve {host}: {error.strerror or error}", cause) from None
        unique = dict.fromkeys(Address(int(family), sockaddr) for family, _, _, _, sockaddr in found)
        return tuple(unique)[:ADDRESSES_MAX]

    async def works(self) -> bool:
        """Whether a nameserver of this host resolves names. Many who ask at the same time share one question."""
        if self._alive is None or self._alive.done():
            self._alive = asyncio.ensure_future(self._any_nameserver())
        return await asyncio.shield(self._alive)

    async def _any_nameserver(self) -> bool:
        asked = [asyncio.ensure_future(_answers(server)) for server in nameservers(self._resolv_conf)]
        try:
            for answer in asyncio.as_completed(asked, timeout=ALIVE_WAIT):
                if await answer:
                    return True
        except TimeoutError:
            pass
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return False

    def close(self) -> None:
        """Let the threads go; one that hangs is left to end by itself."""
        self._threads.close()


def numeric(host: str, port: int) -> Address | None:
    """The address, when the host is written as one; None when it is a name.

    Remembered, but for one with a zone: the number of an interface may change.
    """
    return _numeric.__wrapped__(host, port) if "%" in host else _numeric(host, port)


@functools.lru_cache(maxsize=65_536)
def _numeric(host: str, port: int) -> Address | None:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        pass
    else:
        return Address(socket.AF_INET, (host, port))
    if ":" not in host:
        return None
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except OSError as error:
        raise ProbeError(
            ReasonCode.NAME, f"{host} is not an address of this host's networks: {error.strerror}"
        ) from None
    return Address(socket.AF_INET6, found[0][4])


def nameservers(resolv_conf: str = RESOLV_CONF) -> list[str]:
    """Addresses of the nameservers that this host asks (resolv.conf(5)); without the file, itself."""
    try:
        lines = Path(resolv_conf).read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    words = (line.split() for line in lines)
    return [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"][:3] or ["127.0.0.1"]


def _named(host: str, error: socket.gaierror) -> ProbeError | Unknowable:
    """What a failed lookup means. Nearly all of it may be their nameserver or ours: a resolver that forwards to nobody
    may well say that no name exists, and `look` asks `Resolver.works` before it believes so.
    """
    if error.errno in {socket.EAI_MEMORY, socket.EAI_SYSTEM} or out_of_files():
        return Unknowable(f"this host cannot resolve {host} now: {error.strerror or 'too many open files'}", "limit")
    if error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL}:
        return NameFailure(f"the name {host} could not be resolved: its nameservers do not answer")
    return NameFailure(f"the name {host} does not exist or has no address")


class _Question(asyncio.DatagramProtocol):
    """Hears one answer."""

    def __init__(self, id: bytes) -> None:
        self._id = id
        self.heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if len(data) >= 4 and data[:2] == self._id and not self.heard.done():
            self.heard.set_result(data[3] & 0x0F == NOERROR)

    def error_received(self, exc: Exception) -> None:
        if not self.heard.done():
            self.heard.set_result(False)


async def _answers(server: str) -> bool:
    """Whether a nameserver can say who serves the root (RFC 1035). Any other answer (SERVFAIL, REFUSED, NXDOMAIN, …) means
    that it does not resolve names for us, whatever it says of a name.
    """
    number = secrets.token_bytes(2)
    question = number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.create_datagram_endpoint(lambda: _Question(number), remote_addr=(server, 53))
    except OSError:
        return False
    try:
        transport.sendto(question)
        return await protocol.heard
    finally:
        transport.close()
