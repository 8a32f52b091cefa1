"""Through real proxies: what is the target's, and what is the proxy's own."""

from __future__ import annotations

import asyncio

import pytest

from crisp_status.net.proxy import from_environment, parse
from tests.probes.databases import redis
from tests.probes.proxies import microsocks, tinyproxy
from tests.probes.servers import Authority, answering, blackhole, http, looked, refusing, saying, talking

KINDS = {"http": tinyproxy, "socks5": microsocks}


@pytest.mark.parametrize("scheme", KINDS)
@pytest.mark.parametrize(("user", "password"), [("", ""), ("jane", "se-cret")])
async def test_each_protocol_goes_through(authority: Authority, scheme: str, user: str, password: str) -> None:
    """HTTP, HTTPS and another protocol, signed in or not; the certificate is checked as ever."""
    signed = f"{user}:{password.replace('-', '%2D')}@" if user else ""
    answers = {"HEAD /": http()}
    async with (
        KINDS[scheme](user, password) as port,
        talking(answering(answers)) as plain,
        talking(answering(answers), tls=authority.context()) as secure,
        redis() as database,
    ):
        given = {"proxy": f"{scheme}://{signed}127.0.0.1:{port}", "delay_dead": 20.0}
        seen = await asyncio.gather(
            looked(plain.url(), **given),
            looked(secure.url(scheme="https"), **given),
            looked(f"redis://127.0.0.1:{database}", **given),
        )

    assert [look.outcome for look in seen] == ["healthy"] * 3, [look.lines() for look in seen]
    assert "by the proxy" in seen[1].lines()
    assert "se-cret" not in "".join(look.lines() for look in seen)


@pytest.mark.parametrize("scheme", KINDS)
async def test_a_target_that_refuses_is_dead_also_through_a_proxy(scheme: str) -> None:
    """The proxy says so, and the reason says that it does."""
    async with KINDS[scheme]() as port:
        seen = await looked(f"tls://{refusing()}", proxy=f"{scheme}://127.0.0.1:{port}")

    assert seen.outcome == "dead", seen.reason.text
    assert f"the proxy {scheme}://127.0.0.1:{port}" in seen.reason.text


@pytest.mark.parametrize("scheme", KINDS)
async def test_a_wrong_password_of_the_proxy_is_our_fault(scheme: str) -> None:
    """Unknown, in tunnels and with plain HTTP; Tinyproxy says 407 to nobody and 401 to somebody else."""
    async with KINDS[scheme]("jane", "secret") as port, talking(answering({"HEAD /": http()})) as server:
        for url, signed in ((server.url(), ""), (server.url(scheme="tls", path=""), "jane:wrong@")):
            seen = await looked(url, proxy=f"{scheme}://{signed}127.0.0.1:{port}")
            assert (seen.outcome, seen.cause) == ("unknown", "permission"), seen.reason.text


async def test_a_proxy_that_is_away_or_is_none_says_nothing_about_the_target() -> None:
    """Refused, closed, and something else than a proxy: unknown. Silence is a deadline that passed."""
    async with talking(saying(b"SSH-2.0-x\r\n", after_head=False, wait=0.2)) as other:
        for proxy in (f"http://{refusing()}", f"socks5://{refusing()}", f"socks5://{other.address}"):
            seen = await looked("tls://192.0.2.1:443", proxy=proxy)
            assert seen.outcome == "unknown", (proxy, seen.reason.text)
    async with talking(saying(after_head=True)) as closing:
        seen = await looked("tls://192.0.2.1:443", proxy=f"http://{closing.address}")
        assert seen.outcome == "unknown"
    with blackhole() as silent:
        seen = await looked("tls://192.0.2.1:443", proxy=f"http://{silent}", delay_dead=0.3)
        assert (seen.outcome, seen.silent) == ("dead", True)


@pytest.mark.parametrize(
    ("secure", "host", "port", "proxy"),
    [
        (False, "shop.example", 80, "http://plain:1"),
        (True, "shop.example", 443, "http://tls:2"),
        (True, "db.lan", 443, ""),
        (True, "a.b.lan", 443, ""),
        (True, "notlan", 443, "http://tls:2"),
        (True, "10.1.2.3", 443, ""),
        (True, "11.1.2.3", 443, "http://tls:2"),
        (True, "only.example", 8443, ""),
        (True, "only.example", 443, "http://tls:2"),
        (False, "127.0.0.1", 8080, ""),
        (False, "localhost", 8080, ""),
        (False, "::1", 8080, ""),
    ],
)
def test_the_environment_is_followed(secure: bool, host: str, port: int, proxy: str) -> None:
    """As curl and Go do it: domains and what is below them, networks, ports; this machine never."""
    environ = {
        "http_proxy": "http://plain:1",
        "HTTPS_PROXY": "http://tls:2",
        "NO_PROXY": ".lan, 10.0.0.0/8,only.example:8443",
    }

    assert from_environment(secure, host, port, environ) == proxy
    assert from_environment(secure, host, port, {**environ, "no_proxy": "*"}) == ""
    assert from_environment(secure, "x.example", port, {"ALL_PROXY": "socks5://a:1"}) == "socks5://a:1"


@pytest.mark.parametrize("text", ["ftp://a:1", "proxy.lan:3128", "http://", "http://a:b", "http://a/path"])
def test_what_is_no_proxy_is_said(text: str) -> None:
    """With the form that is expected."""
    with pytest.raises(ValueError, match="is not the address of a proxy"):
        parse(text)
