"""TLS without a page: at once, or after a few words in the clear. Against aiosmtpd, Dovecot and scripted servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from tests.probes.servers import Authority, looked, refusing, saying, talking


@contextlib.contextmanager
def mail(authority: Authority, *, tls: bool = True):
    """aiosmtpd with STARTTLS on a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    context = authority.context(own=True) if tls else None
    server = Controller(Sink(), hostname="127.0.0.1", port=port, tls_context=context)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def dovecot(authority: Authority) -> AsyncIterator[dict[str, int]]:
    """Dovecot in the foreground with IMAP and POP3 on ports of this machine, and a certificate of its own making."""
    authority.context(own=True)
    pair = max(authority.folder.glob("[0-9]*.pem"), key=lambda file: file.stat().st_mtime_ns)
    ports = {}
    for name in ("imap", "pop3"):
        with socket.create_server(("127.0.0.1", 0)) as found:
            ports[name] = found.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # its processes run as users of their own
        shutil.copy(pair, folder / "pair.pem")
        listeners = "".join(
            f"service {kind}-login {{\n inet_listener {kind} {{\n  port = {port}\n }}\n inet_listener {kind}s {{\n  port = 0\n }}\n}}\n"
            for kind, port in ports.items()
        )
        config = folder / "dovecot.conf"
        config.write_text(
            f"base_dir = {folder}/run\nlog_path = {folder}/log\nprotocols = imap pop3\nlisten = 127.0.0.1\nssl = yes\n"
            f"ssl_cert = <{folder}/pair.pem\nssl_key = <{folder}/pair.pem\n"
            f"passdb {{\n driver = static\n args = nopassword=y\n}}\n{listeners}"
        )
        process = await asyncio.create_subprocess_exec("dovecot", "-F", "-c", str(config))
        try:
            while not all(map(answers, ports.values())):
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.05)
            yield ports
        finally:
            process.terminate()
            await process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def test_tls_at_once(authority: Authority) -> None:
    """tls:// needs nothing but a handshake: no page, no protocol."""
    async with talking(saying(after_head=False), tls=authority.context(own=True)) as server:
        refused = await looked(f"tls://{server.address}")
        taken = await looked(f"tls://{server.address}", verify_tls=False)
        sick = await looked(f"tls://{server.address}", verify_tls=False, certificate_sick_days=3650)

    assert (refused.outcome, refused.reason.code) == ("dead", "certificate")
    assert taken.outcome == "healthy"
    assert (sick.outcome, sick.reason.code) == ("sick", "certificate")


async def test_what_is_not_tls() -> None:
    """A server in the clear, and nobody."""
    async with talking(saying(b"220 smtp ready\r\n", after_head=False)) as server:
        seen = await looked(f"tls://{server.address}")

    assert (seen.outcome, seen.reason.code) == ("dead", "tls")
    assert (await looked(f"tls://{refusing()}")).reason.code == "refused"


async def test_a_mail_server(authority: Authority) -> None:
    """SMTP: greeting, EHLO, STARTTLS, handshake; a wrong certificate is said in full, as it is fetched once more."""
    with mail(authority) as address:
        refused = await looked(f"smtp+starttls://{address}")
        taken = await looked(f"smtp+starttls://{address}", verify_tls=False)

    assert (refused.outcome, refused.reason.code) == ("dead", "certificate")
    assert taken.outcome == "healthy"


async def test_a_mail_server_without_tls(authority: Authority) -> None:
    """It does not offer STARTTLS: dead, and the reason says so."""
    with mail(authority, tls=False) as address:
        seen = await looked(f"smtp+starttls://{address}")

    assert (seen.outcome, seen.reason.code) == ("dead", "tls")
    assert "offers no STARTTLS" in seen.reason.text


@pytest.mark.skipif(
    shutil.which("dovecot") is None, reason="Dovecot is not installed: apt install dovecot-imapd dovecot-pop3d"
)
@pytest.mark.skipif(os.geteuid() != 0, reason="Dovecot starts as root only")
async def test_dovecot(authority: Authority) -> None:
    """IMAP and POP3 of a real mail server."""
    async with dovecot(authority) as ports:
        for name, port in ports.items():
            assert (await looked(f"{name}+starttls://127.0.0.1:{port}", verify_tls=False)).outcome == "healthy"
            assert (await looked(f"{name}+starttls://127.0.0.1:{port}")).reason.code == "certificate"


@pytest.mark.parametrize(
    ("scheme", "said", "code", "text"),
    [
        ("smtp+starttls", b"SSH-2.0-x\r\n", "banner", "expected a greeting with 220"),
        ("smtp+starttls", b"554 go away\r\n", "banner", "'554 go away'"),
        ("smtp+starttls", b"220-hi\r\n" * 200, "banner", "lines without end"),
        ("smtp+starttls", b"x" * 200_000, "banner", "sent too much"),
        ("imap+starttls", b"* BYE busy\r\n", "banner", "does not greet as IMAP: '* BYE busy'"),
        ("imap+starttls", b"* OK hi\r\n* CAPABILITY\r\na NO not here\r\n", "tls", "refuses STARTTLS: 'a NO not here'"),
        ("pop3+starttls", b"-ERR busy\r\n", "banner", "does not greet as POP3"),
        ("pop3+starttls", b"+OK hi\r\n-ERR unknown\r\n", "tls", "refuses STLS"),
        ("postgres+tls", b"N", "tls", "does not offer TLS"),
        ("postgres+tls", b"HTTP/1.1 400 Bad Request\r\n", "banner", "does not answer as PostgreSQL"),
        ("smtp+starttls", b"", "banner", "a greeting in SMTP did not come"),
    ],
)
async def test_what_is_said_in_place_of_it(scheme: str, said: bytes, code: str, text: str) -> None:
    """Another protocol, a refusal, floods: dead, with what was said."""
    async with talking(saying(said, after_head=False)) as server:
        seen = await looked(f"{scheme}://{server.address}")

    assert (seen.outcome, seen.reason.code) == ("dead", code)
    assert text in seen.reason.text


async def test_silence() -> None:
    """Whoever says nothing is dead at the deadline, with what was waited for."""
    async with talking(saying(after_head=False, stay=True)) as server:
        seen = await looked(f"smtp+starttls://{server.address}", delay_dead=0.2)

    assert "SMTP: a greeting did not come" in seen.reason.text


@pytest.mark.parametrize(
    "target", ["tls://acme.example", "tls://acme.example:443/path", "smtp+starttls://acme.example/x"]
)
def test_addresses_that_cannot_be(target: str) -> None:
    """A port is needed where there is no usual one, and a path means nothing."""
    from crisp_status import kinds

    with pytest.raises(ValueError, match=r"port is needed|no path"):
        kinds.check(kinds.scheme_owner()[target.partition("://")[0]], target)
