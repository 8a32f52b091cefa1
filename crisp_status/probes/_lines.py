"""Protocols that are lines of text: read one, read a reply with a number, and say what came in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import expect, note
from crisp_status.probes import ProbeError

if TYPE_CHECKING:
    from crisp_status.net.stream import Connection

LINES_MAX: Final = 100
"""Lines of one reply; servers offer a dozen extensions."""

BYTES_MAX: Final = 65_536


class Lines:
    """Reads lines from a connection. `name`: the protocol, for people."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._heard = b""

    async def line(self, what: str) -> str:
        """The next line, without its end; ProbeError when it does not come. `what`: what it is, as in "a greeting"."""
        peer = self._connection.peer
        expect(f"no {self._name}: {what} did not come from {{peer}}", peer=peer)
        while b"\n" not in self._heard:
            more = await self._connection.receive()
            if not more or len(self._heard) > BYTES_MAX:
                after = f" after {quoted(self._heard.decode('latin-1'))}" if self._heard else ""
                ended = "sent too much" if more else "closed the connection"
                raise ProbeError(ReasonCode.BANNER, f"{peer} {ended}, and {what} in {self._name} did not come{after}")
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        text = line.rstrip(b"\r").decode("latin-1")
        note("{peer} said {line}", peer=peer, line=quoted(text))
        return text

    async def reply(self, code: str, what: str) -> list[str]:
        """The lines of a reply of SMTP's kind, as in `250-…`; ProbeError when it has another code."""
        found: list[str] = []
        while not found or found[-1][3:4] == "-":
            if len(found) >= LINES_MAX:
                raise ProbeError(ReasonCode.BANNER, f"{self._connection.peer} sends lines without end")
            found.append(await self.line(what))
            if found[-1][:3] != code:
                text = f"{self._connection.peer} answered {quoted(found[-1])}; expected {what} with {code}"
                raise ProbeError(ReasonCode.BANNER, text)
        return found


def quoted(text: str) -> str:
    """Words of the other side, short and harmless."""
    return repr("".join(c if c.isprintable() else " " for c in text[:80]).strip())
