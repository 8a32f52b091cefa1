"""A certificate with its chain and its key as one PEM text, checked; and the two kinds that we sign ourselves."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTOCOLS: Final = ("http/1.1",)
"""What is spoken over TLS."""

CHALLENGE_PROTOCOL: Final = "acme-tls/1"
"""What an authority speaks that validates by tls-alpn-01 (RFC 8737)."""

_CHALLENGE_OID: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
_AUTHORITY: Final = b"authority: "
_DAY: Final = 86400.0


class KeyPairError(Exception):
    """A certificate and key that cannot be used; the message says why."""


class LeafFacts(NamedTuple):
    """Of a certificate; see `KeyPair`."""

    names: tuple[str, ...]
    not_before: float
    not_after: float
    issuer: str


@dataclass(frozen=True)
class KeyPair:
    """A certificate that can be served."""

    pem: bytes
    """The key, the certificate, then the rest of its chain. Secret."""
    names: tuple[str, ...]
    """Hosts that it is for, in lower case; some may begin with `*.`."""
    not_before: float
    not_after: float
    """Epoch seconds."""
    issuer: str
    """The common name or organisation of who signed it."""
    authority: str = ""
    """Directory address of the authority that we have it from; "": not from one."""

    @property
    def chain(self) -> bytes:
        """The certificates without the key."""
        return self.pem[self.pem.index(b"-----BEGIN CERTIFICATE") :]

    @property
    def life(self) -> float:
        """Seconds from its beginning to its end."""
        return self.not_after - self.not_before

    def covers(self, host: str) -> bool:
        """Whether it is for that host."""
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


def keypair(certificate: bytes, key: bytes, *, authority: str = "") -> KeyPair:
    """Put a PEM certificate (with its chain) and its PEM key together. Raises `KeyPairError`."""
    try:
        chain = x509.load_pem_x509_certificates(certificate)
    except ValueError as error:
        raise KeyPairError("it holds no readable PEM certificate") from error
    if not chain:
        raise KeyPairError("it holds no PEM certificate")
    private = _private(key)
    leaf = chain[0]
    try:
        fits = _public(private.public_key()) == _public(leaf.public_key())
    except (UnsupportedAlgorithm, ValueError) as error:
        raise KeyPairError("the certificate has a kind of key that is not known here") from error
    if not fits:
        raise KeyPairError("the key does not fit the certificate: it belongs to another one")
    facts = described(leaf)
    note = _AUTHORITY + authority.encode() + b"\n" if authority else b""
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificates = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
    return KeyPair(
        pem=note + text + certificates,
        names=facts.names,
        not_before=facts.not_before,
        not_after=facts.not_after,
        issuer=facts.issuer,
        authority=authority,
    )


def described(leaf: x509.Certificate) -> LeafFacts:
    """What people want to know of a certificate."""
    return LeafFacts(
        _names(leaf), leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp(), _issuer(leaf)
    )


def stored(pem: bytes) -> KeyPair:
    """A pair from the text that `KeyPair.pem` was. Raises `KeyPairError`."""
    first = pem.partition(b"\n")[0]
    authority = first.removeprefix(_AUTHORITY).decode("utf-8", "replace") if first.startswith(_AUTHORITY) else ""
    return keypair(pem, pem, authority=authority)


def new_key() -> bytes:
    """A fresh private key as PEM: P-256, which every client knows and which signs fast."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def self_signed(domains: Sequence[str], now: float, *, days: float = 7.0) -> KeyPair:
    """A certificate that nobody vouches for, to answer HTTPS with until there is a better one."""
    return _signed(domains, now, days, ())


def challenge(domain: str, key_authorization: str, now: float) -> KeyPair:
    """The certificate that answers a tls-alpn-01 challenge (RFC 8737 section 3)."""
    digest = hashlib.sha256(key_authorization.encode()).digest()
    proof = x509.UnrecognizedExtension(_CHALLENGE_OID, b"\x04\x20" + digest)
    return _signed((domain,), now, 1.0, (proof,))


def context(pair: KeyPair, protocols: Sequence[str] = PROTOCOLS) -> ssl.SSLContext:
    """What a handshake needs to show that pair. Raises `KeyPairError`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_alpn_protocols(list(protocols))
    try:
        _load(made, pair.pem)
    except ssl.SSLError as error:
        raise KeyPairError(f"OpenSSL does not take it: {error.reason or error}") from error
    return made


def _load(made: ssl.SSLContext, pem: bytes) -> None:
    """`ssl` reads keys from files only: one in memory is no trace on a disk and needs no space there."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(fd, pem)
            made.load_cert_chain(f"/proc/self/fd/{fd}")
            return
        except FileNotFoundError:
            pass  # no /proc in this jail
        finally:
            os.close(fd)
    with tempfile.NamedTemporaryFile(prefix="crisp-status-") as file:  # 0600
        file.write(pem)
        file.flush()
        made.load_cert_chain(file.name)


def _signed(
    domains: Sequence[str], now: float, days: float, extensions: Sequence[x509.UnrecognizedExtension]
) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domains[0][:64])])
    start = datetime.datetime.fromtimestamp(now, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A clock that is behind ours shall not find it too young.
        .not_valid_before(start - datetime.timedelta(days=1))
        .not_valid_after(start + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(d) for d in domains]), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    made = builder.sign(key, hashes.SHA256())
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return keypair(made.public_bytes(serialization.Encoding.PEM), text)


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        found = serialization.load_pem_private_key(key, password=None)
    except TypeError as error:
        raise KeyPairError("the key is encrypted; take its passphrase off (openssl pkey -in … -out …)") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyPairError("it holds no readable PEM key") from error
    return found  # type: ignore[return-value]  # any kind of key that signs does; all have these methods


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]  # every public key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    with suppress(x509.ExtensionNotFound):
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return (
            *(name.lower() for name in found.get_values_for_type(x509.DNSName)),
            *map(str, found.get_values_for_type(x509.IPAddress)),
        )
    return tuple(str(a.value).lower() for a in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _issuer(leaf: x509.Certificate) -> str:
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in leaf.issuer.get_attributes_for_oid(oid):
            return str(attribute.value)
    return leaf.issuer.rfc4514_string()
