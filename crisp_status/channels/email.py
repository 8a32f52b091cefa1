"""email: mail through the operator's own SMTP server (PROTOCOLS section 7.4; RFC 3834, 5322, 8314)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Awaitable
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses, parseaddr
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import aiosmtplib
from pydantic import AfterValidator, Field, SecretStr, model_validator

from crisp_status.channels import ChannelError, Http, all_at_once, certificate_trouble, quote
from crisp_status.config.hostname import ascii_host
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.notice import Notice

DOT_SECONDS: Final = 600.0
"""Patience after the end of the data (RFC 5321 section 4.5.3.2.6): a server may scan the mail, and gets it twice when we
do not wait for its answer."""

QUIT_SECONDS: Final = 2.0
"""The message is taken; some servers never answer QUIT."""

SUBJECT_MAX: Final = 200
"""Characters; mail programs show some eighty."""

PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}

LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
DOMAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{3,50}\]")


def _mailbox(value: str) -> str:
    """`jane@acme.example` or `Jane <jane@acme.example>`, and nothing that could be a second header."""
    try:
        local, at, domain = split(value)[1].rpartition("@")
    except UnicodeError:
        local = at = domain = ""
    one = len(getaddresses([value])) == 1
    if not (one and at and LOCAL_PART.fullmatch(local) and DOMAIN.fullmatch(domain) and value.isprintable()):
        raise ValueError("expected a mail address, such as ops@acme.example or Ops <ops@acme.example>")
    return value


def split(mailbox: str) -> tuple[str, str]:
    """The name and the address of a mailbox; an international domain in the form that every server takes."""
    name, address = parseaddr(mailbox)
    local, at, domain = address.rpartition("@")
    return name, address if domain.isascii() else f"{local}{at}{ascii_host(domain)}"


Mailbox = Annotated[str, AfterValidator(_mailbox)]


def _fingerprint(value: str) -> str:
    plain = value.replace(":", "").replace(" ", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ValueError("expected the SHA-256 fingerprint of a certificate: 64 hexadecimal digits, colons allowed")
    return plain


def _hello(value: str) -> str:
    if not DOMAIN.fullmatch(value):
        raise ValueError("expected a host name such as status.acme.example, or an address such as [192.0.2.1]")
    return value


Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Hello = Annotated[str, AfterValidator(_hello)]


class Options(NotifierOptions):
    """Keys of `type = "email"`."""

    to: tuple[Mailbox, ...] = Field(min_length=1)
    """Addresses that are told."""
    from_: Mailbox = Field(alias="from")
    """Address that the mail comes from; replies and bounces go there."""
    smtp_host: str = "localhost"
    """Your mail server."""
    smtp_port: int | None = Field(default=None, ge=1, le=65535)
    """Default: 587 for starttls, 465 for tls, 25 for none."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """starttls: TLS after a greeting, required; tls: from the first byte; none: in the clear, for this machine only."""
    smtp_username: str | None = None
    """To sign in; absent: do not."""
    smtp_password: SecretStr | None = None
    """The password of that user."""
    smtp_ca_file: str | None = None
    """PEM file with the authority that signed the server's certificate, when it is your own."""
    smtp_tls_name: str | None = Field(default=None, min_length=1, max_length=253)
    """The name in the server's certificate, when it is another than smtp_host."""
    smtp_fingerprint: Fingerprint | None = None
    """SHA-256 of the server's certificate in hex: this one is accepted whoever signed it, and no other."""
    smtp_hello: Hello | None = None
    """How we introduce ourselves (EHLO). Default: the name of this machine when it has a dot, else the page's host."""

    @model_validator(mode="after")
    def _both(self) -> Options:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password go together; one of them is missing")
        return self

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.smtp_port or PORTS[self.smtp_security]


