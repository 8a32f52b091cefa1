"""Names as DNS carries them: UTS 46, non-transitional."""

from __future__ import annotations

import pytest

from crisp_status.config.hostname import ascii_host


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("βόλος.gr", "xn--nxasmm1c.gr"),
        ("نامه\u200cای.com", "xn--mgba3gch31f060k.com"),
        ("münchen.de", "xn--mnchen-3ya.de"),
        ("MÜNCHEN.de", "xn--mnchen-3ya.de"),
        ("例え。jp", "xn--r8jz45g.jp"),
        ("☃.net", "xn--n3h.net"),
        ("_x", "_x"),
        ("_dmarc.münchen.de", "_dmarc.xn--mnchen-3ya.de"),
        ("a.example.", "a.example."),
        ("münchen.de.", "xn--mnchen-3ya.de."),
        ("127.0.0.1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_is_what_browsers_ask_for(written: str, sent: str) -> None:
    """Also names that registries do not give out, and those that are no names."""
    assert ascii_host(written) == sent


@pytest.mark.parametrize("written", ["ä" * 64 + ".de", "ä" + "." * 2 + "ö" * 300, "。"])
def test_says_what_cannot_exist(written: str) -> None:
    """Labels and names that DNS has no room for."""
    with pytest.raises(ValueError, match="is not a host name"):
        ascii_host(written)
