"""An e-mail address of a stranger, as somebody types it."""

from __future__ import annotations

import re
from email.headerregistry import Address
from typing import Final

from crisp_status.config.hostname import ascii_host

ADDRESS_MAX: Final = 254
"""RFC 5321 section 4.5.3.1.3, without the angle brackets."""

_LOCAL: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\["\\])+"')
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+")


def checked_address(text: str) -> str:
    """An e-mail address as a visitor types it, in the form that is kept. Raises `ValueError` for what is none."""
    local, at, domain = text.strip().rpartition("@")
    plain = _LOCAL.fullmatch(local) or _QUOTED.fullmatch(local)
    if not at or not plain or not _DOMAIN.fullmatch(domain) or not text.isprintable() or len(local.encode()) > 64:
        raise ValueError("not an e-mail address")
    try:
        address = f"{local}@{ascii_host(domain).lower()}"
        Address(addr_spec=address)
    except (ValueError, IndexError, LookupError):
        raise ValueError("not an e-mail address") from None
    if len(address.encode()) > ADDRESS_MAX:
        raise ValueError("not an e-mail address")
    return address
