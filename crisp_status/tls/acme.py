"""Getting a certificate from an authority by ACME (RFC 8555), with the libraries `acme` and `josepy`.

Everything here waits, so it runs in a worker thread. What a crash must not forget is written before the authority is
told of it: the account's key before the account is made, the certificate's key before the order. An order that was begun
is gone on with after a restart, so that being killed in the middle costs one order at most.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import requests
from acme import challenges as acme_challenges
from acme import client, crypto_util, errors, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.json_util import decode_b64jose
from josepy.jwk import JWKEC

from crisp_status.tls.acme_network import AcmeNetwork, explained, sentences
from crisp_status.tls.authorities import AuthorityError, StoppedError
from crisp_status.tls.keypair import KeyPair, KeyPairError, keypair, new_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crisp_status.clock import Clock
    from crisp_status.tls.authorities import Authority
    from crisp_status.tls.challenges import Challenges, Kind
    from crisp_status.tls.storage import Storage

ORDER_SECONDS: Final = 180.0
"""For the whole of an order; authorities look at a domain from several places, some of them slow."""

POLL_SECONDS: Final = 0.5
POLL_LONGEST: Final = 5.0
"""Between two questions how far an order is, where the authority does not say (`Retry-After`)."""


@dataclass(frozen=True)
class Advice:
    """When an authority wants a certificate to be renewed (ARI, RFC 9773)."""

    renew_at: float
    """Epoch seconds, a random moment of its window; 0: it has no opinion."""
    ask_again_at: float
    """Epoch seconds."""


class Client:
    """One authority, asked on behalf of one state folder. Not for two threads at a time."""

    def __init__(self, authority: Authority, storage: Storage, clock: Clock, stop: threading.Event) -> None:
        """Nothing is asked yet. Setting `stop` ends whatever waits."""
        self._authority = authority
        self._storage = storage
        self._clock = clock
        self._stop = stop
        self._network = AcmeNetwork()
        self._acme: client.ClientV2 | None = None
        tag = hashlib.sha256(authority.directory.encode()).hexdigest()[:12]
        self._account_name = f"account-{tag}.json"

    def obtain(
        self, domain: str, kinds: Sequence[Kind], challenges: Challenges, current: KeyPair | None = None
    ) -> KeyPair:
        """Another certificate for a domain than `current`, by the first kind of challenge that works.

        It is not kept here. When it is, call `finish`; until then the order can be gone on with.

        Raises `AuthorityError`, `StoppedError`, or `OSError` when its key cannot be kept.
        """
        with sentences(self._authority.name, self._network):
            failed: AuthorityError | None = None
            for kind in kinds:
                try:
                    return self._obtain(domain, kind, challenges, current)
                except AuthorityError as error:
                    if not error.refused:
                        raise
                    sentence = f"{failed}; and {error}" if failed else str(error)
                    failed = AuthorityError(sentence, retry_after=error.retry_after, refused=True)
            raise failed or AuthorityError("there is no way to be validated: listen on port 80 or 443")

    def finish(self, domain: str) -> None:
        """The certificate is kept: the order is over. Raises `OSError`."""
        self._storage.remove(_order_name(domain))

    def advice(self, pair: KeyPair) -> Advice:
        """When the authority wants it renewed. Raises `AuthorityError`."""
        with sentences(self._authority.name, self._network):
            acme = self._connected()
            try:
                when, again = acme.renewal_time(pair.chain)
            except errors.ARIError as error:
                return Advice(0.0, error.retry_after.timestamp())
            return Advice(when.timestamp() if when else 0.0, again.timestamp())

    def _obtain(self, domain: str, kind: Kind, challenges: Challenges, current: KeyPair | None) -> KeyPair:
        acme = self._registered()
        deadline = self._clock.monotonic() + ORDER_SECONDS
        key, order = self._order(acme, domain, current)
        if order.body.status not in {messages.STATUS_READY, messages.STATUS_PROCESSING, messages.STATUS_VALID}:
            for authorization in order.authorizations:
                self._validate(acme, authorization, kind, challenges, deadline)
        chain = self._issue(acme, order, deadline)
        try:
            return keypair(chain.encode(), key, authority=self._authority.directory)
        except KeyPairError as error:
            self._storage.remove(_order_name(domain))
            raise AuthorityError(f"{self._authority.name} sent a certificate that cannot be used: {error}") from error

    def _connected(self) -> client.ClientV2:
        if self._acme is None:
            directory = client.ClientV2.get_directory(self._authority.directory, self._network)
            self._acme = client.ClientV2(directory, self._network)
        return self._acme

    def _registered(self) -> client.ClientV2:
        """With our account at the authority, made when there is none or it was closed there."""
        acme = self._connected()
        if acme.net.account is not None:
            return acme
        key, uri = self._account()
        acme.net.key = JWKEC(key=serialization.load_pem_private_key(key, None))
        if uri:
            acme.net.account = messages.RegistrationResource(uri=uri, body=messages.Registration())
            if self._alive(acme, uri):
                return acme
            acme.net.account = None
            key = new_key()
            acme.net.key = JWKEC(key=serialization.load_pem_private_key(key, None))
        self._keep_account(key, "")
        self._keep_account(key, self._register(acme, key))
        return acme

    def _alive(self, acme: client.ClientV2, uri: str) -> bool:
        """Whether the account is still open."""
        try:
            answer = acme.net.post(uri, None, new_nonce_url=acme.directory["newNonce"])
            return bool(answer.json().get("status", "valid") == "valid")
        except messages.Error as error:
            if error.code in {"accountDoesNotExist", "unauthorized", "malformed"}:
                return False
            raise

    def _register(self, acme: client.ClientV2, key: bytes) -> str:
        authority, binding = self._authority, None
        if acme.external_account_required():
            if not authority.eab_kid:
                raise AuthorityError(
                    f"{authority.name} wants an account that exists outside of ACME: set eab_kid and eab_hmac in [tls] "
                    "to what its web site gives you"
                )
            public = cast("ec.EllipticCurvePrivateKey", serialization.load_pem_private_key(key, None)).public_key()
            try:
                binding = messages.ExternalAccountBinding.from_data(
                    JWKEC(key=public), authority.eab_kid, _padded(authority.eab_hmac), acme.directory
                )
            except ValueError as error:
                raise AuthorityError("eab_hmac in [tls] is not base64url text; copy it again") from error
        wanted = messages.NewRegistration.from_data(
            email=authority.email or None, terms_of_service_agreed=True, external_account_binding=binding
        )
        try:
            return str(acme.new_account(wanted).uri)
        except errors.ConflictError as known:  # a crash came between the account and its address
            acme.net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
            return known.location

    def _account(self) -> tuple[bytes, str]:
        """Key and address of our account there; a fresh key and "" when there is none."""
        kept = _json(self._storage.read(self._account_name))
        with contextlib.suppress(KeyError, AttributeError, ValueError):
            key = kept["key"].encode()
            serialization.load_pem_private_key(key, None)
            return key, str(kept.get("uri", ""))
        return new_key(), ""

    def _keep_account(self, key: bytes, uri: str) -> None:
        kept = {"directory": self._authority.directory, "uri": uri, "key": key.decode()}
        self._storage.write(self._account_name, json.dumps(kept, indent=1).encode())

    def _order(
        self, acme: client.ClientV2, domain: str, current: KeyPair | None
    ) -> tuple[bytes, messages.OrderResource]:
        """The order that was begun, or a new one, with the key of its certificate."""
        assert acme.net.account is not None
        account, name = str(acme.net.account.uri), _order_name(domain)
        kept = _json(self._storage.read(name))
        key = str(kept.get("key", "")).encode()
        done = current is not None and key in current.pem  # killed between the certificate and `finish`
        if kept.get("account") == account and kept.get("uri") and key and not done:
            order = self._begun(acme, str(kept["uri"]), crypto_util.make_csr(key, [domain]))
            if order is not None:
                return key, order
        key = new_key()
        note = {"account": account, "uri": "", "key": key.decode()}
        self._storage.write(name, json.dumps(note).encode())
        order = acme.new_order(crypto_util.make_csr(key, [domain]), profile=self._authority.profile or None)
        note["uri"] = str(order.uri)
        self._storage.write(name, json.dumps(note).encode())
        return key, order

    def _begun(self, acme: client.ClientV2, uri: str, csr: bytes) -> messages.OrderResource | None:
        """An order of before the last start, as it stands now; None: it cannot be gone on with."""
        nonce = acme.directory["newNonce"]
        try:
            body = messages.Order.from_json(acme.net.post(uri, None, new_nonce_url=nonce).json())
            if body.status == messages.STATUS_INVALID:
                return None
            found = [
                messages.AuthorizationResource(
                    body=messages.Authorization.from_json(acme.net.post(url, None, new_nonce_url=nonce).json()), uri=url
                )
                for url in body.authorizations
            ]
        except messages.Error:
            return None
        if any(a.body.status in {messages.STATUS_INVALID, messages.STATUS_REVOKED} for a in found):
            return None
        return messages.OrderResource(body=body, uri=uri, authorizations=found, csr_pem=csr)

    def _validate(
        self,
        acme: client.ClientV2,
        authorization: messages.AuthorizationResource,
        kind: Kind,
        challenges: Challenges,
        deadline: float,
    ) -> None:
        """Show the authority that the domain is ours."""
        domain = authorization.body.identifier.value
        if authorization.body.status == messages.STATUS_VALID:
            return
        body = next((c for c in authorization.body.challenges if _kind(c) == kind), None)
        if body is None:
            raise AuthorityError(f"{self._authority.name} does not validate {domain} by {kind}", refused=True)
        token, answer = self._answer(acme, body)
        with challenges.presented(kind, domain, token, answer, self._clock.now()):
            if body.status == messages.STATUS_PENDING:
                acme.net.post(body.uri, messages.UpdateAuthorization(), new_nonce_url=acme.directory["newNonce"])
            for pause in self._pauses(deadline, f"{self._authority.name} did not finish looking at {domain}"):
                authorization, response = acme.poll(authorization)
                if authorization.body.status not in {messages.STATUS_PENDING, messages.STATUS_PROCESSING}:
                    break
                self._wait(pause, response)
        if authorization.body.status != messages.STATUS_VALID:
            raise AuthorityError(_refusal(authorization, kind), refused=True)

    @staticmethod
    def _answer(acme: client.ClientV2, body: messages.ChallengeBody) -> tuple[str, str]:
        """Token and key authorization. The library does not know tls-alpn-01, whose token is as that of http-01."""
        token = str(body.chall.to_partial_json()["token"])
        assert acme.net.key is not None, "the account was there before the order"
        known = acme_challenges.HTTP01(token=decode_b64jose(token))
        return token, known.key_authorization(acme.net.key)

    def _issue(self, acme: client.ClientV2, order: messages.OrderResource, deadline: float) -> str:
        """Have the certificate made and fetch it; PEM of the whole chain."""
        nonce = acme.directory["newNonce"]
        for pause in self._pauses(deadline, f"{self._authority.name} did not make the certificate"):
            response = acme.net.post(order.uri, None, new_nonce_url=nonce)
            body = messages.Order.from_json(response.json())
            if body.status == messages.STATUS_VALID and body.certificate:
                found = acme.net.post(body.certificate, None, new_nonce_url=nonce)
                return found.text
            if body.status == messages.STATUS_INVALID:
                raise AuthorityError(f"{self._authority.name} gave the order up: {explained(body.error)}", refused=True)
            if body.status == messages.STATUS_READY:
                acme.begin_finalization(order)
                continue
            self._wait(pause, response)
        raise AssertionError("the pauses end with an exception")

    def _pauses(self, deadline: float, late: str) -> Iterator[float]:
        pause = POLL_SECONDS
        while self._clock.monotonic() < deadline:
            yield pause
            pause = min(pause * 1.5, POLL_LONGEST)
        raise AuthorityError(f"{late} within {ORDER_SECONDS:.0f} seconds")

    def _wait(self, pause: float, response: requests.Response) -> None:
        asked = client.ClientV2.retry_after(response, 0).timestamp() - datetime.datetime.now().timestamp()  # noqa: DTZ005
        if self._stop.wait(min(max(pause, asked), 60.0)):
            raise StoppedError


def _order_name(domain: str) -> str:
    return f"order-{domain}.json"


def _json(data: bytes | None) -> dict[str, Any]:
    """What a file of ours holds; nothing, when it is not there or broken."""
    with contextlib.suppress(ValueError):
        found = json.loads(data or b"{}")
        if isinstance(found, dict):
            return found
    return {}


def _kind(body: messages.ChallengeBody) -> str:
    return str(body.chall.to_partial_json().get("type", ""))


def _padded(text: str) -> str:
    """Base64 as the library reads it: it wants the padding that base64url leaves out, and the other alphabet too."""
    return text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)


def _refusal(authorization: messages.AuthorizationResource, kind: str) -> str:
    domain = authorization.body.identifier.value
    for body in authorization.body.challenges:
        if body.error is not None:
            return f"{domain} was not found to be ours by {kind}: {explained(body.error)}"
    return f"{domain} was not found to be ours by {kind} (the authorization is {authorization.body.status.name})"
