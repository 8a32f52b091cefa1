"""Links that act: only ours count, for their incident and purpose, until they expire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crisp_status.messages.action_links import PURPOSES, ActionLinkError, Grant, _signature, sign, verify

KEY = b"k" * 32
NOW = 1_795_435_200.0


def refused(key, token, now=NOW):
    with pytest.raises(ActionLinkError) as caught:
        verify(key, token, now)
    return caught.value.why


@given(incident=st.integers(0, 10**12), purpose=st.sampled_from(PURPOSES), seconds=st.integers(1, 10**8))
def test_a_link_grants_what_it_was_signed_for(incident, purpose, seconds):
    """The same incident, purpose and end come back, and the token needs no escapes in a URL."""
    token = sign(KEY, incident, purpose, NOW + seconds)

    assert verify(KEY, token, NOW) == Grant(incident, purpose, NOW + seconds)
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert refused(b"x" * 32, token) == "forged"


def test_a_link_ends():
    """From its last second on it is expired, not forged."""
    token = sign(KEY, 7, "silence", NOW + 60)

    assert verify(KEY, token, NOW + 59).incident == 7
    assert refused(KEY, token, NOW + 60) == "expired"


def test_nothing_in_a_link_can_be_changed():
    """Another incident, purpose or end, or a changed, cut or longer signature is forged."""
    token = sign(KEY, 7, "silence", NOW + 60)
    incident, purpose, expires, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"

    for changed in (
        f"8.{purpose}.{expires}.{signature}",
        f"07.{purpose}.{expires}.{signature}",
        f"{incident}.acknowledge.{expires}.{signature}",
        f"{incident}.{purpose}.{int(expires) + 9}.{signature}",
        f"{incident}.{purpose}.{expires}.{other}{signature[1:]}",
        token[:-1],
        token + "A",
        token + "\n",
        token + "=",
    ):
        assert refused(KEY, changed) == "forged", changed


@given(token=st.text(max_size=200))
def test_garbage_is_forged(token):
    """Whatever is not a token is refused in the same way."""
    assert refused(KEY, token) == "forged"


def test_what_cannot_be_signed():
    """An unknown purpose and a short key are mistakes of ours."""
    with pytest.raises(ValueError, match="no link is made to delete"):
        sign(KEY, 1, "delete", NOW)
    with pytest.raises(ValueError, match="at least 16 bytes"):
        sign(b"short", 1, "silence", NOW)


def test_a_purpose_of_another_version():
    """Signed with our key, and still nothing that this version knows how to do."""
    claims = f"7.reopen.{int(NOW) + 60}"

    assert refused(KEY, f"{claims}.{_signature(KEY, claims)}") == "forged"
