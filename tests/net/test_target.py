"""Addresses taken apart: the quick way for usual ones says what the library says, and never takes one that it refuses."""

from hypothesis import given, settings
from hypothesis.strategies import from_regex

from crisp_status.config.addresses import PLAIN, split
from crisp_status.net.target import apart, by_the_book


@settings(deadline=None)
@given(from_regex(PLAIN, fullmatch=True))
def test_a_usual_address_is_taken_apart_as_by_the_book(url):
    """Scheme, host, port and path are the same both ways, and the configuration has nothing against it either."""
    assert apart(url, 22) == by_the_book(url, 22)
    assert split(url).scheme == by_the_book(url).scheme
