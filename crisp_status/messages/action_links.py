"""Links in messages that act without signing in: signed, bound to one incident and one purpose, expiring.

Pure: the key and the time are given. A token is `incident.purpose.expires.signature`; everything in it may be read, and
nothing changed. A GET of such a link only shows a question, because mail scanners follow links; a POST acts.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from typing import Final, Literal

PURPOSES: Final = ("acknowledge", "silence")

SECONDS: Final = 7 * 86400.0
"""How long a link works: an incident that nobody looked at for a week needs no link in an old mail."""

KEY_BYTES_MIN: Final = 16
"""A shorter key could be guessed."""

_TOKEN: Final = re.compile(r"([0-9]{1,15})\.([a-z]{1,20})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


class ActionLinkError(Exception):
    """The link does not count. `why` is "forged" (not ours, or changed) or "expired"."""

    def __init__(self, why: Literal["forged", "expired"]) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Grant:
    """What a good link allows."""

    incident: int
    purpose: str
    expires: float


def sign(key: bytes, incident: int, purpose: str, expires: float) -> str:
    """A token, safe in a URL as it is. `expires` in epoch seconds. Raises `ValueError` for a purpose not of `PURPOSES`."""
    if purpose not in PURPOSES:
        raise ValueError(f"no link is made to {purpose}; expected one of {', '.join(PURPOSES)}")
    claims = f"{incident}.{purpose}.{int(expires)}"
    return f"{claims}.{_signature(key, claims)}"


def verify(key: bytes, token: str, now: float) -> Grant:
    """What the token allows at `now`. Raises `LinkError`; takes the same time for every wrong signature."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ActionLinkError("forged")
    incident, purpose, expires, signature = match.groups()
    if not hmac.compare_digest(signature, _signature(key, f"{incident}.{purpose}.{expires}")):
        raise ActionLinkError("forged")
    if purpose not in PURPOSES:  # of another version of ours, with the same key
        raise ActionLinkError("forged")
    if now >= int(expires):
        raise ActionLinkError("expired")
    return Grant(int(incident), purpose, float(expires))


def _signature(key: bytes, claims: str) -> str:
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"the key of links has at least {KEY_BYTES_MIN} bytes")
    # The prefix keeps these signatures apart from whatever else the key may sign.
    digest = hmac.digest(key, f"crisp-status link 1\n{claims}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
