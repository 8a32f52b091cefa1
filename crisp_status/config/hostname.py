"""Host names as DNS carries them (UTS 46, non-transitional, as browsers do it; the standard library has IDNA 2003)."""

from __future__ import annotations

import functools
import re
from typing import Final

LABEL_MAX: Final = 63
NAME_MAX: Final = 253
"""RFC 1035, section 2.3.4."""

DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")
"""All that people write between labels (RFC 3490, section 3.1)."""


@functools.lru_cache(maxsize=65_536)
def ascii_host(host: str) -> str:
    """The name as it is resolved, and sent as SNI and in `Host`: `straße.example` is `xn--strae-oqa.example`.

    An ASCII name and an IP address stay as they are. Raises ValueError when no such name can exist.
    """
    if host.isascii():
        return host
    import idna

    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        name = ".".join(_label(label) for label in DOTS.split(mapped))
    except ValueError as error:  # IDNAError and UnicodeError are such
        raise ValueError(f"{host} is not a host name: {error}") from None
    if len(name.rstrip(".")) > NAME_MAX or not name.strip("."):
        raise ValueError(f"{host} is not a host name: it is longer than {NAME_MAX} characters in DNS, or empty")
    return name


def _label(label: str) -> str:
    """One label. Names that registries do not give out (`☃.net`, `_x`) exist all the same and are encoded, too."""
    import idna

    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError:
        encoded = "xn--" + label.encode("punycode").decode("ascii")
    if len(encoded) > LABEL_MAX:
        raise ValueError(f"a label has at most {LABEL_MAX} characters in DNS")
    return encoded
