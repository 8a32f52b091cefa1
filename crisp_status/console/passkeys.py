"""Passkeys: an operator's finger or phone instead of a token (WebAuthn, by the library `webauthn`).

Laws
- Relying party and origin are those of `[page] url`; what a request says of its host counts for nothing.
- A passkey is the only thing that is asked for, so the authenticator must have verified who holds it.
- The state has public keys only.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from crisp_status.config.hostname import ascii_host
from crisp_status.console.ceremonies import Ceremonies
from crisp_status.core.operator_records import Passkey
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.console.frame import Frame

MAX_ANSWER: Final = 64 * 1024
"""Characters of what an authenticator answers; attestations of some are kilobytes."""

SIGN_IN: Final = "sign-in"
UNKNOWN: Final = "This is not a passkey of an operator of this page."
PORTS: Final = {"https": 443, "http": 80}


class RelyingParty(NamedTuple):
    """For whom a passkey is made."""

    id: str
    origin: str


def relying_party(url: str) -> RelyingParty | None:
    """Of the page's address; None where browsers make no passkeys: plain HTTP, or an address without a name."""
    page = urlsplit(url)
    host = ascii_host(page.hostname or "")
    local = host == "localhost" or host.endswith(".localhost")
    if not (page.scheme == "https" or local) or ":" in host or host.rpartition(".")[2].isdecimal():
        return None
    port = f":{page.port}" if page.port not in {None, PORTS[page.scheme]} else ""
    return RelyingParty(host, f"{page.scheme}://{host}{port}")


class Passkeys:
    """Both ceremonies: making a passkey and signing in with one. What is wrong raises `Refused`."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._ceremonies = Ceremonies(frame.clock, frame.access.key)
        self._installed = find_spec("webauthn") is not None

    def fault(self) -> str:
        """Why nobody can use a passkey here; "" when they can."""
        if not self._installed:
            return "The extra passkeys is not installed; docs/install.md says how."
        if relying_party(str(self._frame.config().page.url)) is None:
            return "Browsers make passkeys only where [page] url has a name and is https://, or localhost."
        return ""

    def creation_options(self, id: str, name: str, purpose: str, known: Mapping[str, Passkey]) -> dict[str, Any]:
        """What a browser needs to make a passkey for the operator of that id."""
        party = self._party()
        from webauthn import generate_registration_options
        from webauthn.helpers import base64url_to_bytes, options_to_json_dict
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        own = [base64url_to_bytes(p.id) for p in known.values() if p.operator == id]
        options = generate_registration_options(
            rp_id=party.id,
            rp_name=self._frame.config().page.name,
            # Tells the authenticator nothing but that it is the same operator again.
            user_id=hmac.new(self._frame.access.key, f"passkey user {id}".encode(), sha256).digest(),
            user_name=id,
            user_display_name=name,
            challenge=self._ceremonies.new(purpose),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in own],
        )
        return options_to_json_dict(options)

    def made(self, answer: str, operator: str, name: str, purpose: str) -> Passkey:
        """The passkey that a browser made; `answer` is what it said, as JSON."""
        party = self._party()
        from webauthn import verify_registration_response
        from webauthn.helpers import bytes_to_base64url

        given, challenge = self._given(answer, purpose)
        try:
            made = verify_registration_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                require_user_verification=True,
            )
        except Exception as error:  # also what the parsers of CBOR and ASN.1 raise
            raise Refused(400, f"The passkey was not taken: {error}") from None
        self._ceremonies.answered(challenge)
        return Passkey(
            id=bytes_to_base64url(made.credential_id),
            operator=operator,
            name=name,
            public_key=bytes_to_base64url(made.credential_public_key),
            sign_count=made.sign_count,
        )

    def request_options(self) -> dict[str, Any]:
        """What a browser needs to sign in; nothing in it depends on who asks."""
        party = self._party()
        from webauthn import generate_authentication_options
        from webauthn.helpers import options_to_json_dict
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=party.id,
            challenge=self._ceremonies.new(SIGN_IN),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def verified(self, answer: str, known: Mapping[str, Passkey]) -> tuple[Passkey, int]:
        """Whose passkey signed a challenge of ours, and the count of its authenticator."""
        party = self._party()
        from webauthn import verify_authentication_response
        from webauthn.helpers import base64url_to_bytes

        given, challenge = self._given(answer, SIGN_IN)
        passkey = known.get(str(given.get("id")))
        if passkey is None:
            raise Refused(403, UNKNOWN)
        try:
            verified = verify_authentication_response(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                credential_public_key=base64url_to_bytes(passkey.public_key),
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except Exception:
            raise Refused(403, UNKNOWN) from None
        self._ceremonies.answered(challenge)
        return passkey, verified.new_sign_count

    def _party(self) -> RelyingParty:
        party = relying_party(str(self._frame.config().page.url))
        if party is None or not self._installed:
            raise Refused(404, self.fault())
        return party

    def _given(self, answer: str, purpose: str) -> tuple[dict[str, Any], bytes]:
        """The answer, and the challenge in it, which must be ours."""
        from webauthn.helpers import base64url_to_bytes

        try:
            given: dict[str, Any] = json.loads(answer) if len(answer) <= MAX_ANSWER else {}
            told = json.loads(base64url_to_bytes(given["response"]["clientDataJSON"]))
            challenge = base64url_to_bytes(told["challenge"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Refused(400, "The browser did not answer with a passkey. Try again.") from None
        if not self._ceremonies.current(challenge, purpose):
            raise Refused(403, "That took too long, or was sent twice. Try again.")
        return given, challenge
