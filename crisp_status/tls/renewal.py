"""When a certificate is renewed, when a failed try is repeated, when people are told. Pure: no clock, no randomness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from crisp_status.tls.keypair import KeyPair

RENEW_LEFT: Final = 1 / 3
"""Of its life that a certificate has left when it is renewed, unless the authority names a time."""

JITTER: Final = 1 / 30
"""Of its life by which renewals are spread, so that an authority is not asked by everybody in the same minute."""

FIRST_WAIT: Final = 60.0
"""Seconds after the first failed try; each further one doubles it."""

LONGEST_WAIT: Final = 86400.0
"""Seconds; a try a day is worth it for as long as somebody wants the certificate."""

RESTART_WAIT: Final = 60.0
"""Seconds between two tries across a restart: who mended something starts anew and wants to see it work, while a
daemon that is restarted again and again must not use up what an authority allows."""

Warn = Literal["", "soon", "urgent"]
"""How near the end of a certificate is: a sixth or a twentieth of its life is left."""

_SOON: Final = 1 / 6
_URGENT: Final = 1 / 20


def renew_at(pair: KeyPair, chance: float) -> float:
    """When to renew a certificate whose authority names no time. `chance` is from 0 to 1."""
    return pair.not_after - pair.life * (RENEW_LEFT + JITTER * chance)


def wait_after(failures: int, chance: float) -> float:
    """Seconds until the next try, after so many failed in a row. `chance` is from 0 to 1."""
    wait: float = FIRST_WAIT * 2.0 ** min(failures - 1, 20)
    return min(wait, LONGEST_WAIT) * (1.0 + 0.1 * chance)


def warning(pair: KeyPair, now: float) -> Warn:
    """How near its end is."""
    left = pair.not_after - now
    if left <= pair.life * _URGENT:
        return "urgent"
    return "soon" if left <= pair.life * _SOON else ""
