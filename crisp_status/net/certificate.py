"""What a TLS certificate says, and why one is refused, in plain words."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.errors import ProbeError, Unknowable, clean

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import Name

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

EXPIRED, NOT_YET, SELF_SIGNED, WRONG_NAME, WRONG_ADDRESS = 10, 9, 18, 62, 64
UNKNOWN_ISSUER = {2, 20, 21, 27}
SELF_SIGNED_CHAIN = 19
REVOKED = 23
"""X509_V_ERR_* of OpenSSL, the same numbers in every version."""


NAMES_MAX = 100
"""Names of a certificate that are kept: large hosts share one among so many."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The leaf certificate of a server; times in epoch seconds."""

    subject: str
    issuer: str
    starts_at: float
    ends_at: float
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"for {self.subject} by {self.issuer}, ends on {iso(self.ends_at)}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def read(cls, der: bytes) -> Certificate:
        """From its DER form; a `ValueError` when it cannot be understood."""
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            with warnings.catch_warnings():
                # Names that no authority would write are worth a warning to the library, and to us the target's own affair.
                warnings.simplefilter("ignore", UserWarning)
                return cls._read(x509.load_der_x509_certificate(der))
        except (
            x509.InvalidVersion,
            x509.DuplicateExtension,
            x509.UnsupportedGeneralNameType,
            UnsupportedAlgorithm,
            TypeError,
            OverflowError,
        ) as error:
            # Not every kind of nonsense is a ValueError to the library.
            raise ValueError(str(error)) from None

    @classmethod
    def _read(cls, found: x509.Certificate) -> Certificate:
        from cryptography import x509

        names: tuple[str, ...] = ()
        try:
            alternative = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = tuple(clean(str(name.value)) for name in islice(alternative, NAMES_MAX))
        except (x509.ExtensionNotFound, ValueError):
            pass
        return cls(
            _shown(found.subject),
            _shown(found.issuer),
            found.not_valid_before_utc.timestamp(),
            found.not_valid_after_utc.timestamp(),
            names,
        )


def day(at: float, now: float) -> str:
    """A date for people: `3 May`, with the year when it is not this one."""
    date = datetime.fromtimestamp(at, UTC)
    text = f"{date.day} {MONTHS[date.month - 1]}"
    return text if date.year == datetime.fromtimestamp(now, UTC).year else f"{text} {date.year}"


def refused(
    error: ssl.SSLCertVerificationError, host: str, certificate: Certificate | None, now: float
) -> ProbeError | Unknowable:
    """Why the certificate of `host` was refused. `certificate`, when it could be read, gives the dates and names."""
    code = error.verify_code
    if code == EXPIRED:
        # It may be the certificate of an authority on the way that ended.
        if certificate is not None and certificate.ends_at <= now:
            return ProbeError(
                ReasonCode.CERTIFICATE,
                f"certificate ended on {day(certificate.ends_at, now)}",
                iso(certificate.ends_at),
            )
        return ProbeError(ReasonCode.CERTIFICATE, "a certificate in the chain has ended", "ended")
    if code == NOT_YET:
        if certificate is not None and certificate.starts_at > now:
            starts = day(certificate.starts_at, now)
            return ProbeError(
                ReasonCode.CERTIFICATE, f"certificate begins only on {starts}", iso(certificate.starts_at)
            )
        return ProbeError(ReasonCode.CERTIFICATE, "a certificate in the chain is not valid yet", "not yet valid")
    if code == SELF_SIGNED:
        return ProbeError(ReasonCode.CERTIFICATE, "certificate is self-signed", "self-signed")
    if code in {WRONG_NAME, WRONG_ADDRESS}:
        names = ", ".join(certificate.names[:5]) if certificate is not None else ""
        return ProbeError(
            ReasonCode.CERTIFICATE,
            f"certificate is not for {host}" + (f" but for {names}" if names else ""),
            "wrong host",
        )
    if code == REVOKED:
        return ProbeError(ReasonCode.CERTIFICATE, "certificate was revoked", "revoked")
    if code == SELF_SIGNED_CHAIN or code in UNKNOWN_ISSUER:
        if not _has_authorities():
            return Unknowable("this host has no list of certificate authorities; install ca-certificates", "missing")
        issuer = f" ({certificate.issuer})" if certificate is not None and certificate.issuer else ""
        return ProbeError(
            ReasonCode.CERTIFICATE, f"certificate comes from an unknown authority{issuer}", "unknown authority"
        )
    return ProbeError(ReasonCode.CERTIFICATE, f"certificate is refused: {error.verify_message}", error.verify_message)


def iso(at: float) -> str:
    """The day as 2026-05-03, in UTC."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath or "")
    return bool(paths.cafile or (paths.capath and folder.is_dir() and any(folder.iterdir())))


def _shown(name: Name) -> str:
    """The common name, else the whole."""
    from cryptography.x509.oid import NameOID

    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return clean(str(common[0].value) if common else name.rfc4514_string())
