"""Reading the first message of a TLS client."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crisp_status.tls.client_hello import HELLO_MAX, ClientHello, NotTlsError, parse


def hello(name="status.example.org", protocols=("http/1.1",)):
    """What OpenSSL really sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def in_records(message, size):
    """The same handshake message, split into records of that size."""
    body, made = message[5:], b""
    for start in range(0, len(body), size):
        part = body[start : start + size]
        made += message[:3] + len(part).to_bytes(2, "big") + part
    return made


def test_name_and_protocols_of_a_real_client():
    """What OpenSSL sends is read: its name without upper case, its protocols in order."""
    assert parse(hello("Status.Example.ORG", ("h2", "http/1.1"))) == ClientHello(
        "status.example.org", ("h2", "http/1.1")
    )


def test_client_that_says_nothing():
    """A client that connects by address names no host."""
    assert parse(hello(None, ())) == ClientHello("", ())


def test_every_beginning_wants_more():
    """However the network cuts it, an incomplete ClientHello asks for more and is never taken for a whole one."""
    whole = hello()
    assert all(parse(whole[:size]) is None for size in range(len(whole)))
    assert parse(whole + b"more of the same client") == parse(whole)


@pytest.mark.parametrize("size", [10, 100, 400])
def test_split_into_records(size):
    """Some clients split the message over records to get past their censors."""
    assert parse(in_records(hello(), size)) == parse(hello())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x40\x00\x01" + (HELLO_MAX + 1).to_bytes(3, "big"),
        b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
    ],
)
def test_what_is_not_tls(data):
    """Another protocol, another message and lengths that cannot be are refused, not waited for."""
    with pytest.raises(NotTlsError):
        parse(data)


def test_a_hello_that_never_ends():
    """Whoever sends tiny records for ever is sent away before they take memory."""
    begin = b"\x16\x03\x01\x00\x04\x01\x00\x3f\xff"
    assert parse(begin + b"\x16\x03\x01\x00\x01\x00" * 10) is None
    with pytest.raises(NotTlsError, match="records"):
        parse(begin + b"\x16\x03\x01\x00\x01\x00" * 100)


@given(st.binary(max_size=300), st.integers(0, 500))
def test_any_bytes(noise, at):
    """Whatever stands in the message, reading it ends with an answer or `NotTlsError`."""
    whole = hello()
    for data in (noise, whole[:at] + noise + whole[at + len(noise) :], b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc" + noise):
        try:
            found = parse(data)
        except NotTlsError:
            continue
        assert found is None or isinstance(found.server_name, str)
