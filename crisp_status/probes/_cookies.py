"""Cookies within one look: what a site sets on the way is sent back to it along its redirects, then forgotten."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.net.target import TargetAddress

COOKIES_MAX: Final = 50
"""Of one look; browsers keep as many of a site."""

COOKIE_MAX: Final = 4096
"""Bytes of one."""

_GONE: Final = re.compile(r";\s*max-age\s*=\s*(?:0|-\d+)\s*(?:;|$)", re.IGNORECASE)


class Cookies:
    """Those of one look, by host (RFC 6265; path, domain and secure are not looked at: a look is short)."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], str] = {}

    def take(self, there: TargetAddress, fields: Iterable[str]) -> None:
        """Keep what an answer sets."""
        for field in fields:
            pair = field.partition(";")[0].strip()
            name, equals, value = pair.partition("=")
            if not equals or not name.strip() or len(pair) > COOKIE_MAX or not pair.isprintable():
                continue
            key = there.host, name.strip()
            if _GONE.search(field):
                self._found.pop(key, None)
            elif key in self._found or len(self._found) < COOKIES_MAX:
                self._found[key] = value.strip()

    def header(self, there: TargetAddress) -> dict[str, str]:
        """What is sent to that host."""
        pairs = [f"{name}={value}" for (host, name), value in self._found.items() if host == there.host]
        return {"Cookie": "; ".join(pairs)} if pairs else {}
