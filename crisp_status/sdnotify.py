"""Talk with systemd: readiness, reloads, the watchdog, sockets it opened for us. PROTOCOLS section 9.

Everything here does nothing, and says so by its answer, when no systemd is there.
"""

import os
import socket
import time
from collections.abc import Mapping, MutableMapping

LISTEN_FIRST = 3
"""Descriptors 0 to 2 are the standard streams; those handed over come after them (sd_listen_fds(3))."""

LISTEN_MAX = 64
"""More sockets than anyone lists in a unit: a wrong number must not make us look at descriptors that are ours."""

STATUS_MAX = 200
"""Characters of a status line: it is shown on one line of `systemctl status`."""


class SystemdNotify:
    """Sends notifications to `$NOTIFY_SOCKET`: a path, or an abstract name that starts with "@"."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog_interval = watchdog_interval(environ)

    @property
    def active(self) -> bool:
        """Whether anyone listens."""
        return self._address.startswith(("/", "@"))

    def notify_ready(self, status: str = "") -> bool:
        """Started, or reloaded: we serve."""
        return self._send("READY=1", *_status(status))

    def reloading(self) -> bool:
        """A reload begins; `notify_ready` ends it. The time is what `Type=notify-reload` asks for (systemd 253)."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}")

    def stopping(self, status: str = "") -> bool:
        """The end begins."""
        return self._send("STOPPING=1", *_status(status))

    def status(self, text: str) -> bool:
        """One line for `systemctl status`."""
        return self._send(*_status(text or " "))

    def watchdog(self) -> bool:
        """We are alive. To be sent every `watchdog_interval` seconds."""
        return self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> bool:
        """True when the message was handed over. An absent or full receiver must never stop the daemon."""
        if not self.active:
            return False
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as door:
                door.connect(address)
                door.sendall("\n".join(assignments).encode())
        except OSError:
            return False
        return True


def _status(text: str) -> list[str]:
    """The status as an assignment; a line break in it would start another one."""
    return [f"STATUS={' '.join(text.split())[:STATUS_MAX]}"] if text else []


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float:
    """Seconds between two signs of life: half of what the unit allows. 0 when no watchdog waits for this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    limit = environ.get("WATCHDOG_USEC", "")
    return int(limit) / 2_000_000 if limit.isascii() and limit.isdecimal() else 0.0


def take_sockets(environ: MutableMapping[str, str] = os.environ, first: int = LISTEN_FIRST) -> list[socket.socket]:
    """The listening sockets that systemd opened for us, in the order of the unit; empty when there are none.

    The variables are removed, so that programs we start do not take the sockets for theirs. A descriptor
    that is not a listening stream socket raises `OSError` with a sentence for people.
    """
    pid, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not (count.isascii() and count.isdecimal()):
        return []
    if int(count) > LISTEN_MAX:
        raise OSError(f"systemd announces {count} sockets (LISTEN_FDS), at most {LISTEN_MAX} are expected")
    labels = names.split(":")
    taken = []
    for position in range(int(count)):
        label = labels[position] if position < len(labels) else "unknown"
        taken.append(_adopt(first + position, label))
    return taken


def _adopt(descriptor: int, label: str) -> socket.socket:
    """One descriptor as a socket object, closed on exec."""
    try:
        os.set_inheritable(descriptor, False)
        door = socket.socket(fileno=descriptor)
    except OSError as error:
        raise OSError(f"descriptor {descriptor} ({label}) from systemd is not a socket: {error.strerror}") from error
    if door.type != socket.SOCK_STREAM or not door.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        door.detach()
        raise OSError(
            f"descriptor {descriptor} ({label}) from systemd is not a listening stream socket: "
            "use ListenStream= with Accept=no in the .socket unit"
        )
    door.setblocking(False)
    return door
