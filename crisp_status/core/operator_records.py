"""What operators say, and the devices on which they listen."""

from __future__ import annotations

import msgspec


class Announcement(msgspec.Struct, omit_defaults=True):
    """Words from the operator to visitors; with `maintenance` it is a window of announced work."""

    id: str
    title: str
    text: str = ""
    created_at: float = 0.0
    starts_at: float = 0.0
    expires_at: float = 0.0
    """0: until removed."""
    maintenance: list[str] = msgspec.field(default_factory=list)
    """Services and nodes that are worked on."""
    rrule: str = ""
    """RFC 5545 recurrence of the window, in the page's time zone."""
    from_file: bool = False


class Silence(msgspec.Struct, omit_defaults=True):
    """Reminders are held until then; with a scope every notice of that service or node is."""

    id: str
    until: float
    """0: until healthy."""
    created_at: float
    scope: str = ""
    by: str = ""


class Subscription(msgspec.Struct, omit_defaults=True):
    """One device of one operator (RFC 8030)."""

    id: str
    operator: str
    endpoint: str
    p256dh: str
    auth: str
    created_at: float
