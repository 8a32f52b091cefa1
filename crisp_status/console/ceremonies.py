"""Ceremonies of passkey ceremonies: each is ours, for one purpose, young, and answered once.

A challenge carries its time and our signature, so that handing them out to strangers keeps nothing in memory.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from crisp_status.clock import Clock

LIFE_SECONDS: Final = 300
"""To find the key on the ring."""

TIME_BYTES: Final = 8
RANDOM_BYTES: Final = 16


@dataclass
class Ceremonies:
    """Makes challenges and recognises them."""

    clock: Clock
    key: bytes
    _answered: dict[bytes, float] = field(default_factory=dict)
    """Until when a challenge would count that was answered: as many as somebody signs in within `LIFE_SECONDS`."""

    def new(self, purpose: str) -> bytes:
        """A challenge for one purpose."""
        head = int(self.clock.now()).to_bytes(TIME_BYTES, "big") + secrets.token_bytes(RANDOM_BYTES)
        return head + self._seal(purpose, head)

    def current(self, challenge: bytes, purpose: str) -> bool:
        """Whether it is one of `new` for this purpose that may still be answered."""
        head, seal = challenge[: TIME_BYTES + RANDOM_BYTES], challenge[TIME_BYTES + RANDOM_BYTES :]
        age = self.clock.now() - int.from_bytes(head[:TIME_BYTES], "big")
        return (
            hmac.compare_digest(seal, self._seal(purpose, head))
            and -1 <= age <= LIFE_SECONDS
            and challenge not in self._answered
        )

    def answered(self, challenge: bytes) -> None:
        """It does not count again."""
        now = self.clock.now()
        self._answered = {known: until for known, until in self._answered.items() if until > now}
        self._answered[challenge] = now + LIFE_SECONDS + 1

    def _seal(self, purpose: str, head: bytes) -> bytes:
        return hmac.new(self.key, f"passkey {purpose}\0".encode() + head, sha256).digest()
