"""What a probe kind is, and what it returns. `probes/__init__.py` describes the contract in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from crisp_status.core.model import FINE, Health, Reason


class Reading(msgspec.Struct, frozen=True):
    """What a probe read from a target that answered well enough."""

    health: Health = Health.HEALTHY
    reason: Reason = FINE
    latency: float | None = None
    """Seconds, where the kind knows better than `look` (worst round trip of a ping); None: `look` measures."""
    timed: bool = True
    """Whether a long latency makes it sick. A script may take its time."""


class Kind(Protocol):
    """A module of this room. It may also have `LIMIT`, the limit that an attempt counts against: see `net.tools.Tools`."""

    probe: Callable[[str, Any], Awaitable[Reading]]
