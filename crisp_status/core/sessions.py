"""Who is signed in to the console, and what operators did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crisp_status.core.operator_records import AuditEntry

if TYPE_CHECKING:
    from crisp_status.core import events
    from crisp_status.core.world import World

SESSIONS_MAX: Final = 200
"""Signed in at a time; the one that ends first makes room."""

AUDIT_MAX: Final = 1000
"""Entries of the audit log."""

ABOUT_MAX: Final = 200
"""Characters of what an entry is about."""


def signed_in(world: World, event: events.SignedIn) -> bool:
    """Remember a session, and forget those that have expired."""
    sessions = world.state.console.sessions
    for key in [s.id for s in sessions.values() if s.expires_at <= event.at]:
        del sessions[key]
    while len(sessions) >= SESSIONS_MAX:
        del sessions[min(sessions.values(), key=lambda s: s.expires_at).id]
    sessions[event.session.id] = replace(event.session)
    return True


def signed_out(world: World, event: events.SignedOut) -> bool:
    """End a session."""
    return world.state.console.sessions.pop(event.id, None) is not None


def record(world: World, event: events.Command) -> None:
    """Write down what an operator did."""
    if not event.by:
        return
    audit = world.state.console.audit
    audit.append(AuditEntry(event.at, event.by, str(type(event).__struct_config__.tag), _about(event)[:ABOUT_MAX]))
    del audit[: max(0, len(audit) - AUDIT_MAX)]


def _about(event: events.Command) -> str:
    """What it was done to: an incident, a title, a message, a scope."""
    for name in ("announcement", "silence", "subscription"):
        value = getattr(event, name, None)
        if value is not None:
            return str(getattr(value, "title", "") or getattr(value, "scope", "") or getattr(value, "operator", ""))
    for name in ("incident", "message", "notifier", "title"):
        value = getattr(event, name, None)
        if value:
            return str(value)
    return ""
