"""Read the token out of an `Authorization` header, as real clients send it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

MAX_CREDENTIALS: Final = 4096
"""Characters of an `Authorization` header; tokens have under a hundred."""

_URL_ALPHABET: Final = str.maketrans("-_", "+/")


def credentials(authorization: str | None) -> bytes | None:
    """The token in an `Authorization` header: the password of Basic (RFC 7617), or a Bearer token (RFC 6750).

    Taken as meant: base64 without padding or in the alphabet for URLs, line breaks at the end of the token, which a
    script encoded along with it, and a token in the place of the user name (`curl -u $TOKEN:`).
    """
    if not authorization or len(authorization) > MAX_CREDENTIALS:
        return None
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest.encode("utf-8", "surrogateescape") or None
    if scheme.lower() != "basic":
        return None
    try:
        bare = rest.rstrip("=").translate(_URL_ALPHABET)
        decoded = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.rstrip(b"\r\n").partition(b":")
    return (password or user) if colon else None
