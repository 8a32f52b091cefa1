"""What one look costs: ours, with deadline, retries and story, against the least that Python can do.

Targets answer at once from the last core; the looks run on the first. Each look is a new connection.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import harness
from benchmarks.targets import ADDRESSES, BODY_MATCH, answering, certify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.harness import Row, Settings

AT_ONCE = 32
WARM_SECONDS = 0.3
REQUEST = b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n"

HTTP_MOST, TLS_MOST, TCP_MOST, PING_MOST_US = 0.75, 1.2, 3.0, 25.0
"""HTTP, with and without a body, against bare aiohttp, HTTPS against a bare handshake, TCP against its floor, a ping in all."""


def ours(kind: str, port: int, seconds: float) -> dict[str, float]:
    """Looks as the daemon does them, but for the engine."""
    from crisp_status import kinds
    from crisp_status.clock import SystemClock
    from crisp_status.look.once import Policy
    from crisp_status.look.policy import look
    from crisp_status.net import tools

    scheme = {"tls": "https", "body": "http"}.get(kind, kind)
    room = kinds.probes()[{"tls": "http", "body": "http"}.get(kind, kind)]
    clock = SystemClock()
    options = room.Options(healthy_match=BODY_MATCH) if kind == "body" else room.Options()
    policy = Policy()
    where = ["127.0.0.1"] if kind == "tls" else ADDRESSES
    # As the daemon has them: written down once, looked at again and again.
    targets = {address: f"{scheme}://{address}" + ("" if kind == "icmp" else f":{port}") for address in where}

    async def one(address: str) -> None:
        seen = await look(room, targets[address], options, policy, clock)
        assert seen.outcome == "healthy", seen

    async def main() -> dict[str, float]:
        async with tools.opened():
            return await _busy(one, seconds, where)

    return harness.run(main())


def aiohttp(kind: str, port: int, seconds: float) -> dict[str, float]:
    """A bare HEAD, or a GET whose body is read, with one session that keeps no connection."""
    from aiohttp import ClientSession, ClientTimeout, TCPConnector

    method = "GET" if kind == "body" else "HEAD"

    async def main() -> dict[str, float]:
        connector = TCPConnector(force_close=True, limit=0)
        async with ClientSession(connector=connector, timeout=ClientTimeout(total=10)) as session:

            async def one(address: str) -> None:
                async with session.request(method, f"http://{address}:{port}/") as answer:
                    assert answer.status == 200
                    assert kind != "body" or BODY_MATCH in await answer.text()

            return await _busy(one, seconds, ADDRESSES)

    return harness.run(main())


async def _busy(one: Callable[[str], Awaitable[None]], seconds: float, addresses: list[str]) -> dict[str, float]:
    """So many at once for so long, after a moment of warming up."""
    count = 0
    over = False

    async def worker(number: int) -> None:
        nonlocal count
        while not over:
            await one(addresses[(number + count) % len(addresses)])
            count += 1

    tasks = [asyncio.create_task(worker(n)) for n in range(AT_ONCE)]
    await asyncio.sleep(WARM_SECONDS)
    began, used, first = time.perf_counter(), time.process_time(), count
    await asyncio.sleep(seconds)
    result = _figures(count - first, began, used)
    over = True
    await asyncio.gather(*tasks)
    return result


def _figures(count: int, began: float, used: float) -> dict[str, float]:
    return {
        "rate": count / (time.perf_counter() - began),
        "cpu_us": (time.process_time() - used) / count * 1e6,
    }


def _in_turns(turn: Callable[[], int], seconds: float) -> dict[str, float]:
    """Turns of a loop by hand, each of which says how many looks it finished, after the same moment of warming up."""
    count = first = 0
    began = used = 0.0
    until = time.perf_counter() + WARM_SECONDS + seconds
    while (now := time.perf_counter()) < until:
        if not began and now > until - seconds:
            began, used, first = now, time.process_time(), count
        count += turn()
    return _figures(count - first, began, used)


def floor(kind: str, port: int, seconds: float) -> dict[str, float]:
    """An epoll loop by hand: connect, send, receive, close, and nothing else."""
    poll = select.epoll()
    open_now: dict[int, socket.socket] = {}
    asked: set[int] = set()
    started = 0

    def start() -> None:
        nonlocal started
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        number = sock.connect_ex((ADDRESSES[started % len(ADDRESSES)], port))
        assert number in {0, errno.EINPROGRESS}, os.strerror(number)
        open_now[sock.fileno()] = sock
        poll.register(sock.fileno(), select.EPOLLOUT)
        started += 1

    def turn() -> int:
        done = 0
        for number, _ in poll.poll():
            sock = open_now[number]
            if kind != "tcp":
                if number not in asked:
                    sock.send(REQUEST)
                    asked.add(number)
                    poll.modify(number, select.EPOLLIN)
                    continue
                assert sock.recv(65536).startswith(b"HTTP/1.1 200")
                asked.discard(number)
            poll.unregister(number)
            del open_now[number]
            sock.close()
            done += 1
            start()
        return done

    for _ in range(AT_ONCE):
        start()
    return _in_turns(turn, seconds)


def echo(kind: str, port: int, seconds: float) -> dict[str, float]:
    """Pings by hand: one socket, one packet made beforehand, as many under way."""
    from crisp_status.net.ping import _socket

    icmp = _socket(socket.AF_INET)
    sock, packet = icmp.sock, icmp._create_packet(1, 1, b"12345678")
    sock.setblocking(False)
    poll = select.epoll()
    poll.register(sock.fileno(), select.EPOLLIN)

    def turn() -> int:
        done = 0
        poll.poll(0.1)
        try:
            for _ in range(AT_ONCE):  # on the loopback there is always another one
                data, (address, _) = sock.recvfrom(2048)
                if data[20 if icmp.is_privileged else 0] == 0:  # an answer; a raw socket hears the question, too
                    done += 1
                    sock.sendto(packet, (address, 0))
        except BlockingIOError:
            pass
        return done

    for number in range(AT_ONCE):
        sock.sendto(packet, (ADDRESSES[number % len(ADDRESSES)], 0))
    found = _in_turns(turn, seconds)
    icmp.close()
    return found


def handshake(kind: str, port: int, seconds: float) -> dict[str, float]:
    """A blocking TLS connection by hand, with the same settings: nearly all of it is cryptography."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])

    def turn() -> int:
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            context.wrap_socket(sock, server_hostname="127.0.0.1") as tls,
        ):
            tls.send(REQUEST)
            assert tls.recv(65536).startswith(b"HTTP/1.1 200")
        return 1

    return _in_turns(turn, seconds)


