"""Where a `Location` leads, as browsers read it (URL standard, as far as http and https are concerned)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

SPECIAL: Final = re.compile(r"(https?):(.*)", re.IGNORECASE | re.DOTALL)
STRIPPED: Final = "".join(map(chr, range(0x21)))
"""Spaces and control characters at both ends are no part of an address …"""
REMOVED: Final = str.maketrans("", "", "\t\r\n")
"""… and these nowhere."""


def joined(url: str, location: str) -> str:
    """The address that `location`, sent by `url`, means. Raises ValueError when it means none.

    Spaces are encoded, backslashes are slashes, `http:/path` stays at the host where the scheme does and names one where
    it does not, and what stands behind a `#` is left out: it is never sent.
    """
    text = location.strip(STRIPPED).translate(REMOVED).partition("#")[0]
    path, mark, query = text.partition("?")
    text = path.replace("\\", "/") + mark + query
    if special := SPECIAL.fullmatch(text):
        scheme, rest = special[1].lower(), special[2]
        same_site = not rest.startswith("//") and scheme == urlsplit(url).scheme
        text = rest if same_site else f"{scheme}://{rest.lstrip('/')}"
    elif text.startswith("//"):
        text = "//" + text.lstrip("/")
    return urljoin(url, text).replace(" ", "%20")
