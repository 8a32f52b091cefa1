"""TLS as browsers take it; and what goes wrong after the handshake is the target's failure, never ours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.probes.servers import Authority, answering, http, looked, talking

GARBLED = b"\x17\x03\x03\x00\x20" + bytes(32)
"""A TLS record that nobody's key opens."""


@contextlib.contextmanager
def blocking(context: ssl.SSLContext, talk: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A server in a thread that can also write past its own TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    with (
                        sock,
                        contextlib.suppress(OSError, ssl.SSLError),
                        context.wrap_socket(sock, server_side=True) as tls,
                    ):
                        tls.settimeout(5)
                        talk(tls)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("match", ["", "x"])
async def test_a_client_certificate_that_is_wanted_is_said_in_words(authority: Authority, match: str) -> None:
    """TLS 1.3 asks for it after the handshake: dead, and the alert in words."""
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    with blocking(context, lambda tls: tls.recv(1000)) as url:
        seen = await looked(url, healthy_match=match)

    assert (seen.outcome, seen.reason.code) == ("dead", "tls")
    assert "client certificate" in seen.reason.text


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"])
async def test_a_broken_record_after_the_handshake_is_dead(authority: Authority, begin: bytes) -> None:
    """Before the answer, and in the middle of its body."""

    def talk(tls: ssl.SSLSocket) -> None:
        tls.recv(1000)
        if begin:
            tls.send(begin)
        socket.socket.sendall(tls, GARBLED)
        tls.recv(1000)

    with blocking(authority.context(), talk) as url:
        seen = await looked(url, healthy_match="x" * 3)

    assert (seen.outcome, seen.reason.code) == ("dead", "tls")
    assert "after the handshake" in seen.reason.text


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("cipher", "weak"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256", False),
        ("ECDHE-RSA-AES128-SHA", True),
        ("ECDHE-RSA-AES256-SHA384", True),
        ("AES128-GCM-SHA256", True),
        ("AES256-SHA", True),
    ],
)
async def test_suites_that_browsers_take_are_healthy(
    authority: Authority, cipher: str, weak: bool, verify: bool
) -> None:
    """TLS 1.2 with old suites; `look` names a weak one."""
    context = authority.context(by_rsa=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    async with talking(answering({"HEAD /": http()}), tls=context) as server:
        seen = await looked(server.url(scheme="https"), verify_tls=verify)

    assert seen.outcome == "healthy", seen.reason.text
    assert (f"weak cipher {cipher}" in seen.lines()) == weak


async def test_a_name_of_another_alphabet_is_sent_as_ascii(authority: Authority, shared) -> None:
    """In SNI, in Host, and in the name that the certificate is compared with."""
    names: list[str] = []
    heads: list[bytes] = []
    context = authority.context(names=("xn--strae-oqa.example",))
    context.sni_callback = lambda _sock, name, _context: names.append(name)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http())

    shared.resolver._lookup = lambda host, port, *_: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]
    async with talking(talk, tls=context) as server:
        seen = await looked(f"https://straße.example:{server.port}/")

    assert seen.outcome == "healthy", seen.reason.text
    assert names == ["xn--strae-oqa.example"]
    assert f"Host: xn--strae-oqa.example:{server.port}\r\n".encode() in heads[0]


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("scheme", ["https", "tls"])
async def test_the_first_of_the_chain_that_ends_counts(tmp_path, scheme: str, verify: bool) -> None:
    """An authority in the middle that ends before the server's certificate is named; the one on top is nobody's business."""
    top = Authority(tmp_path, "Top Authority", ends=2)
    middle = Authority(tmp_path, "Middle Authority", by=top, ends=5)
    given = {"ca_file": str(top.file)} if verify else {"verify_tls": False}
    async with talking(answering({"HEAD /": http()}), tls=middle.context(ends=30)) as server:
        url = server.url(scheme=scheme, path="/" if scheme == "https" else "")
        sick = await looked(url, certificate_sick_days=7, **given)
        healthy = await looked(url, certificate_sick_days=4, **given)

    assert (sick.outcome, sick.reason.code) == ("sick", "certificate"), sick.reason
    assert sick.reason.text.startswith("certificate of Middle Authority in the chain ends on ")
    assert healthy.outcome == "healthy", healthy.reason
