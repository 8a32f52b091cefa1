"""One conversation with a mail server, for alerts and for mail to subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping, Sequence
from email.errors import MessageError
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import aiosmtplib

from crisp_status.channels import ChannelError, RecipientsRefused, certificate_trouble, quote
from crisp_status.config.hostname import ascii_host
from crisp_status.config.mail_server import DOMAIN, MailServer

DOT_SECONDS: Final = 600.0
"""Patience after the end of the data (RFC 5321 section 4.5.3.2.6): a server may scan the mail, and gets it twice when we
do not wait for its answer."""

QUIT_SECONDS: Final = 2.0
"""The message is taken; some servers never answer QUIT."""

SUBJECT_MAX: Final = 200
"""Characters; mail programs show some eighty."""


class MailSession:
    """Opened with the first mail, and again after it broke. Several mails may go through it, one after the other."""

    def __init__(self, server: MailServer, page_url: str, timeout: float) -> None:
        """`page_url` stands in where this machine has no name to introduce itself with."""
        self._server = server
        self._page_url = page_url
        self._timeout = timeout
        self._client: SmtpClient | None = None

    async def deliver(
        self, sender: str, recipients: Sequence[str], mail: bytes
    ) -> tuple[Mapping[str, tuple[int, str]], str]:
        """Hand a mail over: the recipients that were refused, and what the server said. Raises `ChannelError`.

        A failure ends the conversation.
        """
        options, where = self._server, f"{self._server.smtp_host}:{self._server.port}"
        whole = False
        try:
            client = self._client or await self._open(where)
            words = () if all(to.isascii() for to in recipients) else ("SMTPUTF8",)
            if words and not client.supports_extension("smtputf8"):
                raise RecipientsRefused(f"{where} takes no addresses with letters beyond ASCII", permanent=True)
            refused, answer = await client.sendmail(sender, recipients, mail, mail_options=words)
            whole = True
        except TimeoutError as error:
            raise ChannelError(f"no answer from {where} within {self._timeout:g} s") from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            waits = self._client is not None and self._client.waits_for_the_end
            raise failure(error, where, options, DOT_SECONDS if waits else self._timeout) from None
        finally:
            if not whole:
                self.close()
        return refused, quote(answer)

    async def _open(self, where: str) -> SmtpClient:
        options = self._server
        context = _tls(options) if options.smtp_security != "none" else None
        async with asyncio.timeout(self._timeout):
            connection = await _connect(ascii_host(options.smtp_host), options.port)
        hello = options.smtp_hello or hello_name(socket.gethostname(), self._page_url, connection.getsockname()[0])
        client = self._client = SmtpClient(connection, options, context, hello, self._timeout)
        await client.secure(where)
        if options.smtp_username is not None and options.smtp_password is not None:
            await client.login(options.smtp_username, options.smtp_password.get_secret_value())
        return client

    @property
    def is_open(self) -> bool:
        """Whether the next mail goes over a connection that is there."""
        return self._client is not None

    async def quit(self) -> None:
        """End it politely."""
        if self._client is not None:
            with contextlib.suppress(TimeoutError, aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(QUIT_SECONDS):
                    await self._client.quit()
        self.close()

    def close(self) -> None:
        """End it at once."""
        if self._client is not None:
            self._client.close()
            self._client = None


class SmtpClient(aiosmtplib.SMTP):
    """A connection to the mail server. `timeout` seconds for each reply, and more for the one to the mail itself."""

    waits_for_the_end = False

    def __init__(
        self, connection: socket.socket, options: MailServer, context: ssl.SSLContext | None, hello: str, timeout: float
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


def _tls(options: MailServer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.smtp_ca_file)
    except OSError as error:
        raise ChannelError(f"smtp_ca_file {options.smtp_ca_file} cannot be read: {error}") from None
    if options.smtp_fingerprint is not None:  # which says all there is to say about the certificate
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def failure(error: Exception, server: str, options: MailServer, limit: float) -> ChannelError:
    """What went wrong before any recipient was taken. Only a reply of the 5xx kind is a no for good."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        refusals = [(r.code, f"{r.recipient}: {r.code} {quote(r.message)}") for r in error.recipients]
        listed = "; ".join(text for _, text in refusals[:5])
        return RecipientsRefused(f"{server} refused {listed}", all(code >= 500 for code, _ in refusals))
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


def message_id(seed: str, domain: str) -> str:
    """The same seed gives the same id, so that a mail that is sent twice can be recognised."""
    return f"<{sha256(seed.encode()).hexdigest()[:32]}@{domain}>"
