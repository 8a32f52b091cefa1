"""What a look or a report says of a replica: its health, and why."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

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


class ReasonCode(StrEnum):
    """Why a replica has its health, in a word that programs know. The values stand on disk, in JSON and in reports."""

    OK = "ok"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NAME = "name"
    """Its name could not be resolved."""
    TLS = "tls"
    CERTIFICATE = "certificate"
    STATUS = "status"
    """An HTTP status outside the healthy window."""
    MATCH = "match"
    """The answer does not have what it must have."""
    BANNER = "banner"
    """It does not speak its protocol."""
    RECORD = "record"
    """Another DNS record than expected."""
    EXIT = "exit"
    """A script or a job failed."""
    SLOW = "slow"
    CPU = "cpu"
    RAM = "ram"
    SILENT = "silent"
    """It stopped reporting."""
    AGENT_SILENT = "agent_silent"
    """Nothing comes from the agent that watches it."""
    REPORTED = "reported"
    """It was called so by itself, or by its agent."""
    ERROR = "error"
    """Anything else."""

    @classmethod
    def _missing_(cls, value: object) -> ReasonCode:  # noqa: ARG003 - whatever it is
        """What a later version wrote is not known here, and no reason to refuse the whole state."""
        return cls.ERROR


class ReasonFacts(NamedTuple):
    """What follows from a reason code. Its sentences are in `language/reasons.py`."""

    silence: bool = False
    """Nothing came back at all; with any other reason of a dead one something did."""
    unasked: bool = False
    """It was not looked at: it should have reported, or what watches it should."""
    network: bool = False
    """It also occurs when our own network is gone. Any other failure, even a refusal, came through it."""
    load: bool = False
    """Too much to do, as opposed to an answer that is slow."""
    pace: bool = False
    """Slower than usual or likely to be, as opposed to what needs attention in another way."""
    whole: bool = False
    """A whole node may be said to be so, when it is so for all of its replicas."""
    public: bool = False
    """Its detail is a number or a date. The detail of any other could be a name or an address of the inside."""
    agents: bool = False
    """Agents may give it; the others are findings of the server itself."""


REASONS: Final[Mapping[ReasonCode, ReasonFacts]] = {
    ReasonCode.OK: ReasonFacts(),
    ReasonCode.NO_ANSWER: ReasonFacts(silence=True, network=True, whole=True, agents=True),
    ReasonCode.REFUSED: ReasonFacts(silence=True, whole=True, agents=True),
    ReasonCode.UNREACHABLE: ReasonFacts(silence=True, network=True, whole=True, agents=True),
    ReasonCode.NAME: ReasonFacts(silence=True, network=True, whole=True, agents=True),
    ReasonCode.TLS: ReasonFacts(silence=True, whole=True, agents=True),
    ReasonCode.CERTIFICATE: ReasonFacts(public=True, agents=True),
    ReasonCode.STATUS: ReasonFacts(whole=True, public=True, agents=True),
    ReasonCode.MATCH: ReasonFacts(whole=True, agents=True),
    ReasonCode.BANNER: ReasonFacts(agents=True),
    ReasonCode.RECORD: ReasonFacts(agents=True),
    ReasonCode.EXIT: ReasonFacts(public=True, agents=True),
    ReasonCode.SLOW: ReasonFacts(pace=True, public=True, agents=True),
    ReasonCode.CPU: ReasonFacts(load=True, pace=True, public=True),
    ReasonCode.RAM: ReasonFacts(load=True, pace=True, public=True),
    ReasonCode.SILENT: ReasonFacts(silence=True, unasked=True, whole=True),
    ReasonCode.AGENT_SILENT: ReasonFacts(silence=True, unasked=True),
    ReasonCode.REPORTED: ReasonFacts(agents=True),
    ReasonCode.ERROR: ReasonFacts(agents=True),
}

SILENCE: Final = frozenset(code for code, facts in REASONS.items() if facts.silence)
UNASKED: Final = frozenset(code for code, facts in REASONS.items() if facts.unasked)
LOAD: Final = frozenset(code for code, facts in REASONS.items() if facts.load)
PACE: Final = frozenset(code for code, facts in REASONS.items() if facts.pace)


class Reason(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a replica has its health.

    `code` is stable and public, `text` is a sentence for the operator (may name addresses), `value` is the detail of
    the code: a status number, a date, a limit; `REASONS` says which are public.
    """

    code: ReasonCode
    text: str = ""
    value: str = ""

    def same_as(self, other: Reason) -> bool:
        """Whether programs are told the same; the sentence may differ."""
        return self.code == other.code and self.value == other.value


FINE: Final = Reason(ReasonCode.OK)
