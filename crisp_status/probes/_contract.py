"""What a probe kind is, and what it returns. `probes/__init__.py` describes the contract in words."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from crisp_status.config.strict import Strict
from crisp_status.core.model import FINE, Health, Reason


class Reading(msgspec.Struct, frozen=True):
    """What a probe read from a target that answered well enough."""

    health: Health = Health.HEALTHY
    reason: Reason = FINE
    latency: float | None = None
    """Seconds, where the kind knows better than `look` (worst round trip of a ping); None: `look` measures."""
    timed: bool = True
    """Whether a long latency makes it sick. A script may take its time."""


OptionsT = TypeVar("OptionsT", bound=Strict)


class ProbeKind(Protocol[OptionsT]):
    """A module of this room, with the `Options` that it defines itself."""

    @property
    def SCHEMES(self) -> tuple[str, ...]:  # noqa: N802 - the name of a constant of the module
        """The URL schemes that it answers to."""

    @property
    def Options(self) -> type[OptionsT]:  # noqa: N802 - the name of a class of the module
        """The table `[services.nodes.KIND]` of the configuration."""

    async def probe(self, target: str, options: OptionsT, /) -> Reading:
        """Look at the target once. Raises `ProbeError` and `Unknowable`."""


@runtime_checkable
class Limited(Protocol):
    """A kind whose attempts count against another limit than "sockets": see `net.tools.Tools`."""

    @property
    def LIMIT(self) -> str:  # noqa: N802 - the name of a constant of the module
        """Name of the limit."""


@runtime_checkable
class ChecksAddress(Protocol):
    """A kind that cannot look at every address of its schemes."""

    def check(self, target: str, /) -> None:
        """Raise `ValueError` with a sentence for the operator when it cannot look there."""
