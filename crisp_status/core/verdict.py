"""What a look or a report says of a replica: its health, and why."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec


class Health(IntEnum):
    """Health of a replica, node, service or page. The order is the worst-of order of DESIGN section 2."""

    PENDING = 0
    HEALTHY = 1
    SICK = 2
    DEAD = 3

    @property
    def word(self) -> str:
        """The word used in configuration, JSON and markup."""
        return self.name.lower()

    @property
    def bad(self) -> bool:
        """Whether this is worth an incident."""
        return self >= Health.SICK


class Reason(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a replica has its health.

    `code` is stable and public, `text` is a sentence for the operator (may name addresses), `value` is the public
    detail of the code: a status number, a date, a limit.

    Codes: ok no_answer refused unreachable name status match slow tls certificate banner record exit cpu ram silent
    agent_silent reported error.
    """

    code: str
    text: str = ""
    value: str = ""


FINE: Final = Reason("ok")
