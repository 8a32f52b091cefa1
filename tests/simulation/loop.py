"""An event loop of asyncio on a simulated machine: its time is virtual, its sockets lead into `wire.Net`, its threads are
turns of its own. Everything above it - transports, servers, HTTP libraries, our code - is the real one."""

from __future__ import annotations

import asyncio
import selectors
import socket
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from crisp_status.probes import NameFailure
from tests.simulation.sockets import SimSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.host import SimHost

SPINS_MAX = 100_000
"""Turns of a loop without any time passing that mean that it never rests."""


class SimSelector(selectors.BaseSelector):
    """Knows what is ready; when nothing is, the loop rests and the world goes on."""

    def __init__(self, host: SimHost) -> None:
        self._host = host
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._spins = 0
        self._spun_at = -inf

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys[fileobj if isinstance(fileobj, int) else fileobj.fileno()]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        host = self._host
        self._judge(host.net.now)
        host.net.run_to(host.net.now + host.turn_seconds())
        sockets = host.sockets
        found = []
        for number, key in self._keys.items():
            sock = sockets.get(number)
            if sock is not None and (events := sock.ready() & key.events):
                found.append((key, events))
        if len(found) > 1:
            host.net.dice.shuffle(found)
        if not found and (timeout is None or timeout > 0):
            host.wake_at = inf if timeout is None else host.net.now + timeout
            host.loop.stop()
        elif host.off:
            host.loop.stop()
        return found

    def _judge(self, now: float) -> None:
        if now - self._spun_at > 0.5:
            self._spun_at, self._spins = now, 0
        self._spins += 1
        if self._spins > SPINS_MAX:
            raise KeyboardInterrupt("the loop never rests")


class SimLoop(asyncio.SelectorEventLoop):
    """Of one process on a `SimHost`."""

    def __init__(self, host: SimHost) -> None:
        self.host = host
        self._twins: dict[int, tuple[socket.socket, SimSocket]] = {}
        super().__init__(SimSelector(host))

    def time(self) -> float:
        return self.host.net.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """A thread: it takes its time, and the loop goes on meanwhile."""
        result = self.create_future()
        of_disk = getattr(executor, "_thread_name_prefix", "") == "disk"
        self.call_later(self.host.work_seconds(of_disk=of_disk), self._work, result, partial(func, *args))
        return result

    def _work(self, result: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        if self.host.off:
            return
        outcome = _outcome(work)
        if not self.host.off:
            _settle(result, *outcome)

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """By the names of the simulated network."""
        for _ in range(2):
            await asyncio.sleep(self.host.net.latency())
            if (found := self.host.look_up(str(host))) is not None:
                return answer_of(str(host), int(port or 0), found)
            await asyncio.sleep(5.0)
        return answer_of(str(host), int(port or 0), None)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Libraries make real sockets; each gets a twin that leads into the simulated network."""
        if isinstance(sock, socket.socket):
            self._sweep()
            twin = SimSocket(self.host)
            self._twins[sock.fileno()] = sock, twin
            sock = twin
        try:
            await super().sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        sock = more.pop("sock", None)
        for unused in ("family", "proto", "flags", "local_addr", "happy_eyeballs_delay", "interleave"):
            more.pop(unused, None)
        if sock is None:
            found = await self.getaddrinfo(host, port)
            sock = SimSocket(self.host)
            await self.sock_connect(sock, found[0][4])
            if more.get("ssl"):
                more.setdefault("server_hostname", host)
        elif isinstance(sock, socket.socket):
            real, sock = self._twins.pop(sock.fileno())
            real.close()
        return await super().create_connection(factory, sock=sock, **more)

    async def create_datagram_endpoint(self, factory: Any, **more: Any) -> Any:
        """A question to a nameserver of this host: answered, or not."""
        protocol = factory()
        return _Datagrams(self, protocol), protocol

    def _sweep(self) -> None:
        """Whose real socket was closed is closed too."""
        for number, (real, twin) in list(self._twins.items()):
            if real.fileno() != number:
                del self._twins[number]
                twin.close()


class _Datagrams(asyncio.DatagramTransport):
    def __init__(self, loop: SimLoop, protocol: Any) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._closed = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        if self._loop.host.resolver_hears():
            self._loop.call_later(0.01, self._answer, bytes(data[:3]) + b"\x80" + bytes(data[4:]))

    def _answer(self, data: bytes) -> None:
        if not self._closed:
            self._protocol.datagram_received(data, ("10.53.0.1", 53))

    def close(self) -> None:
        self._closed = True


class SimThreads:
    """Mirrors `probes._threads.Threads`: a lookup takes as long as the simulated network says."""

    def __init__(self, host: SimHost) -> None:
        self._host = host

    def run(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Any] = loop.create_future()
        loop.call_later(self._host.net.latency(), self._try, loop, result, call, 0)
        return result

    def _try(self, loop: asyncio.AbstractEventLoop, result: asyncio.Future[Any], call: Any, tries: int) -> None:
        """As the system's resolver: what is not answered is asked again after five seconds, twice in all."""
        found, error = _outcome(call)
        if isinstance(error, NameFailure) and tries < 2:
            loop.call_later(5.0, self._try, loop, result, call, tries + 1)
        else:
            _settle(result, found, error)

    def close(self) -> None:
        """Nothing runs."""


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except Exception as error:
        return None, error


def _settle(result: asyncio.Future[Any], found: Any, error: Exception | None) -> None:
    if result.done():
        return
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(found)


def answer_of(name: str, port: int, found: tuple[str, ...] | None) -> list[tuple[Any, ...]]:
    """As getaddrinfo(3) answers."""
    if name.replace(".", "").isdigit():
        found = (name,)
    if found is None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]
