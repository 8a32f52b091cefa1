"""What strangers write into their certificates is read, whatever it is."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crisp_status.net.certificate import Certificate


def test_a_country_of_nine_letters_is_no_concern_of_ours():
    """The library warns of it; the reader of a certificate neither warns nor fails."""
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.warns(UserWarning, match="length"):
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "Nine-Land", _validate=False)
    name = x509.Name([country, x509.NameAttribute(NameOID.COMMON_NAME, "far.example")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )

    assert Certificate.read(made.public_bytes(Encoding.DER)).subject == "far.example"
