"""HTTP as channels need it, against real servers that behave badly."""

import asyncio
import socket
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from aiohttp.abc import AbstractResolver

from crisp_status.channels import (
    RETRY_AFTER_MAX,
    ChannelError,
    Http,
    is_permanent,
    json_bytes,
    parse_retry_after,
    quote,
    redact,
    refusal,
)
from tests.fakes import FakeClock
from tests.receivers import HttpReceiver, Reply, certificate

NOW = 1_795_435_200.0


@pytest.fixture
async def http():
    async with Http(FakeClock(NOW), timeout=0.5) as made:
        yield made


async def failure(http, url, **more):
    """Why a POST is no yes."""
    try:
        return refusal(await http.post(url, b"{}", {}, **more), redact(url))
    except ChannelError as error:
        return error


async def test_a_yes_is_any_2xx(http):
    """200, 202 and 204 all count as delivered."""
    async with HttpReceiver(Reply(200), Reply(202), Reply(204)) as receiver:
        assert [(await http.post(receiver.url(), b"x", {})).status for _ in range(3)] == [200, 202, 204]

        assert [r.body for r in receiver.requests] == [b"x"] * 3
        assert receiver.requests[0].headers["user-agent"].startswith("crisp-status/")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
async def test_a_no_for_good(http, status):
    """A client error means that the same message must not come again."""
    async with HttpReceiver(Reply(status, b"go away")) as receiver:
        error = await failure(http, receiver.url("/secret/path?key=1"))

        assert error.permanent
        assert error.text == f"http://127.0.0.1:{receiver.port} answered {status}: go away"


@pytest.mark.parametrize("status", [301, 302, 307, 408, 425, 429, 500, 502, 503, 504])
async def test_a_no_for_now(http, status):
    """Redirects, overload and server errors pass; redirects are not followed."""
    async with HttpReceiver(Reply(status, headers={"Location": "/elsewhere"})) as receiver:
        error = await failure(http, receiver.url())

        assert not error.permanent
        assert [r.path for r in receiver.requests] == ["/"]


