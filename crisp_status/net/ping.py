"""Many pings over one socket a family. The packets are icmplib's; who waits for which answer is known here.

A socket for each ping breaks at a few hundred at once: every raw socket gets everybody's answers, and files run out.
Unprivileged datagram sockets come first, raw ones where only they are allowed (PROTOCOLS section 9).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
import struct
from collections import deque
from typing import Any

from icmplib import ICMPv4Socket, ICMPv6Socket
from icmplib.exceptions import ICMPSocketError, SocketPermissionError

from crisp_status.clock import SystemClock
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.errors import ProbeError, Unknowable, explain
from crisp_status.net.resolve import Address

TOKEN_BYTES = 8
"""In each request and its answer; a number of 16 bits could be an old answer or somebody else's."""

RECEIVE_BUFFER = 1 << 20
"""Bytes; answers that come while the loop is busy must not be lost."""

BURST = 64
"""Requests that are sent before answers are read; those of a local network come at once and must fit into the buffer."""

BURST_WAIT = 0.002
"""Seconds until the next burst when no answer is read meanwhile."""

READ_MAX = 256
"""Answers that are read in one turn of the loop, so that a flood does not hold up the rest."""

ADVICE = (
    "this process may not ping; allow it with `sysctl -w net.ipv4.ping_group_range='0 2147483647'` (for good: a file in "
    "/etc/sysctl.d), or give it the capability CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW)"
)

ICMP_FILTER = 1
ICMP6_FILTER = 1
SOL_RAW = 255

ERRORS = {
    socket.AF_INET: {3: "unreachable", 11: "too many hops away"},
    socket.AF_INET6: {1: "unreachable", 3: "too many hops away"},
}
"""ICMP types with which a router says that a packet did not arrive (RFC 792, RFC 4443)."""

ANSWER = {socket.AF_INET: 0, socket.AF_INET6: 129}


class Pingers:
    """One `Pinger` a family, opened when first needed."""

    def __init__(self) -> None:
        self._open: dict[int, Pinger] = {}

    async def ping(self, address: Address) -> float:
        """Round trip to that address in seconds; waits until the caller's deadline ends it.

        Raises `ProbeError` when a router says that the address cannot be reached, `Unknowable` when we may not ping.
        """
        pinger = self._open.get(address.family)
        if pinger is None:
            pinger = self._open[address.family] = Pinger(address.family)
        return await pinger.ping(address)

    def close(self) -> None:
        """Close the sockets."""
        for pinger in self._open.values():
            pinger.close()
        self._open.clear()


class _Waiter:
    __slots__ = ("address", "answered", "sent", "sequence", "token")

    def __init__(self, address: Address, sequence: int, answered: asyncio.Future[float]) -> None:
        self.address = address
        self.sequence = sequence
        self.answered = answered
        self.token = os.urandom(TOKEN_BYTES)
        self.sent = 0.0