CONTENDERS: dict[str, Any] = {f.__name__: f for f in (ours, aiohttp, floor, echo, handshake)}


def run(name: str, kind: str, port: int, seconds: float, trusted: str = "") -> dict[str, float]:
    """One contender, in a process of its own."""
    if trusted:
        os.environ["SSL_CERT_FILE"] = trusted
    found: dict[str, float] = CONTENDERS[name](kind, port, seconds)
    return found


def measure(settings: Settings) -> list[Row]:
    """HTTP, HTTPS, TCP, ICMP."""
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(harness.folder()))
        certify(folder)
        ports = {kind: stack.enter_context(answering(kind, folder)) for kind in ("http", "body", "tls", "tcp")}

        def contend(kind: str, *names: str) -> dict[str, list[harness.Sample]]:
            given = {"kind": kind, "port": ports.get(kind, 0), "seconds": settings.seconds}
            given["trusted"] = str(folder / "cert.pem") if kind == "tls" else ""
            return harness.alternate(
                settings.rounds,
                {
                    n: lambda n=n: harness.Sample(**harness.in_process("benchmarks.looks:run", name=n, **given))
                    for n in names
                },
            )

        found = contend("http", "ours", "aiohttp")
        rows.append(harness.costed("look, HTTP", found["ours"], found["aiohttp"], "bare aiohttp", HTTP_MOST))
        found = contend("body", "ours", "aiohttp")
        rows.append(
            harness.costed("look, HTTP with a body", found["ours"], found["aiohttp"], "bare aiohttp", HTTP_MOST)
        )
        found = contend("tls", "ours", "handshake")
        rows.append(harness.costed("look, HTTPS", found["ours"], found["handshake"], "bare handshake", TLS_MOST))
        found = contend("tcp", "ours", "floor")
        rows.append(harness.costed("look, TCP", found["ours"], found["floor"], "epoll by hand", TCP_MOST))
    try:
        found = contend("icmp", "ours", "echo")
    except harness.ChildError:
        harness.say("  no ICMP look: this process may not ping")
    else:
        row = harness.costed("look, ICMP", found["ours"], found["echo"], "socket by hand")
        row.target, row.reached = f"≤ {PING_MOST_US:g} µs CPU", row.ours <= PING_MOST_US
        rows.append(row)
    return rows
