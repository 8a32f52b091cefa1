"""Real servers on the loopback that stand for everybody whom a notice can reach; each keeps what it got.

async with HttpReceiver(Reply(429, headers={"Retry-After": "7"}), Reply(200, b"ok")) as slack: … slack.url("/hook")
async with SmtpReceiver(security="tls", users={"jane": "secret"}) as mail: … mail.port, mail.mails
async with PushReceiver() as service: … service.subscription("jane"), service.messages
"""

import asyncio
import contextlib
import datetime
import email
import email.policy
import ipaddress
import json
import ssl
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import http_ece
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from py_vapid import Vapid02

from crisp_status.channels._webpush import decode, encode
from crisp_status.core.model import Subscription


@cache
def certificate():
    """PEM files (certificate, key) of `localhost`; the certificate is its own authority. Made once a run."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = Path(mkdtemp(prefix="receivers-"))
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret


def server_tls():
    """What a server needs to speak TLS as `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    return context


def loopback(ip):
    """What a daemon under test may reach besides public addresses: the receivers of this module."""
    return ip == "127.0.0.1"


@dataclass
class Request:
    """What came, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer; `raw` replaces all of it, `hang` answers nothing, `drip` waits so long after each byte of body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang: bool = False
    drip: float = 0.0
    delay: float = 0.0
    """Seconds before anything is answered."""


class HttpReceiver:
    """Answers with its replies in order, the last one for ever. `requests` has what came."""

    def __init__(self, *replies, tls=False):
        self.replies = list(replies) or [Reply()]
        self.requests = []
        self._tls = tls
        self._tasks = set()

    async def __aenter__(self):
        context = server_tls() if self._tls else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path="/"):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    def reply(self, request):
        """What to answer to this one; subclasses decide otherwise."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def _answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method, path, headers, body)
        self.requests.append(request)
        reply = self.reply(request)
        if reply.hang:
            await asyncio.sleep(3600)
        await asyncio.sleep(reply.delay)
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            return
        more = {"Content-Length": str(len(reply.body)), "Connection": "close"} | reply.headers
        lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in more.items()), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1"))
        for byte in reply.body if reply.drip else ():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(reply.drip)
        writer.write(b"" if reply.drip else reply.body)
        await writer.drain()


class PushReceiver(HttpReceiver):
    """A push service with one device that decrypts, and checks the signed header, by other libraries than ours."""

    def __init__(self, *replies):
        super().__init__(*(replies or (Reply(201),)))
        self.messages = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = b"sixteen secrets!"

    def subscription(self, operator="jane", id="device-1"):
        """What the browser of that operator would send us."""
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return Subscription(id, operator, self.url("/push/abc"), encode(point), encode(self._auth), 0.0)

    def reply(self, request):
        signed = request.headers["authorization"]
        assert Vapid02.verify(signed.replace(", ", ","))
        claims = json.loads(decode(signed.partition("t=")[2].split(".")[1]))
        assert claims["aud"] == f"http://127.0.0.1:{self.port}"
        plain = http_ece.decrypt(request.body, private_key=self._key, auth_secret=self._auth)
        self.messages.append(json.loads(plain) | {"claims": claims})
        return super().reply(request)


@dataclass
class Mail:
    """One mail that was taken."""

    sender: str
    recipients: list[str]
    message: email.message.EmailMessage
    raw: bytes
    over_tls: bool


class SmtpReceiver:
    """A mail server. `refuse` maps a recipient to the reply it gets, `data` is the reply to the mail itself, which comes
    after `slow` seconds."""

    def __init__(self, security="starttls", users=None, refuse=None, data="250 2.0.0 taken", hang=False, slow=0.0):
        self.security = security
        self.users = users or {}
        self.refuse = refuse or {}
        self.data = data
        self.hang = hang
        self.slow = slow
        self.hellos = []
        self.mails = []
        self._open = []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        context = server_tls() if self.security == "tls" else None
        self._server = await loop.create_server(self._protocol, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for protocol in self._open:
            if protocol.transport is not None:
                protocol.transport.abort()
            if protocol._handler_coroutine is not None:
                protocol._handler_coroutine.cancel()
        await asyncio.sleep(0)

    def _protocol(self):
        if self.hang:
            return asyncio.Protocol()
        with warnings.catch_warnings():
            # The library warns that AUTH over implicit TLS looks to it like AUTH in the clear.
            warnings.simplefilter("ignore")
            protocol = SMTP(
                self,
                tls_context=server_tls() if self.security == "starttls" else None,
                require_starttls=self.security == "starttls",
                auth_required=bool(self.users),
                auth_require_tls=self.security == "starttls",
                authenticator=self._authenticate,
                hostname="localhost",
            )
        self._open.append(protocol)
        return protocol

    def _authenticate(self, server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and self.users.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=good, handled=not good and None)

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.hellos.append(session.host_name)
        await asyncio.sleep(self.slow)
        if self.data.startswith("2"):
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            tls = server.transport.get_extra_info("ssl_object") is not None
            self.mails.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), message, envelope.content, tls))
        return self.data
