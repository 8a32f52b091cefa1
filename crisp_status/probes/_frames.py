"""Protocols of binary frames: take exactly so many bytes, or say that they did not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import expect
from crisp_status.probes import ProbeError

if TYPE_CHECKING:
    from crisp_status.net.stream import Connection

FRAME_MAX: Final = 1_048_576
"""Bytes of one frame; greetings have hundreds."""


class Frames:
    """Reads from a connection. `name`: the protocol, for people, as in "PostgreSQL"."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name
        self._heard = b""

    async def take(self, length: int) -> bytes:
        """The next bytes. Raises `ProbeError` when the connection ends before, or when that is too many."""
        peer = self.connection.peer
        if length > FRAME_MAX:
            raise self.foreign()
        expect(f"no answer as {self.name} from {{peer}}", peer=peer)
        while len(self._heard) < length:
            more = await self.connection.receive()
            if not more:
                if self._heard:
                    raise self.foreign()
                raise ProbeError(ReasonCode.NO_ANSWER, f"{peer} closed the connection without an answer")
            self._heard += more
        taken, self._heard = self._heard[:length], self._heard[length:]
        return taken

    def foreign(self) -> ProbeError:
        """What to raise for bytes that are not of this protocol."""
        return ProbeError(ReasonCode.BANNER, f"{self.connection.peer} does not answer as {self.name}")
