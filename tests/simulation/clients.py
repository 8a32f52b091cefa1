"""Those who come to the daemon over the simulated network: visitors, reporters, operators. One `Call` is one request."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.wire import Address, End, Net

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")

WAIT = 20.0
"""Seconds for an answer."""

REPORTER = "reporter-token"
MANAGER = "manager-token"


class Call:
    """A request on a connection of its own, told when it is over: status (0: none came), body, seconds."""

    def __init__(
        self, net: Net, host: str, to: Address, request: bytes, done: Callable[[int, bytes, float], None]
    ) -> None:
        self.net = net
        self.request = request
        self.got = b""
        self.began = net.now
        self._done: Callable[[int, bytes, float], None] | None = done
        self.end = net.dial(host, to, self)
        net.later(WAIT, self._give_up)

    def opened(self, end: End) -> None:
        end.send(self.request)

    def heard(self, end: End, data: bytes) -> None:
        self.got += data
        head, found, body = self.got.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if found and length is not None and len(body) >= int(length[1]):
            self._over(int(head.split(b" ")[1]), body)

    def ended(self, end: End) -> None:
        self._over(0, b"")

    def broke(self, end: End, error: int) -> None:
        self._over(0, b"")

    def _give_up(self) -> None:
        if self._done is not None:
            self.end.close(hard=True)
            self._over(0, b"")

    def _over(self, status: int, body: bytes) -> None:
        done, self._done = self._done, None
        if done is not None:
            self.end.close()
            done(status, body, self.net.now - self.began)


def written(method: str, path: str, token: str = "", body: Any = None) -> bytes:
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: status.acme.example", "Connection: close"]
    if token:
        lines.append("Authorization: Basic " + base64.b64encode(f":{token}".encode()).decode())
    sent = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(sent)}"]
    return "\r\n".join([*lines, "", ""]).encode() + sent


class Reporter:
    """An application that reports itself; `mode`: good, loaded (sick), mute, or broken (its reports cannot be read)."""

    def __init__(self, net: Net, host: str, to: Address, node: str, replica: str, interval: float) -> None:
        self.net = net
        self.host = host
        self.to = to
        self.node = node
        self.replica = replica
        self.interval = interval
        self.mode = "good"
        self.sent: list[tuple[float, str]] = []
        """When a report that can be read was sent, and the mode. The daemon may have it before we know."""
        self.changed_at = net.now
        net.later(net.dice.random() * interval, self._beat)

    def become(self, mode: str) -> None:
        """From now on."""
        self.mode, self.changed_at = mode, self.net.now

    def _beat(self) -> None:
        self.net.later(self.interval, self._beat)
        if self.mode == "mute":
            return
        mode = self.mode
        load = {"cpu": 0.99 if mode == "loaded" else 0.2, "ram": 0.3}
        said = {"replica_id": self.replica, "interval": self.interval, "load": "?" if mode == "broken" else load}
        request = written("POST", f"/v1/report/{self.node}", REPORTER, said)
        if mode != "broken":
            self.sent.append((self.net.now, mode))
            del self.sent[:-500]
        Call(self.net, self.host, self.to, request, lambda *_: None)
