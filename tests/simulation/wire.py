"""A network in memory under virtual time: packets that travel, wait and get lost, connections that end in every way.

Both ends of a connection are an `End`. A program under test has it behind a `SimSocket` (tests/simulation/loop.py);
whoever plays the outside world is an `Actor` and is called when something arrives.
"""

from __future__ import annotations

import errno
import heapq
from collections import deque
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Address = tuple[str, int]

WINDOW = 65_536
"""Bytes that may be on the way or unread; then the sender waits."""

SYN_AGAIN = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between two tries to connect, as Linux has them; after the last it gives up."""

PATIENCE = 120.0
"""Seconds that what was sent waits for a network that is gone, before the connection is given up."""


class Actor(Protocol):
    """Somebody of the outside world at one end of a connection."""

    def opened(self, end: End) -> None:
        """The connection is there."""

    def heard(self, end: End, data: bytes) -> None:
        """These bytes came."""

    def ended(self, end: End) -> None:
        """The other side says no more."""

    def broke(self, end: End, error: int) -> None:
        """It is gone, or was never there; an errno."""


class Server(Protocol):
    """Whoever listens at an address."""

    def knock(self, end: End) -> str:
        """Somebody wants to connect to `end`: "yes" (it is taken), "no" (refused), "silent", "unreachable", or seconds
        to think, such as "3.5"."""


class End:
    """One side of a connection."""

    def __init__(self, net: Net, host: str, actor: Actor | None = None) -> None:
        self.net = net
        self.host = host
        self.actor = actor
        self.at: Address = ("", 0)
        """This side's own address."""
        self.peer: End | None = None
        self.inbox = bytearray()
        self.connected = False
        self.eof = False
        self.error = 0
        self.closed = False
        self._way: deque[bytes | None] = deque()
        """What is on its way to the peer; None is the end."""
        self._on_way = 0
        self._moving = False

    @property
    def room(self) -> int:
        """Bytes that may be sent now."""
        return WINDOW - self._on_way - (len(self.peer.inbox) if self.peer else 0)

    def send(self, data: bytes) -> int:
        """Hand over what fits; how much that was."""
        taken = bytes(data[: max(0, self.room)])
        if taken:
            self._way.append(taken)
            self._on_way += len(taken)
            self._move()
        return len(taken)

    def finish(self) -> None:
        """Say no more."""
        if self._way and self._way[-1] is None:
            return
        self._way.append(None)
        self._move()

    def close(self, *, hard: bool = False) -> None:
        """Let go of it. `hard`, or with something unread: the other side hears of an error."""
        if self.closed:
            return
        self.closed = True
        if hard or self.inbox:
            self._way.clear()
            peer = self.peer
            if peer is not None and self.connected:
                self.net.later(self.net.latency(), lambda: self._reset(peer))
        elif self.connected:
            self.finish()

    def vanish(self) -> None:
        """The machine is off: nobody hears of anything."""
        self.closed = True
        self._way.clear()

    def fail(self, error: int) -> None:
        """It broke, by an error that this side hears of."""
        if self.closed or self.error:
            return
        self.error = error
        self._way.clear()
        if self.actor is not None:
            self.actor.broke(self, error)

    def _reset(self, peer: End) -> None:
        if not self.net.cut(self.host, peer.host):
            peer.fail(errno.ECONNRESET)

    def _move(self) -> None:
        if not self._moving:
            self._moving = True
            self.net.later(self.net.latency(), lambda: self._arrive(self.net.now))

    def _arrive(self, sent_at: float) -> None:
        peer, net = self.peer, self.net
        if not self._way or peer is None:
            self._moving = False
            return
        if net.cut(self.host, peer.host):
            if net.now - sent_at > PATIENCE:
                self._moving = False
                self.fail(errno.ETIMEDOUT)
            else:
                net.later(min(8.0, 0.2 + (net.now - sent_at)), lambda: self._arrive(sent_at))
            return
        if peer.closed or peer.error:
            self._moving = False
            if not peer.error:
                self.fail(errno.ECONNRESET)
            return
        part = self._way.popleft()
        if part is not None and len(part) > 1 and net.dice.random() < 0.2:
            keep = net.dice.randrange(1, len(part))
            self._way.appendleft(part[keep:])
            part = part[:keep]
        self._moving = bool(self._way)
        if self._moving:
            net.later(net.latency() / 10, lambda: self._arrive(net.now))
        self._hand_over(peer, part)

    def _hand_over(self, peer: End, part: bytes | None) -> None:
        if part is None:
            peer.eof = True
            if peer.actor is not None:
                peer.actor.ended(peer)
            return
        self._on_way -= len(part)
        if peer.actor is not None:
            peer.actor.heard(peer, part)
        else:
            peer.inbox += part


