"""`[tls]`: the domains of the page and where their certificates come from; and what must fit together in the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from crisp_status.config.addresses import parse_listen
from crisp_status.config.problems import Fault, nearest
from crisp_status.config.strict import Strict

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHORITIES: Final = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
}
"""Addresses of the ACME directories that have a name."""

BOUND: Final = ("zerossl", "google")
"""Authorities that want an account from outside of ACME."""

_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_EMAIL: Final = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")


def domain_text(text: str) -> str:
    """A domain in lower case, in ASCII; ValueError with a sentence when it is none."""
    host = text.strip().lower().rstrip(".")
    if "://" in host or "/" in host:
        raise ValueError(f'"{text}": expected a domain alone, as in "status.acme.example", without https:// and path')
    if host.startswith("*."):
        raise ValueError(f'"{text}": an authority gives wildcards only for changes in DNS; name each domain')
    try:
        plain = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f'"{text}" is not a domain') from None
    labels = plain.split(".")
    if labels[-1].isdigit() or ":" in plain:
        raise ValueError(f'"{text}": expected a domain, as in "status.acme.example", not an address or port')
    if len(labels) < 2 or len(plain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f'"{text}" is not a domain; expected one as in "status.acme.example"')
    return plain


def _email(text: str) -> str:
    if text and not _EMAIL.fullmatch(text):
        raise ValueError(f'"{text}" is not an e-mail address')
    return text


def _directory(text: str) -> str:
    if text in AUTHORITIES:
        return text
    if text.startswith("https://") and urlsplit(text).hostname:
        return text
    raise ValueError(
        f'"{text}" is not an authority that is known here; {nearest(text, AUTHORITIES)}, or the https:// address of an '
        "ACME directory"
    )


def _directories(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return _directory(value)
    if not value:
        raise ValueError("is empty: name an authority")
    return tuple(map(_directory, value))


class TlsSection(Strict):
    """HTTPS without a proxy: which domains, and where their certificates come from."""

    domains: Annotated[tuple[Annotated[str, AfterValidator(domain_text)], ...], Field(max_length=100)] = ()
    """Domains of this page, each with a certificate of its own; default: the host of `page.url`."""
    email: Annotated[str, AfterValidator(_email)] = ""
    """Where the authority may write to; absent: nowhere."""
    directory: Annotated[str | tuple[str, ...], AfterValidator(_directories)] = "letsencrypt"
    """The authority: "letsencrypt", "letsencrypt-staging", "zerossl", "google", or the address of an ACME directory. A list: the next one is asked when one fails."""
    eab_kid: str = ""
    """Where the authority wants an account from its web site (external account binding): its identifier."""
    eab_hmac: SecretStr = SecretStr("")
    """And its key, as the web site shows it (base64url)."""
    profile: str = ""
    """Which kind of certificate, where the authority has several, as "shortlived"; absent: its usual one."""
    challenge: Literal["auto", "http-01", "tls-alpn-01"] = "auto"
    """How the authority sees that a domain is ours: on port 80, or on 443; auto: whichever port is ours first, then the other."""
    certificate: str = ""
    """Own file with the certificate and its chain (PEM), relative to this file, instead of an authority; followed when it changes."""
    key: str = ""
    """Own file with its key (PEM, without passphrase)."""
    redirect: bool = True
    """Pages asked for on plain HTTP go to HTTPS once there is a certificate; reports, feeds and everything else never do."""
    plain_tokens: bool = False
    """Take tokens on plain HTTP, too, from elsewhere than this machine and trusted proxies."""
    hsts: bool = False
    """Tell browsers to use nothing but HTTPS for this domain, for a year (Strict-Transport-Security)."""

    @property
    def directories(self) -> tuple[str, ...]:
        """Addresses of the authorities, in order."""
        given = (self.directory,) if isinstance(self.directory, str) else self.directory
        return tuple(AUTHORITIES.get(name, name) for name in given)


def domains(tls: TlsSection, url: str) -> tuple[str, ...]:
    """The domains, each once: those of `[tls]`, else the host of the page's address."""
    return tuple(dict.fromkeys(tls.domains)) or (urlsplit(url).hostname or "",)


def faults(data: dict[str, Any]) -> list[Fault]:
    """What does not fit together: addresses to listen on, the address of the page, and the keys of `[tls]`."""
    server, page, tls = _table(data, "server"), _table(data, "page"), _table(data, "tls")
    listens = list(_listens(server.get("listen", ())))
    secure = [(index, text) for index, text, is_tls in listens if is_tls]
    figures = _table(data, "metrics").get("listen", "")
    if "tls" not in data and any(is_tls for _, _, is_tls in _listens([figures])):
        return [Fault(("metrics", "listen"), f'"{figures}" speaks TLS, which needs a [tls] table')]
    if "tls" not in data:
        text = 'speaks TLS, which needs a [tls] table: with email = "…" for an authority, or certificate and key'
        return [Fault(("server", "listen", index), f'"{address}" {text}') for index, address in secure]
    found = []
    if not secure and all(text != "systemd" for _, text, _ in listens):
        text = 'has no effect: nothing listens for HTTPS; add "0.0.0.0:443" and "[::]:443" to server.listen'
        found.append(Fault(("tls",), text))
    for one, other in (
        ("certificate", "key"),
        ("key", "certificate"),
        ("eab_kid", "eab_hmac"),
        ("eab_hmac", "eab_kid"),
    ):
        if tls.get(one) and not tls.get(other):
            found.append(Fault(("tls", other), f"is missing: {one} needs it"))
    if tls.get("challenge") == "http-01" and len(secure) == len(listens):
        found.append(Fault(("tls", "challenge"), 'http-01 needs plain HTTP; add "0.0.0.0:80" to server.listen'))
    return [*found, *_url_faults(str(page.get("url", "")), tls)]


def _url_faults(url: str, tls: dict[str, Any]) -> Iterator[Fault]:
    if url.startswith("http://") and tls.get("redirect", True) is not False:
        text = "with [tls] the page is at https://; write that, or set tls.redirect = false"
        yield Fault(("page", "url"), text)
    if tls.get("domains") or tls.get("certificate"):
        return
    try:
        domain_text(urlsplit(url).hostname or "")
    except ValueError as error:
        yield Fault(("page", "url"), f"its host cannot have a certificate, and tls.domains names no other: {error}")


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _listens(value: Any) -> Iterator[tuple[int, str, bool]]:
    for index, text in enumerate(value if isinstance(value, list) else ()):
        try:
            yield index, str(text), parse_listen(str(text)).tls
        except ValueError:
            continue
