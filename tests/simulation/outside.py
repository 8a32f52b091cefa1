"""Those whom the daemon looks at and whom it tells, on the simulated network: servers that misbehave in every way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from crisp_status.core.model import Health

if TYPE_CHECKING:
    from tests.simulation.wire import End, Net

LENGTH = re.compile(rb"(?i)content-length: *([0-9]+)")

DEAD = Health.DEAD
SICK = Health.SICK
HEALTHY = Health.HEALTHY

UNREACHED = {"refuse": "no", "gone": "silent", "unreachable": "unreachable"}
"""Ways in which no connection comes about, and what `Net` knows them as."""

TALKS = ("mute", "hangup", "reset", "garbage", "half", "drip", "flood")
"""Ways in which a server that speaks may fail after it took the connection."""

MODES = {
    "tcp": ("slow", *UNREACHED),
    "ssh": ("mute", "hangup", "reset", "garbage", "flood", *UNREACHED),
    "http": ("slow", "500", *TALKS, *UNREACHED),
    "match": ("slow", "500", "wrong", "cut body", *TALKS, *UNREACHED),
}
"""What can be wrong with a target, by its kind."""

NAMES = ("no such name", "mute name")
"""What can be wrong with the name of a target that has one."""


class Mode(NamedTuple):
    """How a target is, from a moment on."""

    since: float
    name: str


class Target:
    """One replica that the daemon, or an agent, looks at."""

    def __init__(self, net: Net, kind: str, address: tuple[str, int], name: str, delay_sick: float) -> None:
        self.net = net
        self.kind = kind
        self.address = address
        self.name = name
        self.delay_sick = delay_sick
        self.history = [Mode(net.now, "good")]
        self.looks = 0
        net.servers[address] = self
        if name:
            net.names[name] = (address[0],)

    @property
    def url(self) -> str:
        """As in the configuration."""
        scheme = {"match": "http"}.get(self.kind, self.kind)
        return f"{scheme}://{self.name or self.address[0]}:{self.address[1]}"

    @property
    def mode(self) -> str:
        return self.history[-1].name

    def become(self, mode: str) -> None:
        """From now on."""
        net = self.net
        self.history.append(Mode(net.now, mode))
        if self.name:
            net.names[self.name] = () if mode == "no such name" else (self.address[0],)
            (net.mute_names.add if mode == "mute name" else net.mute_names.discard)(self.name)

    def health(self, mode: str) -> Health:
        """What a look should find."""
        if mode == "good":
            return HEALTHY
        return SICK if mode == "slow" else DEAD

    def seen_as(self, since: float) -> set[Health]:
        """All that it was since then."""
        found = {self.health(self.mode)}
        for later, mode in zip(reversed(self.history), reversed(self.history[:-1]), strict=False):
            if later.since <= since:
                break
            found |= {self.health(mode.name), SICK}  # what is sent again, or asked again, comes through late
            if {self.mode, mode.name} & {*NAMES}:
                found.add(HEALTHY)  # behind a name that is gone is a server that is well
        return found

    def knock(self, end: End) -> str:
        """As a `wire.Server`."""
        mode = self.mode
        if mode in UNREACHED:
            return UNREACHED[mode]
        self.looks += 1
        end.actor = _Served(self, mode)
        return str(self.delay_sick + 1.0) if mode == "slow" and self.kind == "tcp" else "yes"


class _Served:
    """One connection to a target."""

    def __init__(self, target: Target, mode: str) -> None:
        self.target = target
        self.mode = mode
        self.head = b""
        self.answered = False

    def opened(self, end: End) -> None:
        net = end.net
        if self.mode == "hangup":
            end.close()
        elif self.mode == "reset":
            net.later(net.dice.random(), lambda: end.close(hard=True))
        elif self.target.kind == "ssh" and self.mode != "mute":
            said = {"garbage": b"\x16\x03\x01\x00 hello\n", "flood": b"welcome\n" * 4000}
            end.send(said.get(self.mode, b"SSH-2.0-Sim_1.0\r\n"))

    def heard(self, end: End, data: bytes) -> None:
        self.head += data
        if self.target.kind in {"http", "match"} and b"\r\n\r\n" in self.head and not self.answered:
            self.answered = True
            self._answer(end)

    def _answer(self, end: End) -> None:
        net, mode = end.net, self.mode
        whole = _answer(self.target.kind, mode)
        match mode:
            case "mute" | "reset" | "hangup":
                return
            case "slow":
                net.later(self.target.delay_sick + 1.0, lambda: _say(end, whole))
            case "drip":
                _drip(end, whole)
            case "flood":
                _flood(end, 30)
            case "garbage":
                _say(end, b"\0\xff\r\n\r\nno HTTP at all\r\n\r\n")
            case "half":
                _say(end, whole[: net.dice.randrange(1, whole.index(b"\r\n\r\n"))])
            case "cut body":
                _say(end, whole[:-1])
            case _:
                _say(end, whole)

    def ended(self, end: End) -> None:
        if self.mode != "mute":
            end.close()

    def broke(self, end: End, error: int) -> None:
        end.close()


def _answer(kind: str, mode: str) -> bytes:
    status = "500 Broken" if mode == "500" else "200 OK"
    if kind == "http":
        return f"HTTP/1.1 {status}\r\nServer: sim\r\nContent-Length: 5\r\n\r\n".encode()
    body = "nothing to see" if mode == "wrong" else "all is well"
    return f"HTTP/1.1 {status}\r\nServer: sim\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def _say(end: End, data: bytes) -> None:
    end.send(data)
    end.close()


def _drip(end: End, data: bytes) -> None:
    """A byte every two seconds: no end within any deadline here."""
    if data and not end.closed and not end.error:
        end.send(data[:1])
        end.net.later(2.0, lambda: _drip(end, data[1:]))


def _flood(end: End, count: int) -> None:
    """Header lines without end, as far as anybody reads them."""
    end.send(b"HTTP/1.1 200 OK\r\n" if count == 30 else b"X-Flood: " + b"a" * 4000 + b"\r\n")
    if count and not end.closed and not end.error:
        end.net.later(0.05, lambda: _flood(end, count - 1))


RECEIVER_MODES = ("503", "429", "mute", "drip", "swallow", "hangup", *UNREACHED)
"""Ways in which a receiver does not say yes."""


class Taken(NamedTuple):
    """One message that a receiver said yes to."""

    at: float
    key: str
    text: str


class Receiver:
    """Somebody who is told. What it answers with a yes, or swallows, is `taken`."""

    def __init__(self, net: Net, address: tuple[str, int], kind: str) -> None:
        self.net = net
        self.address = address
        self.kind = kind
        self.mode = "good"
        self.bad_until = 0.0
        """When it was last not good, and what it did then is over."""
        self.taken: list[Taken] = []
        self.unsure: set[str] = set()
        """Keys of messages whose yes may not have been heard."""
        self.asked = 0
        net.servers[address] = self

    def become(self, mode: str) -> None:
        """From now on."""
        if self.mode != "good":
            self.bad_until = self.net.now
        self.mode = mode

    @property
    def good_since(self) -> float:
        """Infinite while it is not."""
        return self.bad_until if self.mode == "good" else float("inf")

    def knock(self, end: End) -> str:
        """As a `wire.Server`."""
        if self.mode in UNREACHED:
            return UNREACHED[self.mode]
        end.actor = _Mail(self) if self.kind == "email" else _Post(self)
        return "yes"

    def take(self, key: str, text: str) -> None:
        """It is told."""
        self.taken.append(Taken(self.net.now, key, text))


class _Post:
    """A message over HTTP."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.got = b""
        self.done = False

    def opened(self, end: End) -> None:
        if self.receiver.mode == "hangup":
            end.close()

    def heard(self, end: End, data: bytes) -> None:
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if self.done or not found or length is None or len(body) < int(length[1]):
            return
        self.done = True
        receiver = self.receiver
        receiver.asked += 1
        key = _field(head, b"webhook-id")
        match receiver.mode:
            case "503":
                _say(end, b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            case "429":
                _say(end, b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
            case "mute":
                return
            case "swallow":
                receiver.take(key, body.decode())
                receiver.unsure.add(key)
                end.close()
            case "drip":
                receiver.take(key, body.decode())
                receiver.unsure.add(key)
                _drip(end, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            case _:
                receiver.take(key, body.decode())
                _say(end, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def ended(self, end: End) -> None:
        end.close()

    def broke(self, end: End, error: int) -> None:
        end.close()


class _Mail:
    """A mail over SMTP (RFC 5321), without TLS."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.got = b""
        self.data: list[bytes] | None = None

    def opened(self, end: End) -> None:
        match self.receiver.mode:
            case "hangup":
                end.close()
            case "mute":
                return
            case "503":
                end.send(b"421 4.3.2 not now\r\n")
                end.close()
            case _:
                end.send(b"220 sim ESMTP\r\n")

    def heard(self, end: End, data: bytes) -> None:
        self.got += data
        while b"\r\n" in self.got:
            line, _, self.got = self.got.partition(b"\r\n")
            if self.data is None:
                self._command(end, line)
            elif line == b".":
                self._mail(end)
            else:
                self.data.append(line)

    def _command(self, end: End, line: bytes) -> None:
        match line.split(b" ")[0].upper():
            case b"EHLO":
                end.send(b"250-sim\r\n250 8BITMIME\r\n")
            case b"DATA":
                self.data = []
                end.send(b"354 go on\r\n")
            case b"QUIT":
                end.send(b"221 bye\r\n")
                end.close()
            case b"RCPT" if self.receiver.mode == "429":
                end.send(b"450 4.2.1 greylisted, come back later\r\n")
            case _:
                end.send(b"250 fine\r\n")

    def _mail(self, end: End) -> None:
        receiver, mail = self.receiver, b"\r\n".join(self.data or ())
        self.data = None
        receiver.asked += 1
        key = _field(mail, b"message-id")
        receiver.take(key, mail.decode())
        if receiver.mode in {"swallow", "drip"}:
            receiver.unsure.add(key)
            if receiver.mode == "swallow":
                end.close()
            return
        end.send(b"250 2.0.0 taken\r\n")

    def ended(self, end: End) -> None:
        end.close()

    def broke(self, end: End, error: int) -> None:
        end.close()


def _field(head: bytes, name: bytes) -> str:
    found = re.search(rb"(?im)^" + name + rb": *(.+?)\r?$", head)
    return found[1].decode().strip() if found else ""
