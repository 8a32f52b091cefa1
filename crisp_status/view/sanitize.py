"""Words from outside made fit to be shown: no control characters, no direction tricks, no end-less names."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

MAX_NAME: Final = 80
"""Characters of a name: a phone shows about two lines of it."""

MAX_LINE: Final = 300
"""Characters of a title, a note's line or a reason."""

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, marks that turn the direction of text around, invisible characters. Joiners stay: Persian and emoji need them."""

_MARKS: Final = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})[^\\W\\d_]*?"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
"""More than three combining marks on one letter: they would climb over the neighbouring lines."""

_PRIVATE_ENDINGS: Final = (".local", ".localhost", ".internal", ".intranet", ".lan", ".home", ".corp", ".home.arpa")
"""Names that mean something only inside a network (RFC 6762, RFC 8375 and common use)."""


def clean(text: str, limit: int = MAX_NAME) -> str:
    """One line of plain text, at most `limit` characters; longer is cut with an ellipsis."""
    text = text[: limit * 8]
    if not text.isascii() or not text.isprintable():
        text = _MARKS.sub(r"\1", _UNSEEN.sub("", text))
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def visible(text: str) -> str:
    """The same text without what nobody sees."""
    return _UNSEEN.sub("", text)


def prose(text: str, limit: int) -> str:
    """Several lines of plain text, at most `limit` characters."""
    kept = _MARKS.sub(r"\1", visible(text[: limit * 2].replace("\r\n", "\n").replace("\r", "\n")))
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def public_host(address: str) -> str:
    """The part of a replica's address or id that may be shown: a public host name, else "".

    User names, paths, queries and ports never pass; private addresses and names of inner networks neither.
    """
    if "://" in address:
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:
            return ""
    else:
        host = address
    return "" if is_private(host) else clean(host)


def is_private(host: str) -> bool:
    """Whether a host, or an id that may be one, belongs to an inner network."""
    host = host.strip("[]").rstrip(".").lower()
    bare, _, port = host.rpartition(":")
    if bare and ":" not in bare and port.isdigit():
        host = bare
    try:
        return not ip_address(host.partition("%")[0]).is_global
    except ValueError:
        pass
    if "/" in host or "@" in host or "\\" in host:
        return True
    return host == "localhost" or host.endswith(_PRIVATE_ENDINGS)