class Pinger:
    """Sends echo requests and gives each waiter its own answer."""

    def __init__(self, family: int) -> None:
        self._family = family
        self._icmp: Any = _socket(family)
        self._sock: socket.socket = self._icmp.sock
        self._sock.setblocking(False)
        self.privileged = bool(self._icmp.is_privileged)
        """Whether it had to be a raw socket."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._id = secrets.randbelow(0x10000)
        self._answer = ANSWER[socket.AddressFamily(family)]
        self._errors = ERRORS[socket.AddressFamily(family)]
        self._numbers = itertools.count(secrets.randbelow(0x10000))
        self._waiting: dict[bytes, _Waiter] = {}
        self._by_number: dict[int, _Waiter] = {}
        self._to_send: deque[_Waiter] = deque()
        self._clock = SystemClock()
        self._credit = BURST
        self._refill: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock, self._read)

    async def ping(self, address: Address) -> float:
        """See `Pingers.ping`."""
        waiter = _Waiter(address, next(self._numbers) & 0xFFFF, self._loop.create_future())
        self._waiting[waiter.token] = waiter
        self._by_number[waiter.sequence] = waiter
        self._to_send.append(waiter)
        self._send()
        try:
            return await waiter.answered
        finally:
            del self._waiting[waiter.token]
            if self._by_number.get(waiter.sequence) is waiter:
                del self._by_number[waiter.sequence]

    def _send(self) -> None:
        """Send what waits, but no more than a burst before answers were read: they would not fit into the buffer."""
        while self._to_send and self._credit:
            waiter = self._to_send.popleft()
            if waiter.answered.done():
                continue
            packet = self._icmp._create_packet(self._id, waiter.sequence, waiter.token)
            waiter.sent = self._clock.monotonic()  # finer than the clock of some event loops
            try:
                self._sock.sendto(packet, (waiter.address.sockaddr[0], 0, *waiter.address.sockaddr[2:]))
            except BlockingIOError:
                self._to_send.appendleft(waiter)
                self._credit = 0
            except OSError as error:
                waiter.answered.set_exception(explain(error, str(waiter.address), waiter.address.sockaddr))
            else:
                self._credit -= 1
        if self._to_send and self._refill is None:
            self._refill = self._loop.call_later(BURST_WAIT, self._refilled)

    def _refilled(self) -> None:
        """No answer came for a while: the silent must not hold up the others."""
        self._refill = None
        self._credit = BURST
        self._send()

    def _read(self) -> None:
        for _ in range(READ_MAX):
            try:
                packet, source = self._sock.recvfrom(2048)
            except BlockingIOError:
                self._credit = BURST
                return
            except OSError:
                continue
            self._hear(packet, source)

    def _hear(self, packet: bytes, source: Any) -> None:
        """Give an answer to the one who waits for it. Anything may come in here, also from strangers."""
        try:
            reply = self._icmp._parse_reply(packet, source[0], 0.0)
        except (struct.error, IndexError):
            return
        if reply is None or (self.privileged and reply.id != self._id):
            return
        if reply.type == self._answer:
            waiter = self._waiting.get(packet[-TOKEN_BYTES:])
            if waiter is not None and waiter.sequence == reply.sequence and not waiter.answered.done():
                waiter.answered.set_result(self._clock.monotonic() - waiter.sent)
            return
        trouble = self._errors.get(reply.type)
        waiter = self._by_number.get(reply.sequence)
        if trouble and waiter is not None and not waiter.answered.done() and self._about(packet, waiter):
            error = ProbeError(ReasonCode.UNREACHABLE, f"{waiter.address} is {trouble}, says {source[0]}")
            waiter.answered.set_exception(error)

    def _about(self, packet: bytes, waiter: _Waiter) -> bool:
        """Whether a router's complaint quotes a packet that was sent to that waiter's address."""
        target = socket.inet_pton(self._family, waiter.address.ip.partition("%")[0])
        start = 28 + 16 if self._family == socket.AF_INET else 8 + 24
        return packet[start : start + len(target)] == target

    def close(self) -> None:
        """Close the socket; who still waits goes on until its deadline."""
        self._loop.remove_reader(self._sock)
        if self._refill is not None:
            self._refill.cancel()
        self._icmp.close()


def _socket(family: int) -> Any:
    kind = ICMPv4Socket if family == socket.AF_INET else ICMPv6Socket
    for privileged in (False, True):
        try:
            found = kind(privileged=privileged)
        except SocketPermissionError:
            continue
        except ICMPSocketError as error:
            raise Unknowable(f"no socket to ping with: {error}") from None
        if privileged:
            _only_answers(found.sock, family)
        return found
    raise Unknowable(ADVICE, "permission")


def _only_answers(sock: socket.socket, family: int) -> None:
    """Let the kernel drop what is neither an answer nor a complaint: a raw socket gets all ICMP of the host."""
    wanted = [ANSWER[socket.AddressFamily(family)], *ERRORS[socket.AddressFamily(family)]]
    mask = bytearray(b"\xff" * 32)
    for number in wanted:
        mask[number // 32 * 4 : number // 32 * 4 + 4] = struct.pack(
            "=I", struct.unpack_from("=I", mask, number // 32 * 4)[0] & ~(1 << (number % 32))
        )
    with contextlib.suppress(OSError):
        if family == socket.AF_INET:
            sock.setsockopt(SOL_RAW, ICMP_FILTER, bytes(mask[:4]))
        else:
            sock.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, bytes(mask))


def may_ping() -> str:
    """Empty when this process may ping, else the sentence that says what to set. Opens and closes a socket."""
    try:
        _socket(socket.AF_INET).close()
    except Unknowable as error:
        return error.text
    return ""