class Net:
    """Time, addresses, names and everything that is on its way."""

    def __init__(self, dice: Random, now: float = 1000.0) -> None:
        self.dice = dice
        self.now = now
        """Seconds of a clock that only runs."""
        self.servers: dict[Address, Server] = {}
        self.names: dict[str, tuple[str, ...]] = {}
        """Addresses of each name; none: it exists no more."""
        self.mute_names: set[str] = set()
        """Names whose nameservers do not answer."""
        self.resolver_works = True
        """Whether the nameservers of our own hosts answer."""
        self.cuts: set[frozenset[str]] = set()
        """Pairs of hosts that do not hear each other; a host alone hears nobody but itself."""
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._port = count(20_000)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Let it happen then."""
        heapq.heappush(self._due, (max(when, self.now), next(self._number), call))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Let it happen after so long."""
        self.at(self.now + seconds, call)

    @property
    def next(self) -> float:
        """When something happens next; infinite for never."""
        return self._due[0][0] if self._due else inf

    def run_to(self, when: float) -> None:
        """Time passes, and what is due by then happens."""
        while self._due and self._due[0][0] <= when:
            at, _, call = heapq.heappop(self._due)
            self.now = max(self.now, at)
            call()
        self.now = max(self.now, when)

    def latency(self) -> float:
        """Of one packet."""
        return self.dice.choice((0.0005, 0.004, 0.02, 0.06))

    def cut(self, one: str, other: str) -> bool:
        """Whether these hosts do not hear each other."""
        if one == other or not self.cuts:
            return False
        return not self.cuts.isdisjoint({frozenset({one}), frozenset({other}), frozenset({one, other})})

    def connect(self, end: End, to: Address) -> None:
        """Try to connect; `end` becomes connected or gets an error, in its time."""
        end.at = (end.host, next(self._port))
        self.later(self.latency(), lambda: self._syn(end, to, 0))

    def _syn(self, end: End, to: Address, tries: int) -> None:
        if end.closed:
            return
        server = self.servers.get(to)
        answer = "silent" if self.cut(end.host, to[0]) else "no"
        if answer == "no" and server is not None:
            other = End(self, to[0])
            other.at, other.peer = to, end
            answer = server.knock(other)
            if answer[0].isdigit():
                self.later(float(answer), lambda: self._join(end, other))
                return
            if answer == "yes":
                self._join(end, other)
                return
        self._refuse(end, to, tries, answer)

    def _refuse(self, end: End, to: Address, tries: int, answer: str) -> None:
        if answer == "silent" and tries < len(SYN_AGAIN):
            self.later(SYN_AGAIN[tries], lambda: self._syn(end, to, tries + 1))
            return
        error = {"no": errno.ECONNREFUSED, "silent": errno.ETIMEDOUT, "unreachable": errno.EHOSTUNREACH}[answer]
        self.later(self.latency(), lambda: end.fail(error))

    def _join(self, end: End, other: End) -> None:
        if end.closed:
            other.fail(errno.ECONNRESET)
            return
        end.peer = other
        end.connected = other.connected = True
        for side in (other, end):
            if side.actor is not None:
                side.actor.opened(side)

    def dial(self, host: str, to: Address, actor: Actor) -> End:
        """Somebody of the outside world connects."""
        end = End(self, host, actor)
        self.connect(end, to)
        return end

    def lookup(self, name: str) -> tuple[str, ...] | None:
        """What the nameservers of a name say; None: nothing."""
        return None if name in self.mute_names else self.names.get(name, ())
