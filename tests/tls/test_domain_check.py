"""What `crisp-status domain check` says, asked of a nameserver that we can make say anything."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time

import pytest

from crisp_status.tls import domain_check, keypair, lookup
from crisp_status.tls.lookup import Nameserver
from tests.process import ROOT
from tests.tls.authority import Pebble, free_ports, needs_pebble
from tests.tls.stand import DOMAIN

pytestmark = needs_pebble


@pytest.fixture
async def pebble(tmp_path):
    """Its name server is what we want: it knows every domain at 127.0.0.1, unless told otherwise."""
    async with Pebble(tmp_path / "authority") as authority:
        yield authority


async def check(pebble, **more):
    more = {"ports": tuple(free_ports(2)), "own": ["127.0.0.1"]} | more
    return await domain_check.check(DOMAIN, nameserver=Nameserver("ours", "127.0.0.1", pebble.dns_port), **more)


async def answering(port, server, *, tls=None, extra=""):
    """A web server in ten lines, with a `Server` header of our choice."""

    async def answer(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nServer: {server}\r\n{extra}Content-Length: 2\r\nConnection: close\r\n\r\nok"
            writer.write(head.encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port, ssl=tls)


async def test_nobody_knows_the_domain(pebble):
    """The sentence says what to do, and the record is there to be copied."""
    await pebble.names("set-default-ipv4", ip="")
    report = await check(pebble, own=["203.0.113.5", "2001:4860:4860::8888"])

    assert report.wrong == [f"no nameserver knows an address of {DOMAIN}: add the record below, or a CNAME"]
    assert f"{DOMAIN}. AAAA 2001:4860:4860::8888" in report.add
    assert not report.resolved
    assert report.plain()["ok"] is False


async def test_nameserver_that_fails(pebble):
    """A nameserver in trouble is named with its answer, and is not taken for one that knows nothing."""
    await pebble.names("set-servfail", host=DOMAIN)
    report = await check(pebble)

    assert report.said[0].error == "SERVFAIL"
    assert f"ours does not answer for {DOMAIN}: SERVFAIL" in report.notes


async def test_alias(pebble):
    """A CNAME is followed, and shown."""
    await pebble.names("add-a", host="pages.example.net", addresses=["127.0.0.1"])
    await pebble.names("set-cname", host=DOMAIN, target="pages.example.net")
    report = await check(pebble)

    assert report.said[0].cnames == ["pages.example.net"]
    assert report.addresses == ["127.0.0.1"]


async def test_closed_ports(pebble):
    """Nobody listens: said for each port, and as a whole."""
    report = await check(pebble)

    assert [port.open for port in report.ports] == [False, False]
    assert {port.error for port in report.ports} == {"refused"}
    assert any("open it in firewall and server.listen" in text for text in report.wrong)
    assert any("does not answer on port" in text for text in report.wrong)


async def test_forbidden_by_caa(pebble):
    """A CAA record, also of the parent, that names somebody else than our authority: no certificate will come."""
    await pebble.names("add-caa", host="example.org", policies=[{"tag": "issue", "value": "pki.goog"}])
    report = await check(pebble, issuers=["letsencrypt.org"])
    assert any("allows only pki.goog to give certificates" in text for text in report.wrong)

    report = await check(pebble, issuers=["letsencrypt.org", "pki.goog"])
    assert report.caa == ['0 issue "pki.goog"']
    assert not any("CAA" in text for text in report.wrong)


async def test_who_answers_and_which_certificate(pebble):
    """An untrusted certificate with its names and end; our own server by its name; a proxy by its headers."""
    plain, secure = free_ports(2)
    pair = keypair.self_signed([DOMAIN, "other.example.org"], time.time())
    context = keypair.context(pair)
    servers = [
        await answering(plain, "cloudflare", extra="CF-RAY: 1\r\n"),
        await answering(secure, "crisp-status", tls=context),
    ]
    report = await check(pebble, ports=(plain, secure))
    for server in servers:
        server.close()

    assert [(p.open, p.server, p.proxy) for p in report.ports] == [
        (True, "cloudflare", "Cloudflare"),
        (True, "crisp-status", ""),
    ]
    (shown,) = report.certificates
    assert (shown.names, shown.trusted) == ([DOMAIN, "other.example.org"], False)
    assert shown.ends_at == pair.not_after
    assert any("browsers refuse: self-signed certificate" in text for text in report.wrong)
    assert any("Cloudflare stands between" in text for text in report.notes)


async def test_all_is_well(pebble, monkeypatch, tmp_path):
    """A trusted certificate, both ports open: nothing to mend."""
    plain, secure = free_ports(2)
    pair = keypair.self_signed([DOMAIN], time.time())
    (tmp_path / "trusted.pem").write_bytes(pair.chain)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    servers = [
        await answering(plain, "crisp-status"),
        await answering(secure, "crisp-status", tls=keypair.context(pair)),
    ]
    report = await check(pebble, ports=(plain, secure), issuers=["letsencrypt.org"])
    for server in servers:
        server.close()

    assert report.wrong == []
    assert report.resolved
    assert report.certificates[0].trusted


async def test_not_a_web_server(pebble):
    """A port that is open and speaks another protocol is told apart from one that is closed."""
    plain, secure = free_ports(2)

    async def greet(reader, writer):
        writer.write(b"220 mail.example.org ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", plain)
    report = await check(pebble, ports=(plain, secure))
    server.close()

    assert any("what answers is not a web server" in text for text in report.wrong)


@pytest.mark.parametrize(
    "text", ["192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353", "2001:db8::53", "localhost:53"]
)
def test_nameserver_as_people_write_it(text):
    """Addresses of both families, with and without port, and names."""
    found = lookup.nameserver(text)
    assert found.port in {53, 5353}
    assert "[" not in found.address


@pytest.mark.parametrize("text", ["192.0.2.53:", "192.0.2.53:99999", "no.such.host.invalid"])
def test_wrong_nameserver(text):
    """A sentence with what was expected."""
    with pytest.raises(ValueError, match=r"expected|no address"):
        lookup.nameserver(text)


async def run(folder, *arguments):
    """The command as it is typed: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crisp_status", "domain", "check", *arguments),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 50)
    return process.returncode, out.decode(), errors.decode()


async def test_the_command(pebble, tmp_path):
    """`--json` for scripts, a table for people, exit code 1 for "no" and 2 for a wrong call; `--wait` ends when the record
    is there.
    """
    (tmp_path / "config.toml").write_text(f'[page]\nname = "A"\nurl = "https://{DOMAIN}/"\n')
    ours = ("--nameserver", f"127.0.0.1:{pebble.dns_port}")
    await pebble.names("add-a", host=DOMAIN, addresses=["127.0.0.99"])
    (code, out, _), (wrong, _, errors), (table, text, _) = await asyncio.gather(
        run(tmp_path, *ours, "--json"), run(tmp_path, "https://x/"), run(tmp_path, *ours, "--wait")
    )

    assert code == 1
    report = json.loads(out)["domains"][0]
    assert (report["domain"], report["said"][0]["addresses"]) == (DOMAIN, ["127.0.0.99"])
    assert wrong == 2
    assert "expected a domain alone" in errors
    assert table == 1
    assert re.search(r"127\.0\.0\.99 port 443 +not open: refused", text)
    assert "✖" in text


def test_tls_contexts_of_ours_are_modern():
    """TLS 1.0 and 1.1 are not spoken, nor renegotiation."""
    made = keypair.context(keypair.self_signed([DOMAIN], time.time()))
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2
    assert made.options & ssl.OP_NO_RENEGOTIATION
