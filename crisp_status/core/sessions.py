"""Who is signed in to the console, and what operators did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from crisp_status.core.operator_records import AuditEntry

if TYPE_CHECKING:
    from crisp_status.core import events
    from crisp_status.core.model import State
    from crisp_status.core.world import World

SESSIONS_MAX: Final = 200
"""Signed in at a time; the one that ends first makes room."""

PASSKEYS_MAX: Final = 20
"""Of one operator: phones, laptops and keys on a ring."""

AUDIT_MAX: Final = 1000
"""Entries of the audit log."""

ABOUT_MAX: Final = 200
"""Characters of what an entry is about."""


def signed_in(world: World, event: events.SignedIn) -> bool:
    """Remember a session, and forget those that have expired; a passkey that opened it was used."""
    sessions = world.state.console.sessions
    if event.session.passkey:
        passkey = world.state.console.passkeys.get(event.session.passkey)
        # Two requests with one answer of an authenticator: the second one finds its count used up.
        if passkey is None or (event.sign_count and event.sign_count <= passkey.sign_count):
            return False
        passkey.sign_count, passkey.used_at = event.sign_count, event.at
    for key in [s.id for s in sessions.values() if s.expires_at <= event.at]:
        del sessions[key]
    while len(sessions) >= SESSIONS_MAX:
        del sessions[min(sessions.values(), key=lambda s: s.expires_at).id]
    sessions[event.session.id] = replace(event.session)
    return True


def signed_out(world: World, event: events.SignedOut) -> bool:
    """End a session."""
    return world.state.console.sessions.pop(event.id, None) is not None


def passkey_added(world: World, event: events.PasskeyAdded) -> bool:
    """Remember a passkey of an operator whom the configuration has."""
    known, new = world.state.console.passkeys, replace(event.passkey)
    own = sum(p.operator == new.operator for p in known.values())
    if new.id in known or new.operator not in world.state.plan.operators or own >= PASSKEYS_MAX:
        return False
    new.created_at = event.at
    known[new.id] = new
    return True


def passkey_removed(world: World, event: events.PasskeyRemoved) -> bool:
    """Forget a passkey, and end its sessions."""
    console = world.state.console
    if console.passkeys.pop(event.id, None) is None:
        return False
    for key in [s.id for s in console.sessions.values() if s.passkey == event.id]:
        del console.sessions[key]
    return True


def follow_operators(state: State) -> None:
    """Forget the passkeys of operators who are not in the configuration any more."""
    console = state.console
    console.passkeys = {id: p for id, p in console.passkeys.items() if p.operator in state.plan.operators}


def record(world: World, event: events.Command) -> None:
    """Write down what an operator did."""
    if not event.by:
        return
    audit = world.state.console.audit
    audit.append(AuditEntry(event.at, event.by, str(type(event).__struct_config__.tag), _about(event)[:ABOUT_MAX]))
    del audit[: max(0, len(audit) - AUDIT_MAX)]


def _about(event: events.Command) -> str:
    """What it was done to: an incident, a title, a message, a scope."""
    for name in ("announcement", "silence", "subscription", "passkey"):
        value = getattr(event, name, None)
        if value is not None:
            return str(getattr(value, "title", "") or getattr(value, "scope", "") or getattr(value, "operator", ""))
    for name in ("incident", "message", "notifier", "to", "title"):
        value = getattr(event, name, None)
        if value:
            return str(value)
    return ""
