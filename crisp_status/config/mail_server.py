"""A mail server of the operator's, and what may stand in an address: for notifiers and for subscribers."""

from __future__ import annotations

import re
from email.utils import getaddresses, parseaddr
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from crisp_status.config.hostname import ascii_host
from crisp_status.config.strict import Strict

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


class MailServer(Strict):
    """Its keys."""

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
    def _both(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password go together; one of them is missing")
        return self

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.smtp_port or PORTS[self.smtp_security]
