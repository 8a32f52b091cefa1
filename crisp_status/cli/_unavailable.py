"""Answer 503 on sockets that systemd opened, while the daemon cannot start.

With socket activation systemd holds the ports. A daemon that ends at once leaves visitors without an answer, and the
next connection starts it again, until systemd gives up on the socket as well. So it stays, says what is wrong in its
status line, answers every request with a sentence, and starts anew when the configuration changes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from crisp_status import sdnotify

if TYPE_CHECKING:
    import socket
    from pathlib import Path

LOOK_SECONDS: Final = 2.0
"""How often the file is compared, and the watchdog of systemd fed."""

RETRY_SECONDS: Final = 60.0
"""How often a start is tried without a change of the file: the fault may lie in another one, or have passed."""

REQUEST_SECONDS: Final = 10.0
"""For a client to send its request; it gets its answer then in any case."""

HEAD_MAX: Final = 65536
"""Bytes that are read of a request before it is answered."""

_BODY: Final = b"This status page cannot start: its configuration has a problem. Its operators find it in the log.\n"
ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Retry-After: 30\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%b" % (len(_BODY), _BODY)
)


def holds_sockets() -> bool:
    """Whether systemd handed over sockets that nobody has taken yet."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS", "0") not in {"", "0"}


def serve_until_changed(file: Path, problem: str) -> NoReturn:
    """Answer 503 until the file changes, SIGHUP comes or `RETRY_SECONDS` pass, then start this program anew.

    `problem` goes into the status line of systemd. SIGTERM and SIGINT end it with exit code 2.
    """
    # The variables stay for the program that starts anew; only a copy is taken apart.
    sockets = sdnotify.take_sockets(dict(os.environ))
    if not asyncio.run(_serve(sockets, file, problem)):
        sys.exit(2)
    for sock in sockets:
        sock.set_inheritable(True)
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  a shell would get nothing but our own command line


async def _serve(sockets: list[socket.socket], file: Path, problem: str) -> bool:
    """True: start anew; False: end."""
    loop = asyncio.get_running_loop()
    again: asyncio.Future[bool] = loop.create_future()

    def end(value: bool) -> None:
        if not again.done():
            again.set_result(value)

    loop.add_signal_handler(signal.SIGHUP, end, True)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, False)
    systemd, stamp, until = sdnotify.SystemdNotify(), _stamp(file), loop.time() + RETRY_SECONDS
    # Each socket is duplicated: closing the server must not close what the next start needs.
    servers = [await asyncio.start_server(_answer, sock=sock.dup(), limit=HEAD_MAX) for sock in sockets]
    systemd.notify_ready(f"cannot start: {problem}")
    while not again.done():
        systemd.watchdog()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await asyncio.shield(again)
        if _stamp(file) != stamp or loop.time() >= until:
            end(True)
    for server in servers:
        server.close()
    return again.result()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(REQUEST_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(REQUEST_SECONDS):
            writer.write(ANSWER)
            await writer.drain()
    writer.close()


def _stamp(file: Path) -> tuple[int, ...]:
    with suppress(OSError):
        found = file.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return ()
