"""What the operator may decide about a connection: who we are, whom to trust, what the server is called, which family."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.probes.servers import Authority, answering, http, looked, talking
from tests.probes.webservers import nginx


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    """An authority that the system does not know."""
    return Authority(tmp_path, "Private Authority")


def locked(own: Authority) -> str:
    """nginx that lets in who has a certificate of that authority, under one name, and closes the door on other names."""
    server, inner = own.certificate("proxy.lan"), own.certificate("shop.lan")
    return f"""
    ssl_client_certificate {own.file}; ssl_verify_client on;
    server {{ listen 127.0.0.1:PORT ssl default_server; server_name proxy.lan;
        ssl_certificate {server}; ssl_certificate_key {server}; location / {{ return 421; }} }}
    server {{ listen 127.0.0.1:PORT ssl; server_name shop.lan;
        ssl_certificate {inner}; ssl_certificate_key {inner}; location / {{ return 200 "in"; }} }}
    """


async def test_nginx_that_wants_a_certificate_lets_us_in_by_name(own: Authority) -> None:
    """Address by number, name for TLS and Host, own authority, client certificate: each is needed, and each absence is said."""
    client = str(own.certificate("monitor"))
    given = {"server_name": "shop.lan", "ca_file": str(own.file), "client_cert": client}
    async with nginx(locked(own)) as port:
        url = f"https://127.0.0.1:{port}/"
        seen = {
            missing: await looked(url, **{key: value for key, value in given.items() if key != missing})
            for missing in ("", "server_name", "ca_file", "client_cert")
        }
        tls = await looked(f"tls://127.0.0.1:{port}", **given)

    assert (seen[""].outcome, tls.outcome) == ("healthy", "healthy"), seen[""].lines()
    assert seen["server_name"].reason.text == "certificate is not for 127.0.0.1 but for proxy.lan"
    assert seen["ca_file"].reason.text == "certificate comes from an unknown authority (Private Authority)"
    assert seen["client_cert"].reason.text.startswith("answered 400")


async def test_a_file_that_cannot_be_used_is_our_fault(own: Authority, tmp_path: Path) -> None:
    """Unknown, not dead, with the file; and one that was written anew is read anew."""
    file = tmp_path / "client"
    context = own.context(names=("127.0.0.1",))
    async with talking(answering({"HEAD /": http()}), tls=context) as server:
        given = {"ca_file": str(own.file), "client_cert": str(file)}
        missing = await looked(server.url(scheme="https"), **given)
        file.write_text("nonsense")
        nonsense = await looked(server.url(scheme="https"), **given)
        fresh = own.certificate("monitor").read_bytes()
        file.write_bytes(fresh)
        os.utime(file, ns=(1, 1))  # whatever the file system remembers of times
        right = await looked(server.url(scheme="https"), **given)

    assert [seen.outcome for seen in (missing, nonsense, right)] == ["unknown", "unknown", "healthy"]
    assert str(file) in missing.reason.text
    assert "no certificate with its key" in nonsense.reason.text


async def test_who_we_are_is_not_told_to_the_site_of_a_redirect(own: Authority) -> None:
    """Neither the certificate nor the name of the first goes to the second; whom to trust stays."""
    seen: list[tuple[str | None, object]] = []
    context = own.context(names=("127.0.0.1",))
    context.verify_mode = 1  # ssl.CERT_OPTIONAL
    context.load_verify_locations(own.file)

    async def talk(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append((head.decode().partition("Host: ")[2].partition("\r")[0], writer.get_extra_info("peercert")))
        writer.write(http())

    async with talking(talk, tls=context) as second:
        there = second.url(scheme="https")
        first = own.context(names=("shop.lan",))
        async with talking(answering({"HEAD /": http("302 Found", b"", f"Location: {there}")}), tls=first) as server:
            look = await looked(
                server.url(scheme="https"),
                follow_redirects=True,
                server_name="shop.lan",
                ca_file=str(own.file),
                client_cert=str(own.certificate("monitor")),
            )

    assert look.outcome == "healthy", look.lines()
    assert seen == [(f"127.0.0.1:{second.port}", None)]


@pytest.mark.parametrize(
    ("family", "outcome", "words"),
    [("any", "healthy", ""), ("ipv4", "healthy", ""), ("ipv6", "dead", "two.example has no IPv6 address")],
)
@pytest.mark.parametrize("scheme", ["tcp", "icmp"])
async def test_one_family_may_be_wanted(shared, scheme: str, family: str, outcome: str, words: str) -> None:
    """A name without an address of that family is dead, whatever its others do."""
    if scheme == "icmp" and (fault := shared.pingers and __import__("crisp_status.net.tools").net.tools.may_ping()):
        pytest.skip(fault)
    async with talking(answering({})) as server:
        shared.resolver._lookup = lambda host, port, *_: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port))]
        port = "" if scheme == "icmp" else f":{server.port}"
        seen = await looked(f"{scheme}://two.example{port}", ip_family=family)

    assert seen.outcome == outcome
    assert words in seen.reason.text
