"""Our own network in doubt without a witness: several networks silent at once, and nothing that answers."""

from __future__ import annotations

import pytest

from crisp_status.loops.network_doubt import WINDOW, NetworkDoubt, network_of


def silent(*ips: str, at: float = 100.0) -> NetworkDoubt:
    doubt = NetworkDoubt()
    for ip in ips:
        doubt.failed(ip, at)
    return doubt


@pytest.mark.parametrize(
    ("ips", "ours"),
    [
        (["192.0.2.1"], False),
        (["192.0.2.1", "192.0.2.200"], False),
        (["192.0.2.1", "198.51.100.1"], True),
        (["2001:db8::1", "2001:db9::1"], True),
        (["2001:db8::1", "2001:db8:1::1"], False),
        (["127.0.0.1", "127.1.0.1"], False),
        (["192.0.2.1", ""], False),
    ],
)
def test_several_networks_are_needed(ips: list[str], ours: bool) -> None:
    """This host itself is none, and neither is an address that nobody knows."""
    assert silent(*ips).ours(100.0) is ours


def test_an_answer_from_anywhere_outside_settles_it() -> None:
    """When its look began no earlier than the failures; this host itself proves nothing."""
    doubt = silent("192.0.2.1", "198.51.100.1")
    doubt.answered("203.0.113.1", 99.0)
    doubt.answered("127.0.0.1", 105.0)
    assert doubt.ours(105.0)
    doubt.answered("203.0.113.1", 101.0)
    assert not doubt.ours(105.0)


def test_what_failed_long_ago_says_nothing() -> None:
    """Two that died an hour apart died by themselves."""
    doubt = silent("192.0.2.1")
    doubt.failed("198.51.100.1", 100.0 + WINDOW + 1)
    assert not doubt.ours(100.0 + WINDOW + 1)


def test_after_the_hold_they_are_believed_until_something_answers() -> None:
    """A hold is not begun again by the same outage."""
    doubt = silent("192.0.2.1", "198.51.100.1")
    doubt.believe()
    doubt.failed("192.0.2.1", 160.0)
    doubt.failed("198.51.100.1", 160.0)
    assert not doubt.ours(160.0)
    doubt.answered("203.0.113.1", 170.0)
    doubt.failed("192.0.2.1", 180.0)
    doubt.failed("198.51.100.1", 180.0)
    assert doubt.ours(180.0)


def test_a_network_is_what_one_line_leads_to() -> None:
    """Roughly: a /16, or a /32 of IPv6."""
    assert [network_of(ip) for ip in ("192.0.2.1", "2001:db8::1%eth0", "::1", "nonsense")] == [
        "192.0",
        "2001:0db8",
        "",
        "",
    ]