async def test_retry_after_in_both_forms(http):
    """Seconds and a date say the same."""
    date = format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)
    async with HttpReceiver(
        Reply(429, headers={"Retry-After": "90"}), Reply(503, headers={"Retry-After": date})
    ) as receiver:
        assert [(await failure(http, receiver.url())).retry_after for _ in range(2)] == [90.0, 90.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("٣", 0.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("9" * 5000, RETRY_AFTER_MAX),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 9999 12:00:30 GMT", RETRY_AFTER_MAX),
        ("Mon, 99 Nov 2026 99:00:30 GMT", 0.0),
    ],
)
def test_retry_after_of_any_shape(value, seconds):
    """Numbers and dates are read, limited to an hour; anything else says nothing."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(hang=True), "no answer from http://127.0.0.1:{port} within 0.5 s"),
        (Reply(raw=b""), "http://127.0.0.1:{port} closed the connection without an answer"),
        (Reply(raw=b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "http://127.0.0.1:{port} did not answer in HTTP"),
        (Reply(raw=b"\x00\xff" * 500), "http://127.0.0.1:{port} did not answer in HTTP"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000), "http://127.0.0.1:{port} did not answer in HTTP"),
    ],
)
async def test_no_answer_is_told_and_passes(http, reply, words):
    """A receiver that says nothing, or not in HTTP, gets the message again later."""
    async with HttpReceiver(reply) as receiver:
        error = await failure(http, receiver.url("/secret"))

        assert (error.text, error.permanent) == (words.format(port=receiver.port), False)


async def test_nobody_listens(http):
    """A refused connection and an unknown name are told in words, and pass."""
    async with HttpReceiver() as receiver:
        url = receiver.url("/secret")
    error = await failure(http, url)
    unknown = await failure(http, "http://nobody.invalid/secret")

    assert "Connect" in error.text
    assert "secret" not in error.text + unknown.text
    assert not error.permanent
    assert not unknown.permanent


async def test_a_certificate_that_nobody_signed(http):
    """TLS is checked; the words say what is wrong with the certificate."""
    async with HttpReceiver(tls=True) as receiver:
        error = await failure(http, receiver.url())

        assert "the certificate of https://127.0.0.1" in error.text
        assert "self-signed" in error.text
        assert not error.permanent
        assert receiver.requests == []


async def test_a_body_that_drips_delays_nothing(http):
    """The status is the answer: a body that never ends is cut, and a yes stays a yes."""
    async with HttpReceiver(Reply(200, b"x" * 500, drip=0.05)) as receiver:
        before = asyncio.get_running_loop().time()
        answer = await http.post(receiver.url(), b"", {})

        assert answer.status == 200
        assert asyncio.get_running_loop().time() - before < 2


async def test_only_the_start_of_an_answer_is_read(http):
    """A huge answer costs four kilobytes, and an error line quotes little of it, on one line."""
    async with HttpReceiver(Reply(500, b"first\r\nsecond\x1b[31m" + b"y" * 2_000_000)) as receiver:
        error = await failure(http, receiver.url())

        assert len(error.text) < 250
        assert error.text.isprintable()
        assert "first second" in error.text


async def test_an_address_that_is_none_is_a_refusal(http):
    """Trying again soon cannot mend an address."""
    for url in ("http://", "nonsense", "http://[::1", "http://host:99999/"):
        error = await failure(http, url)

        assert error.permanent, url


def test_addresses_are_redacted():
    """Whatever stands after the host, or before it, is a secret."""
    assert redact("https://user:pass@hooks.slack.com/services/T0/B0/secret?x=y") == "https://hooks.slack.com"
    assert redact("http://[::1]:8080/x") == "http://[::1]:8080"
    assert redact("http://[::1") == "the address"


def test_which_statuses_are_permanent():
    """4xx but 408, 425 and 429."""
    assert [s for s in range(100, 600) if is_permanent(s)] == [s for s in range(400, 500) if s not in {408, 425, 429}]


def test_json_is_written_as_javascript_writes_it():
    """No spaces, no escapes for other scripts, short escapes for control characters."""
    assert json_bytes({"a": ["é\u2028😀", 1, '\n\x01"\\/']}) == '{"a":["é\u2028😀",1,"\\n\\u0001\\"\\\\/"]}'.encode()


def test_quotes_are_short_and_on_one_line():
    """Foreign text cannot forge a line of the log."""
    assert quote("a\n\n b\tc\x00") == "a b c"
    assert len(quote("x" * 1000)) == 160


async def test_an_authority_of_ones_own(http, tmp_path):
    """A receiver whose certificate it signed is trusted with `ca_file`; a file that cannot be read is named."""
    ca_file, _ = certificate()
    async with HttpReceiver(tls=True) as receiver:
        url = receiver.url().replace("127.0.0.1", "localhost")
        assert (await http.post(url, b"x", {}, ca_file=str(ca_file))).status == 200
        error = await failure(http, url, ca_file=str(tmp_path / "missing.pem"))

        assert "missing.pem cannot be read: No such file" in error.text
        assert len(receiver.requests) == 1


async def test_the_answer_has_a_time_of_its_own():
    """Whoever was slow to connect may still think about the message as long as the others."""
    async with Http(FakeClock(NOW), timeout=0.6) as http, HttpReceiver(Reply(200, delay=0.5)) as receiver:
        began = asyncio.get_running_loop().time()
        http._session._connector._resolver = SlowResolver(0.4)

        assert (await http.post(receiver.url().replace("127.0.0.1", "slow.example"), b"x", {})).status == 200
        assert asyncio.get_running_loop().time() - began > 0.6


class SlowResolver(AbstractResolver):
    """Finds everything on the loopback, after so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def resolve(self, host, port=0, family=socket.AF_INET):
        await asyncio.sleep(self.seconds)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self):
        """Nothing is open."""
