"""Links in messages to subscribers: to manage, to leave. Signed and bound to one subscriber and one purpose.

They work as long as the subscriber is known: who finds an old message wants to get out of it. A GET of such a link only
shows a page, because mail scanners follow links; a POST acts. The address is not in them, so no log of a proxy has it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import blake2b
from typing import Final

import msgspec

from crisp_status.core.subscriber_records import Subscriber

MAC_BYTES: Final = 16
ID_BYTES: Final = 8

UNDO_SECONDS: Final = 3600.0
"""How long somebody who left can come back with one click."""


def subscriber_id(key: bytes, kind: str, address: str) -> int:
    """The id of a subscriber: nobody without the key finds an address by it."""
    digest = blake2b(f"{kind} {address}".encode(), key=key, person=b"subscriber", digest_size=ID_BYTES).digest()
    return int.from_bytes(digest, "big") >> 1


def mailbox_id(key: bytes, address: str) -> int:
    """The same for all spellings of one mailbox: capitals, dots and what follows a plus make no difference."""
    local, _, domain = address.rpartition("@")
    plain = local.strip('"').partition("+")[0].replace(".", "")
    return subscriber_id(key, "mailbox", f"{plain}@{domain}".casefold())


def sign(key: bytes, id: int, purpose: str) -> str:
    """A token for a URL: the id and its signature."""
    raw = id.to_bytes(ID_BYTES, "big")
    return _encode(raw + _mac(key, purpose, raw))


def verify(key: bytes, token: str, purpose: str) -> int | None:
    """The id in a token; None: it was not made by us for that purpose."""
    raw = _decode(token)
    if raw is None or len(raw) != ID_BYTES + MAC_BYTES:
        return None
    if not hmac.compare_digest(raw[ID_BYTES:], _mac(key, purpose, raw[:ID_BYTES])):
        return None
    return int.from_bytes(raw[:ID_BYTES], "big")


def seal(key: bytes, subscriber: Subscriber, expires: float) -> str:
    """Somebody who left, so that only he can bring himself back; for a field of a form, not for a URL."""
    raw = int(expires).to_bytes(ID_BYTES, "big") + msgspec.json.encode(subscriber)
    return _encode(_mac(key, "undo", raw) + raw)


def unseal(key: bytes, sealed: str, now: float) -> Subscriber | None:
    """Who that is; None: it was not made by us, or too long ago."""
    raw = _decode(sealed) or b""
    mac, rest = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, "undo", rest)) or int.from_bytes(rest[:ID_BYTES], "big") <= now:
        return None
    return msgspec.json.decode(rest[ID_BYTES:], type=Subscriber)


def _mac(key: bytes, purpose: str, raw: bytes) -> bytes:
    # The prefix keeps these signatures apart from whatever else the key signs.
    return hmac.digest(key, f"crisp-status subscriber {purpose}\n".encode() + raw, "sha256")[:MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
