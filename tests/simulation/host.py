"""A machine of the simulated world: its clock, its sockets, its threads, and the program that runs on it, until it is
killed, frozen or without power."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import selectors
import sys
import warnings
from math import inf
from typing import TYPE_CHECKING

from crisp_status.http.listen import Listener
from tests.simulation.loop import SimLoop, answer_of
from tests.simulation.machine import bugs
from tests.simulation.sockets import SimSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from tests.disk import FakeDisk
    from tests.simulation.wire import Net

PORT = 8080
"""Where a daemon serves its page."""

FIRST_NUMBER = 1_000_000
"""Descriptors of simulated sockets: far above real ones."""


class SimClock:
    """Mirrors `clock.SystemClock`, on one machine."""

    def __init__(self, net: Net, wall: float) -> None:
        self._net = net
        self._offset = wall - net.now

    def now(self) -> float:
        return self._net.now + self._offset

    def monotonic(self) -> float:
        return self._net.now

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._offset += seconds


class SimHost:
    """One machine, named by its address. At most one program runs on it."""

    def __init__(self, net: Net, name: str, wall: float) -> None:
        self.net = net
        self.name = name
        self.clock = SimClock(net, wall)
        self.sockets: dict[int, SimSocket] = {}
        self.gone = True
        """No program runs."""
        self.disk: FakeDisk | None = None
        """Of a machine whose power may go while it writes."""
        self.wake_at = inf
        self.frozen_until = 0.0
        self.files_max = 1 << 30
        """Sockets that may be open."""
        self.slow_disk = 0.0
        """Seconds that threads of the store take longer."""
        self.main: asyncio.Task[None] | None = None
        self._number = FIRST_NUMBER
        self._selector: selectors.BaseSelector | None = None

    @property
    def off(self) -> bool:
        """Nothing of the program may act any more."""
        return self.gone or (self.disk is not None and self.disk.off)

    def boot(self, program: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a program; it begins with the next `run`."""
        self.gone = False
        self.wake_at = self.net.now
        self.loop = SimLoop(self)
        self.loop.set_exception_handler(self._trouble)
        self._selector = self.loop._selector  # type: ignore[attr-defined]
        self.main = self.loop.create_task(program())
        self.main.add_done_callback(lambda _: self.loop.stop())

    def awake(self) -> bool:
        """Whether it has something to do now."""
        if self.off or self.net.now < self.frozen_until:
            return False
        if self.wake_at <= self.net.now or (self.main is not None and self.main.done()):
            return True
        keys = self._selector.get_map().values() if self._selector else ()
        return any((s := self.sockets.get(k.fd)) is not None and s.ready() & k.events for k in keys)

    def run(self) -> None:
        """Let it go on until it rests, ends, or dies."""
        self.wake_at = inf
        self.loop.run_forever()
        if bugs:
            raise AssertionError("something broke: " + bugs.pop())

    def wakes_at(self) -> float:
        """When it goes on by itself."""
        return inf if self.off else max(self.wake_at, self.frozen_until)

    def finish(self) -> None:
        """The program ended by itself."""
        self._let_go()

    def die(self, *, power: bool) -> None:
        """It is killed, and the kernel hangs up for it; or the whole machine is off, and nobody hears of it."""
        self.gone = True
        for sock in list(self.sockets.values()):
            if sock.waiting is not None:
                self.net.servers.pop(sock.getsockname(), None)
            ends = [sock.end, *(sock.waiting or ())]
            for end in ends:
                if power:
                    end.vanish()
                else:
                    end.close(hard=sock.waiting is not None)
        self._let_go()

    def _let_go(self) -> None:
        """What is left of the program must not act any more, also not while Python takes it apart: nothing runs now."""
        self.gone = True
        self.sockets.clear()
        self.main = self._selector = None
        loop = self.loop
        del self.loop
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Its last complaints, that nothing works any more, are nobody's concern.
            complaints, sys.unraisablehook = sys.unraisablehook, lambda _: None
            try:
                if not loop.is_closed():
                    loop.close()
                del loop
                gc.collect()
            finally:
                sys.unraisablehook = complaints
        bugs.clear()

    def admit(self, sock: SimSocket) -> int:
        """A descriptor for it."""
        if self.off:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if len(self.sockets) >= self.files_max:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self._number += 1
        self.sockets[self._number] = sock
        return self._number

    def new_socket(self, family: int, _type: int) -> SimSocket:
        """As `socket.socket`."""
        return SimSocket(self, family)

    def doors(self, addresses: Sequence[str], _inherited: Sequence[Any] = ()) -> list[Listener]:
        """As `web.listen.open_doors`: this machine has one."""
        made = SimSocket(self)
        made.bind((self.name, PORT))
        return [Listener(made, f"{self.name}:{PORT}") for _ in addresses[:1]]  # type: ignore[arg-type]

    def look_up(self, name: str) -> tuple[str, ...] | None:
        """What a nameserver says of it; None: nothing."""
        if name.replace(".", "").isdigit():
            return (name,)
        return self.net.lookup(name) if self.resolver_hears() else None

    def resolver_hears(self) -> bool:
        """Whether the nameservers of this machine answer it."""
        return self.net.resolver_works and not self.net.cut(self.name, "10.53.0.1")

    def lookup(self, name: str, port: int, *_: object) -> list[tuple[Any, ...]]:
        """As getaddrinfo(3), for `Resolver`; `SimThreads` takes the time."""
        return answer_of(name, port, self.look_up(name))

    def turn_seconds(self) -> float:
        """How long one turn of a loop takes."""
        return self.net.dice.choice((0.00002, 0.00005, 0.0002, 0.001))

    def work_seconds(self, *, of_disk: bool) -> float:
        """How long something takes in a thread."""
        return self.net.dice.choice((0.0002, 0.001, 0.005, 0.02)) + (self.slow_disk if of_disk else 0.0)

    def _trouble(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.off or not isinstance(error, Exception):
            return
        if isinstance(error, OSError) and error.errno == errno.EMFILE:
            return
        bugs.append(f"{context.get('message')}: {error!r}")
