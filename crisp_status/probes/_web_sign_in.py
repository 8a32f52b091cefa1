"""Signing in over HTTP: digest (RFC 7616) and client credentials of OAuth 2.0 (RFC 6749, section 4.4)."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus, urlencode

import msgspec
from pydantic import Field, SecretStr

from crisp_status import log
from crisp_status.config.sections import WebUrl
from crisp_status.config.strict import Strict
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import now
from crisp_status.net.http_client import HttpRequest, exchange, request_bytes
from crisp_status.net.target import parse
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, note
from crisp_status.probes._connection import web_way

if TYPE_CHECKING:
    from crisp_status.probes._connection import TlsOptions

EARLY: Final = 30.0
"""Seconds before its end at which a token is not used any more."""

LIFE: Final = 300.0
"""Seconds of a token whose answer names none."""

ALGORITHMS: Final = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}

_PARAMETER: Final = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class OAuth2(Strict):
    """The table `oauth2` of `[services.nodes.http]`."""

    token_url: WebUrl
    """Where a token is fetched."""
    client_id: str = Field(min_length=1)
    """Who we are there."""
    client_secret: SecretStr
    """And its secret."""
    scope: str = ""
    """What the token is for, several with spaces between; "": whatever is usual there."""
    audience: str = ""
    """Whom it is for, where the server wants to know."""


class Token(msgspec.Struct):
    """A token and how long it may be used."""

    text: str = ""
    ends_at: float = 0.0


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


def basic(user: str, password: str) -> str:
    """The header for a user and a password."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


async def bearer(wanted: OAuth2, token: Token, options: TlsOptions) -> str:
    """The header with a token, fetched anew when that one has ended. Raises `ProbeError` when there is none to be had."""
    if token.ends_at <= now():
        form = {"grant_type": "client_credentials", "scope": wanted.scope, "audience": wanted.audience}
        form = {key: value for key, value in form.items() if value}
        secret = wanted.client_secret.get_secret_value()
        # By header, which every server must take; those that do not want the two in the form.
        status, body = await _fetched(wanted, options, form, basic(quote_plus(wanted.client_id), quote_plus(secret)))
        if status in {400, 401}:
            form |= {"client_id": wanted.client_id, "client_secret": secret}
            status, body = await _fetched(wanted, options, form, "")
        try:
            if status != 200:
                raise ValueError
            answer = msgspec.json.decode(body, type=_TokenAnswer)
            life = LIFE if answer.expires_in is None else float(answer.expires_in)
        except (ValueError, RecursionError):
            said = body[:100].decode("utf-8", "replace")
            raise ProbeError(
                ReasonCode.ERROR, f"no token from {wanted.token_url}: it answers {status} {said}", str(status)
            ) from None
        if not answer.access_token.isascii() or not answer.access_token.isprintable():
            raise ProbeError(ReasonCode.ERROR, f"the token from {wanted.token_url} cannot be sent")
        log.hide(answer.access_token)
        token.text, token.ends_at = answer.access_token, now() + life - EARLY
    return f"Bearer {token.text}"


async def _fetched(wanted: OAuth2, options: TlsOptions, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
    target = parse(wanted.token_url, 0)
    secure = target.scheme == "https"
    port = target.port or (443 if secure else 80)
    fields = {
        "Host": target.host if not target.port else f"{target.host}:{port}",
        "User-Agent": tools().user_agent,
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    fields |= {"Authorization": authorization} if authorization else {}
    wire = request_bytes("POST", target.path or "/", fields, urlencode(form).encode())
    way = web_way(options, secure, target.host, port).elsewhere()
    request = HttpRequest("POST", wanted.token_url, secure, target.host, port, wire, options.verify_tls, way)
    response = await exchange(request)
    try:
        note("token asked of {url}: {status}", url=wanted.token_url, status=response.status)
        return response.status, await response.read()
    finally:
        response.close()


def digest(challenge: str, user: str, password: str, method: str, path: str, nonce: str = "") -> str:
    """The header that answers a challenge; "" when it is none that we can answer. `nonce` is ours, made when not given."""
    scheme, _, rest = challenge.strip().partition(" ")
    asked = {key.lower(): quoted or plain for key, quoted, plain in _PARAMETER.findall(rest)}
    algorithm = asked.get("algorithm", "MD5").upper()
    session = algorithm.endswith("-SESS")
    hashed = ALGORITHMS.get(algorithm.removesuffix("-SESS"))
    qops = {qop.strip() for qop in asked.get("qop", "").split(",") if qop.strip()}
    if scheme.lower() != "digest" or hashed is None or "nonce" not in asked or (qops and "auth" not in qops):
        return ""

    def of(*parts: str) -> str:
        return str(hashed(":".join(parts).encode()).hexdigest())

    ours = nonce or secrets.token_hex(16)
    realm, theirs = asked.get("realm", ""), asked["nonce"]
    one = of(user, realm, password)
    one = of(one, theirs, ours) if session else one
    two = of(method, path)
    answer = of(one, theirs, "00000001", ours, "auth", two) if qops else of(one, theirs, two)
    name = user.replace("\\", "\\\\").replace('"', '\\"')
    found = [f'username="{name}"', f'realm="{realm}"', f'nonce="{theirs}"', f'uri="{path}"', f'response="{answer}"']
    found += [f"algorithm={asked['algorithm']}"] if "algorithm" in asked else []
    found += [f'opaque="{asked["opaque"]}"'] if "opaque" in asked else []
    found += ["qop=auth", "nc=00000001", f'cnonce="{ours}"'] if qops else []
    return "Digest " + ", ".join(found)
