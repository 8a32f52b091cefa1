"""Tokens, guesses, and whose request it is."""

import io
import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from aiohttp.test_utils import make_mocked_request

from crisp_status import log
from crisp_status.http.authentication import FREE_FAILURES, MAX_ADDRESSES, Failures, Permissions, Proxies
from crisp_status.http.error_responses import Refused
from crisp_status.net.authorization import credentials
from tests.fakes import FakeClock

TOKEN = "long-manager-token"


def basic(password, user=""):
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def gate(clock=None):
    return Permissions(TOKEN, "Manager Token", Failures((clock or FakeClock()).monotonic))


@pytest.mark.parametrize(
    "header", [basic(TOKEN), basic(TOKEN, "anybody"), basic(TOKEN).replace("Basic", "bAsIc"), f"Bearer {TOKEN}"]
)
def test_the_right_token_opens(header):
    """As password of any user, or as Bearer token."""
    gate().check(header, "192.0.2.1")


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !!!", "Digest x", "Basic " + "A" * 9000, "Bearer "])
def test_no_readable_token(header):
    """Without a token the answer says how to send one."""
    with pytest.raises(Refused) as caught:
        gate().check(header, "192.0.2.1")

    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith('Basic realm="Manager Token"')


def test_a_wrong_token():
    """Vigil's clients know 403."""
    with pytest.raises(Refused) as caught:
        gate().check(basic("wrong"), "192.0.2.1")

    assert caught.value.status == 403


def test_an_empty_token_never_opens():
    """A gate without a token is shut, also for an empty password."""
    with pytest.raises(Refused):
        Permissions("", "x", Failures(FakeClock().monotonic)).check(basic(""), "192.0.2.1")


def test_guessing_is_slowed_by_address():
    """After ten wrong tokens one more each five seconds; other addresses and the right token are not slowed."""
    clock = FakeClock()
    door = gate(clock)

    def guess(address):
        with pytest.raises(Refused) as caught:
            door.check(basic("wrong"), address)
        return caught.value.status

    assert [guess("192.0.2.1") for _ in range(FREE_FAILURES + 2)] == [403] * FREE_FAILURES + [429] * 2
    assert guess("192.0.2.2") == 403
    door.check(basic(TOKEN), "192.0.2.1")
    clock.advance(5)
    assert [guess("192.0.2.1"), guess("192.0.2.1")] == [403, 429]


def test_every_guess_is_counted():
    """Of all addresses and doors, those that were slowed down too; the right token is none."""
    failures = Failures(FakeClock().monotonic)
    door = Permissions(TOKEN, "Manager Token", failures)
    for n in range(FREE_FAILURES + 5):
        with pytest.raises(Refused):
            door.check(basic("wrong"), f"192.0.2.{n % 2}")
    door.check(basic(TOKEN), "192.0.2.1")

    assert failures.counted == FREE_FAILURES + 5


def test_wrong_tokens_leave_a_line_in_the_log():
    """With the address they came from and never the token itself, until they are too many; a right one leaves none."""
    lines = io.StringIO()
    log.configure(stream=lines, style="json")
    permissions = Permissions(TOKEN, "Manager Token", Failures(FakeClock().monotonic))
    permissions.check(basic(TOKEN), "192.0.2.7")
    for _ in range(FREE_FAILURES + 5):
        with pytest.raises(Refused):
            permissions.check(basic("a-wrong-token"), "192.0.2.7")
    found = [json.loads(line) for line in lines.getvalue().splitlines()]

    assert [(line["event"], line["realm"], line["client"]) for line in found] == [
        ("wrong token", "Manager Token", "192.0.2.7")
    ] * FREE_FAILURES
    assert "a-wrong-token" not in lines.getvalue()


def test_a_home_network_is_one_address():
    """Who has a whole /64 does not get a bucket for each of its addresses."""
    failures = Failures(FakeClock().monotonic)

    waits = [failures.count(f"2001:db8:0:1::{n:x}") for n in range(FREE_FAILURES + 1)]

    assert waits[-1] > 0
    assert failures.count("2001:db8:0:2::1") == 0


def test_memory_of_failures_is_bounded():
    """A million addresses cost as much as ten thousand."""
    failures = Failures(FakeClock().monotonic)
    for n in range(MAX_ADDRESSES + 50):
        failures.count(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")

    assert len(failures._buckets) <= MAX_ADDRESSES


class Peer:
    def __init__(self, peer):
        self.peer = peer

    def get_extra_info(self, name, default=None):
        return self.peer if name == "peername" else default


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "10.1.1.1", "10.1.1.1"),
        ("127.0.0.1", ", ".join(["10.0.0.1"] * 100), "10.0.0.1"),
    ],
)
def test_whose_request(peer, forwarded, expected):
    """Only proxies of the operator are believed, and only up to the first address that is none of theirs."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = make_mocked_request("GET", "/", headers=headers, transport=Peer((peer, 1)))

    assert Proxies(["127.0.0.1", "::1", "10.0.0.0/8"]).client(request) == expected


def test_credentials_keep_colons():
    """A password may contain colons; a user name may not."""
    assert credentials(basic("a:b:c", "user")) == b"a:b:c"


@pytest.mark.parametrize(
    "header",
    [
        basic(TOKEN),
        basic(TOKEN).rstrip("="),
        basic(TOKEN).replace("Basic", "BASIC"),
        basic(TOKEN).replace("Basic ", "Basic   "),
        basic(f"{TOKEN}\n"),
        basic(f"{TOKEN}\r\n"),
        "Basic " + b64encode(f"{TOKEN}:".encode()).decode(),
        "Basic " + urlsafe_b64encode(f"\u00ff\u00fe?:{TOKEN}".encode()).decode(),
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN} ",
    ],
)
def test_credentials_as_scripts_write_them(header):
    """Without padding, in the alphabet for URLs, with the line break of `echo`, or the token as user name."""
    assert credentials(header) == TOKEN.encode()


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9:41234", "203.0.113.9"),
        ("[2001:db8::9]:41234", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ('"203.0.113.9"', "203.0.113.9"),
        ("203.0.113.9:41234, 127.0.0.1:80", "203.0.113.9"),
    ],
)
def test_gateways_write_ports(forwarded, client):
    """Azure, IIS and others put the port behind the address: it is still the client's."""
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded}, transport=Peer(("127.0.0.1", 1)))

    assert Proxies(["127.0.0.1"]).client(request) == client
