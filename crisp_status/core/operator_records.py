"""What operators leave in the state: announcements, silences, devices, sessions, passkeys, what they decided about incidents."""

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


class RunningWork(msgspec.Struct, omit_defaults=True):
    """Announced work of whose beginning those who asked for it were told."""

    id: str
    title: str
    since: float
    until: float
    """0: nobody said when it ends."""
    scopes: list[str]
    """Services and nodes, as announced."""
    told: list[str] = msgspec.field(default_factory=list)
    """Notifiers and web hooks that were told of its beginning, and hear of its end."""


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


class LogEntry(msgspec.Struct, omit_defaults=True):
    """One line of an incident's log for the team, never public."""

    at: float
    by: str
    what: str
    """opened acknowledged update note corrected merged struck postmortem closed."""
    text: str = ""


class IncidentRecord(msgspec.Struct, omit_defaults=True):
    """What operators decided about one incident; everything is empty for most."""

    title: str = ""
    """Of one that was opened by hand: its headline."""
    manual: bool = False
    """Opened by hand, so it ends by hand."""
    struck: bool = False
    """It was not an outage: visitors do not see it, and uptime is counted without it."""
    merged_into: int = 0
    """The incident that tells its story now."""
    postmortem: str = ""
    """Markdown, public when the incident is over."""
    postmortem_by: str = ""
    log: list[LogEntry] = msgspec.field(default_factory=list)


class Session(msgspec.Struct, omit_defaults=True):
    """An operator who signed in to the console."""

    id: str
    """SHA-256 of the random value in the cookie, in hex: the state holds no value that opens anything."""
    name: str
    """Whose it is, for the audit log."""
    operator: str = ""
    """Id of the operator in the file; "" signed in with the manager token or by a header of a proxy."""
    role: str = "owner"
    created_at: float = 0.0
    expires_at: float = 0.0
    credential: str = ""
    """Fingerprint of the token that opened it: a session ends when that token changes. "" with a passkey."""
    passkey: str = ""
    """Id of the passkey that opened it: a session ends when that passkey is removed."""


class Passkey(msgspec.Struct, omit_defaults=True):
    """Something with which an operator signs in instead of a token (WebAuthn)."""

    id: str
    """As the authenticator made it, in base64url."""
    operator: str
    name: str
    """What the operator calls it."""
    public_key: str
    """COSE key, in base64url."""
    sign_count: int = 0
    """As the authenticator counted last; one that counts and did not go on is a copy."""
    created_at: float = 0.0
    used_at: float = 0.0


class AuditEntry(msgspec.Struct, omit_defaults=True):
    """One thing that an operator did."""

    at: float
    by: str
    what: str
    """Name of the event on disk, such as Announced."""
    about: str = ""


class ConsoleState(msgspec.Struct, omit_defaults=True):
    """What only the console needs."""

    sessions: dict[str, Session] = msgspec.field(default_factory=dict)
    passkeys: dict[str, Passkey] = msgspec.field(default_factory=dict)
    audit: list[AuditEntry] = msgspec.field(default_factory=list)
    """Oldest first."""
