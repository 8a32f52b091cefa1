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
from typing import Annotated, Final, Literal

import aiosmtplib
from pydantic import AfterValidator, Field, SecretStr, model_validator

from crisp_status.channels import ChannelError, Http, certificate_trouble, quote
from crisp_status.config.hostname import ascii_host
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.notice import Notice

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

    @model_validator(mode="after")
    def _both(self) -> Options:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password go together; one of them is missing")
        return self

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.smtp_port or PORTS[self.smtp_security]


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Hand the mail to the server for every recipient who has not got it. Those it took are `done`."""
    left = [address for _, address in map(split, options.to) if address not in notice.done]
    if not left:
        return "every recipient has it already"
    mail = compose(notice, options, http.clock.now())
    client = aiosmtplib.SMTP(
        hostname=ascii_host(options.smtp_host),
        port=options.port,
        use_tls=options.smtp_security == "tls",
        start_tls=options.smtp_security == "starttls",
        tls_context=_tls(options) if options.smtp_security != "none" else None,
        timeout=http.timeout,
        # The library would ask the DNS for our own name, which is slow just when the DNS is.
        local_hostname=socket.gethostname() or "localhost",
    )
    server = f"{options.smtp_host}:{options.port}"
    try:
        async with asyncio.timeout(http.timeout):
            await client.connect()
            if options.smtp_username is not None and options.smtp_password is not None:
                await client.login(options.smtp_username, options.smtp_password.get_secret_value())
            refused, said = await client.sendmail(split(options.from_)[1], left, mail.as_bytes())
        await _politely(client.quit())
    except TimeoutError:
        raise ChannelError(f"no answer from {server} within {http.timeout:g} s") from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise _failure(error, server, options, http.timeout) from None
    finally:
        client.close()
    if refused:
        taken = tuple(address for address in left if address not in refused)
        codes = [(code, f"{to}: {code} {quote(text)}") for to, (code, text) in refused.items()]
        text = f"{server} refused {'; '.join(words for _, words in codes[:5])}"
        raise ChannelError(text, all(code >= 500 for code, _ in codes), done=taken)
    return quote(said)


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


def _tls(options: Options) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.smtp_ca_file)
    except OSError as error:
        raise ChannelError(f"smtp_ca_file {options.smtp_ca_file} cannot be read: {error}") from None


def _failure(error: Exception, server: str, options: Options, limit: float) -> ChannelError:
    """What went wrong before any recipient was taken. Only a reply of the 5xx kind is a no for good."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        said = [(r.code, f"{r.recipient}: {r.code} {quote(r.message)}") for r in error.recipients]
        words = "; ".join(text for _, text in said[:5])
        return ChannelError(f"{server} refused {words}", all(code >= 500 for code, _ in said))
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
