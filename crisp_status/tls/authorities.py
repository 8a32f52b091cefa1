"""Certificate authorities that are known by a name, and what each needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crisp_status.config.certificates import AUTHORITIES

CAA: Final = {
    "letsencrypt": "letsencrypt.org",
    "letsencrypt-staging": "letsencrypt.org",
    "zerossl": "sectigo.com",
    "google": "pki.goog",
}
"""What a CAA record must allow for each."""

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


class AuthorityError(Exception):
    """An authority gave no certificate; the message says why and what to do."""

    def __init__(self, sentence: str, *, retry_after: float = 0.0, refused: bool = False) -> None:
        """`retry_after`: seconds for which the authority wants to hear nothing; `refused`: it looked at the domain and
        did not find us there.
        """
        super().__init__(sentence)
        self.retry_after = retry_after
        self.refused = refused


class StoppedError(Exception):
    """The daemon ends; the order goes on after its next start."""


@dataclass(frozen=True)
class Authority:
    """One authority as it is configured."""

    directory: str
    """Address of its ACME directory."""
    email: str = ""
    """Where it may write to; "": nowhere."""
    eab_kid: str = ""
    eab_hmac: str = ""
    """External account binding: identifier and key, base64url, of an account that exists outside of ACME."""
    profile: str = ""
    """Which of its kinds of certificate is wanted; "": its usual one."""

    @property
    def name(self) -> str:
        """For sentences: the short name, or the address."""
        return next((name for name, url in AUTHORITIES.items() if url == self.directory), self.directory)


def bundle() -> str | bool:
    """The certificates that vouch for an authority's own HTTPS: the environment's, the system's (an operator adds the
    root of an authority of their own there), else those that the library brings (True).
    """
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(variable):
            return path
    return next((path for path in _BUNDLES if Path(path).exists()), True)
