"""Web Push on `cryptography`: keys, the encrypted body (RFC 8291 on RFC 8188), the signed header (RFC 8292)."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PAYLOAD_MAX: Final = 3993
"""A push service must take bodies of 4096 bytes; header, delimiter and tag need 103 of them (RFC 8291 section 4)."""

RECORD_SIZE: Final = 4096
"""The one record of a body is always smaller than this (RFC 8188 section 2.1)."""

TOKEN_SECONDS: Final = 12 * 3600
"""Life of a signed header; services refuse more than 24 hours (RFC 8292 section 2)."""


@dataclass(frozen=True)
class PushKeys:
    """What signs our requests to push services. A new key makes every subscription worthless."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    contact: str = ""
    """`mailto:` or `https:` address of whoever runs this; some services refuse requests without it."""

    @property
    def public(self) -> str:
        """What a browser needs to subscribe (`applicationServerKey`), base64url."""
        return encode(_point(self.private.public_key()))


def new_pem() -> bytes:
    """A fresh private key on P-256, in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def keys_from(pem: bytes, page_url: str = "") -> PushKeys:
    """The keys in a PEM; `page_url` becomes the contact. Raises `ValueError` when it holds no private key on P-256."""
    try:
        loaded = serialization.load_pem_private_key(pem, None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.curve.name != "secp256r1":
        raise ValueError("it is another kind of key")
    return PushKeys(loaded, contact(page_url))


def contact(page_url: str) -> str:
    """The contact of a page: its address when that is https, else the postmaster of its host."""
    parts = urlsplit(page_url)
    if parts.scheme == "https":
        return page_url
    return f"mailto:postmaster@{parts.hostname}" if parts.hostname else ""


def encrypt(
    plain: bytes, p256dh: str, auth: str, *, salt: bytes = b"", sender: ec.EllipticCurvePrivateKey | None = None
) -> bytes:
    """The body of a push request, readable only by the browser that made `p256dh` and `auth` (both base64url).

    `salt` (16 bytes) and `sender` are fresh unless given, which only tests do. Raises `ValueError` when the keys are
    not those of a subscription, or the text is longer than `PAYLOAD_MAX` bytes.
    """
    if len(plain) > PAYLOAD_MAX:
        raise ValueError(f"a push message has at most {PAYLOAD_MAX} bytes, not {len(plain)}")
    their_point, their_secret = decode(p256dh), decode(auth)
    if len(their_secret) != 16:
        raise ValueError("the auth secret of a subscription has 16 bytes")
    try:
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), their_point)
    except (ValueError, InvalidKey):
        raise ValueError("the p256dh key of a subscription is a point on P-256") from None
    sender = sender or ec.generate_private_key(ec.SECP256R1())
    salt = salt or secrets.token_bytes(16)
    our_point = _point(sender.public_key())
    shared = sender.exchange(ec.ECDH(), theirs)
    ikm = _hkdf(their_secret, shared, b"WebPush: info\x00" + their_point + our_point, 32)
    key = _hkdf(salt, ikm, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _hkdf(salt, ikm, b"Content-Encoding: nonce\x00", 12)
    sealed = AESGCM(key).encrypt(nonce, plain + b"\x02", None)
    return salt + RECORD_SIZE.to_bytes(4, "big") + bytes([len(our_point)]) + our_point + sealed


def authorization(keys: PushKeys, endpoint: str, now: float) -> str:
    """The Authorization header for a push service (RFC 8292): a signed token for its origin, and our public key."""
    parts = urlsplit(endpoint)
    claims: dict[str, object] = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(now) + TOKEN_SECONDS}
    if keys.contact:
        claims["sub"] = keys.contact
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ES256"}, claims))
    r, s = decode_dss_signature(keys.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{signature}, k={keys.public}"


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """base64url, padded or not; also plain base64, which some libraries send. Raises `ValueError`."""
    try:
        bare = text.rstrip("=").replace("+", "-").replace("/", "_").encode("ascii")
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("expected base64url") from None


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(ikm)