targets = all_at_once


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Hand the mail to the server for every recipient who has not got it. Those it took are `done`."""
    left = [address for _, address in map(split, options.to) if address not in notice.done]
    if not left:
        return "every recipient has it already"
    mail = compose(notice, options, http.clock.now())
    server = f"{options.smtp_host}:{options.port}"
    client: _Client | None = None
    try:
        context = _tls(options) if options.smtp_security != "none" else None
        async with asyncio.timeout(http.timeout):
            connection = await _connect(ascii_host(options.smtp_host), options.port)
        hello = options.smtp_hello or hello_name(socket.gethostname(), notice.url, connection.getsockname()[0])
        client = _Client(connection, options, context, hello, http.timeout)
        await client.secure(server)
        if options.smtp_username is not None and options.smtp_password is not None:
            await client.login(options.smtp_username, options.smtp_password.get_secret_value())
        refused, answer = await client.sendmail(split(options.from_)[1], left, mail.as_bytes())
        await _politely(client.quit())
    except TimeoutError as error:
        raise ChannelError(f"no answer from {server} within {http.timeout:g} s") from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        limit = DOT_SECONDS if client is not None and client.waits_for_the_end else http.timeout
        raise _failure(error, server, options, limit) from None
    finally:
        if client is not None:
            client.close()
    if refused:
        taken = tuple(address for address in left if address not in refused)
        codes = [(code, f"{to}: {code} {quote(text)}") for to, (code, text) in refused.items()]
        text = f"{server} refused {'; '.join(line for _, line in codes[:5])}"
        raise ChannelError(text, all(code >= 500 for code, _ in codes), done=taken)
    return quote(answer)


def compose(notice: Notice, options: Options, now: float) -> EmailMessage:
    """The mail. Headers come from `EmailMessage`, which refuses line breaks; control characters are taken out before."""
    name, sender = split(options.from_)
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["Subject"] = quote(notice.title, SUBJECT_MAX)
    mail["From"] = Address(quote(name or notice.page_name, 78), addr_spec=sender)
    mail["To"] = [Address(quote(n, 78), addr_spec=a) for n, a in map(split, options.to)]
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = message_id(f"{notice.id} {notice.created_at}", domain)
    if notice.thread:
        # The root of the thread is never sent: every notice of an incident, first or not, refers to it.
        mail["In-Reply-To"] = mail["References"] = message_id(f"{notice.thread} {notice.page_name}", domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(notice.text)
    mail.add_alternative(notice.html, subtype="html")
    return mail


def message_id(seed: str, domain: str) -> str:
    """The same seed gives the same id, so that a mail that is sent twice can be recognised."""
    return f"<{sha256(seed.encode()).hexdigest()[:32]}@{domain}>"


async def _politely(leave: Awaitable[object]) -> None:
    with contextlib.suppress(TimeoutError, aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(QUIT_SECONDS):
            await leave


class _Client(aiosmtplib.SMTP):
    """A connection to the mail server. `timeout` seconds for each reply, and more for the one to the mail itself."""

    waits_for_the_end = False

    def __init__(
        self, connection: socket.socket, options: Options, context: ssl.SSLContext | None, hello: str, timeout: float
    ) -> None:
        super().__init__(
            hostname=ascii_host(options.smtp_tls_name or options.smtp_host),
            sock=connection,
            use_tls=options.smtp_security == "tls",
            start_tls=False,
            tls_context=context,
            timeout=timeout,
            local_hostname=hello,
        )
        self._options = options

    async def secure(self, server: str) -> None:
        """Greet, and encrypt before anything else, as `smtp_security` says."""
        # The socket is the transport's from here on: to close it would close a descriptor that the loop still watches.
        await self.connect()
        if self._options.smtp_security == "starttls":
            await self.starttls()
        if self._options.smtp_fingerprint is not None and self._options.smtp_security != "none":
            found = sha256(self.get_transport_info("ssl_object").getpeercert(binary_form=True)).hexdigest()
            if found != self._options.smtp_fingerprint:
                raise ChannelError(f"the certificate of {server} is another one: its fingerprint is {found}")

    async def data(self, message: str | bytes, /, *, timeout: Any = None) -> aiosmtplib.SMTPResponse:
        """Send the mail itself, and wait long enough for the answer."""
        self.waits_for_the_end = True
        found = await super().data(message, timeout=DOT_SECONDS)
        self.waits_for_the_end = False
        return found


async def _connect(host: str, port: int) -> socket.socket:
    """A connection to the first address of the host that takes one. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        connection.setblocking(False)
        try:
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure or OSError(f"{host} has no address")


def hello_name(machine: str, page_url: str, address: str) -> str:
    """How we introduce ourselves: the first that many servers accept. A name without a dot they refuse with 504.

    That is the machine's own name, else the host of the page, else our address in brackets (RFC 5321 section 4.1.3).
    """
    host = urlsplit(page_url).hostname or ""
    for name in (machine, host):
        if "." in name.strip(".") and DOMAIN.fullmatch(name) and not name.replace(".", "").isdecimal():
            return name
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _tls(options: Options) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.smtp_ca_file)
    except OSError as error:
        raise ChannelError(f"smtp_ca_file {options.smtp_ca_file} cannot be read: {error}") from None
    if options.smtp_fingerprint is not None:  # which says all there is to say about the certificate
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _failure(error: Exception, server: str, options: Options, limit: float) -> ChannelError:
    """What went wrong before any recipient was taken. Only a reply of the 5xx kind is a no for good."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        refusals = [(r.code, f"{r.recipient}: {r.code} {quote(r.message)}") for r in error.recipients]
        listed = "; ".join(text for _, text in refusals[:5])
        return ChannelError(f"{server} refused {listed}", all(code >= 500 for code, _ in refusals))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        what = "the sign-in" if isinstance(error, aiosmtplib.SMTPAuthenticationError) else "the mail"
        return ChannelError(f"{server} refused {what}: {error.code} {quote(error.message)}", error.code >= 500)
    if isinstance(error, MessageError | ValueError) and not isinstance(error, OSError):
        return ChannelError(f"the mail cannot be written: {quote(str(error))}", permanent=True)
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ChannelError(f"the certificate of {server} is not valid: {quote(certificate_trouble(cause))}")
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return ChannelError(f"no answer from {server} within {limit:g} s")
    if isinstance(cause, OSError) and cause.strerror:
        return ChannelError(f"cannot connect to {server}: {quote(cause.strerror)}")
    if "STARTTLS" in str(error):
        return ChannelError(f"{server} does not offer STARTTLS; smtp_security says {options.smtp_security}")
    return ChannelError(f"{server} did not take the mail: {quote(str(error))}")
