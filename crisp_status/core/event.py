"""What every event has."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """Base: when it happened."""

    at: float = 0.0


class Command(Event, kw_only=True):
    """Base of what operators do: who did it, for the audit log. "" is a program or a link in a message."""

    by: str = ""
