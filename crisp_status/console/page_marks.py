"""A short text that says whether what pages of the console show has changed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crisp_status.core.model import State

MESSAGES_LOOKED_AT: Final = 100
"""As many as a page lists."""


def state_mark(state: State) -> str:
    """Another one whenever incidents, silences or what is owed have changed; in time that grows with open incidents only."""
    facts = (
        [
            (i.id, i.closed_at, i.acknowledged_at, len(i.timeline), len(i.record.log), i.remind_at)
            for i in state.open.values()
        ],
        len(state.closed),
        state.health,
        list(state.silences),
        [(m.id, m.attempts) for m in state.outbox.values()][:MESSAGES_LOOKED_AT],
        len(state.outbox),
        state.attempts[-1].at if state.attempts else 0,
        len(state.subscriptions),
    )
    return sha256(repr(facts).encode()).hexdigest()[:16]
