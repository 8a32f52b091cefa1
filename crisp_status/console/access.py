"""Who is signed in to the console: tokens, sessions in the state, single sign-on of a proxy, tokens of forms.

Laws
- The state holds no value that opens anything: of a session it has the SHA-256 of what the cookie holds.
- A session ends after twelve hours, by signing out, and when the token that opened it changes or its passkey is removed.
- Every form carries a value that only its session has (`form_token`), and comes from our own origin.
- A name in a header counts only on a connection from a trusted proxy.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from crisp_status.core.operator_records import Session
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.core.model import State
    from crisp_status.http.authentication import Failures, Proxies

SESSION_SECONDS: Final = 12 * 3600.0
"""A shift; a phone that gets lost is signed out by the next day."""

COOKIE: Final = "crisp-status-console"
SECURE_COOKIE: Final = "__Host-crisp-status-console"
"""Browsers take a name with this prefix only with `Secure`, without `Domain` and for `/`: no other host can plant it."""

COOKIE_BYTES: Final = 32

NAME_MAX: Final = 200
"""Characters of a name in a header of a proxy."""

Role = Literal["owner", "operator", "viewer"]

RANK: Final[dict[str, int]] = {"viewer": 0, "operator": 1, "owner": 2}

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Identity(NamedTuple):
    """Who makes a request."""

    name: str
    operator: str
    """Id in `[[operators]]`; "" for the manager token."""
    role: str
    session: str
    """Id of the session; "" when a proxy vouches for each request."""
    form_token: str

    def may(self, role: Role) -> bool:
        """Whether this role, or a higher one, is theirs."""
        return RANK[self.role] >= RANK[role]


@dataclass(frozen=True)
class Access:
    """Decides who may use the console."""

    config: Callable[[], Config]
    """The configuration that is in force."""
    clock: Clock
    proxies: Proxies
    failures: Failures
    key: bytes
    """Signs the tokens of forms; the same that signs links in messages."""

    def credentials(self) -> dict[str, tuple[str, str, str]]:
        """By token: id of the operator, name, role."""
        config = self.config()
        found: dict[str, tuple[str, str, str]] = {}
        if config.server.manager_token is not None:
            found[config.server.manager_token.get_secret_value()] = ("", "Manager", "owner")
        for operator in config.operators:
            if operator.token is not None:
                found[operator.token.get_secret_value()] = (operator.id, operator.name, operator.role)
        return found

    @property
    def enabled(self) -> bool:
        """Whether anybody can sign in at all."""
        return bool(self.credentials() or self.config().console.trust_header)

    def identify(self, request: web.BaseRequest, state: State) -> Identity | None:
        """Who makes this request; None: nobody who is signed in."""
        trusted = self._by_header(request)
        if trusted is not None:
            return trusted
        # Only the name that we would set: a site beside ours could plant the other one.
        value = request.cookies.get(COOKIE if _plain_loopback(request) else SECURE_COOKIE, "")
        session = state.console.sessions.get(_hash(value)) if value else None
        if session is None or session.expires_at <= self.clock.now():
            return None
        if session.passkey:
            return self._by_passkey(session, state)
        for token, (operator, label, role) in self.credentials().items():
            if operator == session.operator and hmac.compare_digest(_hash(token), session.credential):
                return Identity(label, operator, role, session.id, self._form_token(session.id))
        return None

    def signed_in(self, request: web.BaseRequest, state: State) -> bool:
        """Whether somebody of the team makes this request."""
        try:
            return self.identify(request, state) is not None
        except Refused:
            return False

    def _by_header(self, request: web.BaseRequest) -> Identity | None:
        header = self.config().console.trust_header
        given = request.headers.get(header, "") if header else ""
        if not given or not self.proxies.vouches(request):
            return None
        for operator in self.config().operators:
            if given == operator.id:
                return Identity(operator.name, operator.id, operator.role, "", self._form_token(f"header {given}"))
        raise Refused(403, f"{given[:NAME_MAX]!r} is signed in at your proxy, and no [[operators]] entry has that id.")

    def _by_passkey(self, session: Session, state: State) -> Identity | None:
        known = session.passkey in state.console.passkeys
        for operator in self.config().operators:
            if known and operator.id == session.operator:
                token = self._form_token(session.id)
                return Identity(operator.name, operator.id, operator.role, session.id, token)
        return None

    def sign_in(self, request: web.BaseRequest, token: str) -> tuple[Session, str]:
        """A new session and the value for its cookie. Raises `Refused` 403, or 429 when too many tokens were wrong."""
        given = token.encode("utf-8", "surrogatepass")
        found = None
        for known, who in self.credentials().items():
            if hmac.compare_digest(given, known.encode()):
                found = (known, *who)
        if found is None:
            raise self.failed(request, "This is not the token of an operator of this page.")
        known, operator, name, role = found
        return self.new_session(name, operator, role, credential=_hash(known))

    def failed(self, request: web.BaseRequest, sentence: str) -> Refused:
        """What a failed attempt to sign in is answered: 403, or 429 when too many came from there."""
        wait = self.failures.count(self.proxies.client(request))
        if wait > 0:
            return Refused(429, "Too many wrong tokens came from your address.", {"Retry-After": str(ceil(wait))})
        return Refused(403, sentence)

    def new_session(
        self, name: str, operator: str, role: str, *, credential: str = "", passkey: str = ""
    ) -> tuple[Session, str]:
        """A session that a token or a passkey opens, and the value for its cookie."""
        value = secrets.token_urlsafe(COOKIE_BYTES)
        now = self.clock.now()
        session = Session(
            id=_hash(value), name=name, operator=operator, role=role, credential=credential, passkey=passkey,
            created_at=now, expires_at=now + SESSION_SECONDS,
        )  # fmt: skip
        return session, value

    def set_cookie(self, request: web.BaseRequest, response: web.StreamResponse, value: str) -> None:
        """Hand the session's value to the browser; "" takes it away."""
        secure = not _plain_loopback(request)
        name = SECURE_COOKIE if secure else COOKIE
        age = int(SESSION_SECONDS) if value else 0
        response.set_cookie(name, value, max_age=age, path="/", secure=secure, httponly=True, samesite="Lax")

    def check_form(self, request: web.BaseRequest, identity: Identity, given: str) -> None:
        """Refuse a form that does not come from a page of ours for this session."""
        self.check_origin(request)
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), identity.form_token.encode()):
            raise Refused(403, "This form belongs to another session. Go back, load the page again and repeat it.")

    def check_origin(self, request: web.BaseRequest) -> None:
        """Refuse a POST that a page of somebody else sends through the operator's browser."""
        origin = request.headers.get("Origin", "")
        site = request.headers.get("Sec-Fetch-Site", "")
        page = urlsplit(str(self.config().page.url))
        ours = {f"{page.scheme}://{page.netloc}"}
        host = request.headers.get("Host", "")
        if host:
            ours |= {f"https://{host}", f"http://{host}"}
        if origin not in ours and not (not origin and site == "same-origin"):
            raise Refused(403, "This form was sent from another site. Open the console itself and repeat it there.")

    @staticmethod
    def require_cookies(request: web.BaseRequest) -> None:
        """Refuse to sign in where the browser would drop the cookie of the session, which would look like a wrong token."""
        origin = urlsplit(request.headers.get("Origin", ""))
        if origin.scheme == "http" and not _plain_loopback(request):
            raise Refused(
                400,
                "Over plain HTTP no browser keeps a session. Open the console over https://, "
                "or as http://localhost through an SSH tunnel.",
            )

    def _form_token(self, identity: str) -> str:
        return hmac.new(self.key, f"console form {identity}".encode(), sha256).hexdigest()


def _hash(value: str) -> str:
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _plain_loopback(request: web.BaseRequest) -> bool:
    """Whether somebody looks at the console on their own machine without TLS, where `Secure` would lock them out."""
    host = urlsplit(f"//{request.headers.get('Host', '')}")
    name = f"[{host.hostname}]" if host.hostname and ":" in host.hostname else host.hostname
    return name in LOOPBACK and not request.secure and "X-Forwarded-Proto" not in request.headers
