"""`http://` and `https://` are healthy when the status of the answer lies in the window and the body, if matched, fits.

Each look opens a new connection: it meets what a new visitor meets. Redirects are not followed unless the operator wants it:
a 3xx lies inside the default window and is healthy.
"""

from __future__ import annotations

import functools
from typing import Annotated, Literal

from msgspec.structs import replace
from pydantic import Field, SecretStr, field_validator, model_validator

from crisp_status import log
from crisp_status.config.addresses import PLAIN
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.http_body import BODY_MAX, accept_encoding, text_of
from crisp_status.net.http_client import HttpRequest, HttpResponse, exchange, request_bytes
from crisp_status.net.target import TargetAddress
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, Reading, Unknowable, note
from crisp_status.probes._certificate import Ending, first_ending, judged
from crisp_status.probes._connection import TlsOptions, web_way
from crisp_status.probes._cookies import Cookies
from crisp_status.probes._fields import check_fields, check_name
from crisp_status.probes._json import JsonWanted, judge
from crisp_status.probes._match import Expression, compiled, found
from crisp_status.probes._status_list import status_fault, statuses, written
from crisp_status.probes._web_address import known_web_address, plain_url, redirected, web_address
from crisp_status.probes._web_sign_in import OAuth2, Token, basic, bearer, digest

SCHEMES = ("http", "https")

BODY_MOST = 1 << 24
"""What somebody may have looked at, in bytes; each look that is under way holds so much."""

REDIRECTS = 5
"""Hops that are followed unless `max_redirects` says otherwise."""

REQUESTS_MAX = 10_000
"""Requests remembered for one set of options; a node has as many replicas, and redirects may vary."""

UNAUTHORIZED = 401
PROXY_AUTHENTICATION_REQUIRED = 407

REDIRECTED = {301, 302, 303, 307, 308}

Method = Literal["HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
WITH_BODY = {"POST", "PUT", "PATCH"}

OWN_FIELDS = {"content-length", "transfer-encoding", "connection"}
"""Header fields that frame a request: the probe writes them itself."""

Status = Annotated[int, Field(ge=100, le=600)]


class Options(TlsOptions):
    """The table `[services.nodes.http]`."""

    method: Method | None = None
    """Default: HEAD, or GET when a body is matched."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Header fields to send; on a redirect to another site they are left out."""
    body: SecretStr | None = None
    """Sent with POST, PUT or PATCH."""
    auth: Literal["basic", "digest"] = "basic"
    """How the user and password in the address are sent; digest: as the server's challenge wants them."""
    oauth2: OAuth2 | None = None
    """Fetch a token by client credentials and send it: { token_url = "…", client_id = "…", client_secret = "…" }."""
    follow_redirects: bool = False
    """Go where a redirect points, at most `max_redirects` times, and judge the last answer."""
    max_redirects: Annotated[int, Field(ge=1, le=50)] = REDIRECTS
    """Redirects that are followed; one more is dead."""
    healthy_above: Status = 200
    """Lowest healthy status, itself included."""
    healthy_below: Status = 400
    """Lowest status above that is not healthy any more."""
    healthy_status: tuple[int | str, ...] = ()
    """Healthy statuses instead of that window, as in ["200-299", 304] or ["2xx"]."""
    header_match: dict[str, str] = Field(default_factory=dict)
    """Regular expressions by header field of the answer; each must be found in the field, which must be there."""
    healthy_match: Expression = ""
    """Regular expression that must be found in the body."""
    dead_match: Expression = ""
    """Regular expression that must not be found in the body."""
    json_values: JsonWanted = Field(default_factory=dict, alias="json")
    """Values that a JSON body must have, by JSONPath, as in { "$.status" = "ok", "$.queue" = { below = 100 } }."""
    body_max: Annotated[int, Field(ge=1024, le=BODY_MOST)] = BODY_MAX
    """Bytes of the body, unpacked, that are looked at."""

    @field_validator("headers")
    @classmethod
    def _fields(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_fields(headers, OWN_FIELDS)
        return headers

    @field_validator("healthy_status")
    @classmethod
    def _statuses(cls, entries: tuple[int | str, ...]) -> tuple[int | str, ...]:
        for fault in map(status_fault, entries):
            if fault:
                raise ValueError(fault)
        return entries

    @field_validator("header_match")
    @classmethod
    def _header_expressions(cls, expressions: dict[str, str]) -> dict[str, str]:
        for name, expression in expressions.items():
            check_name(name)
            compiled(expression)
        return expressions

    @model_validator(mode="after")
    def _together(self) -> Options:
        if self.healthy_above >= self.healthy_below:
            raise ValueError("healthy_above must be less than healthy_below: healthy_above <= status < healthy_below")
        if self.healthy_status and self.model_fields_set & {"healthy_above", "healthy_below"}:
            raise ValueError("healthy_status stands beside healthy_above or healthy_below; write one of both ways only")
        if self.body is not None and self.method not in WITH_BODY:
            raise ValueError("a body is sent with method POST, PUT or PATCH only; set one of them")
        if self.oauth2 is not None and (self.auth == "digest" or "authorization" in self.has):
            raise ValueError("oauth2 sends its own Authorization; leave out auth and that header field")
        if self.method == "HEAD" and self.matches:
            raise ValueError("HEAD has no body to match; use GET")
        return self

    def healthy(self, status: int) -> bool:
        """Whether an answer of that status is healthy."""
        if self.healthy_status:
            return status in statuses(self.healthy_status)
        return self.healthy_above <= status < self.healthy_below

    @property
    def window(self) -> str:
        """The healthy statuses, for a sentence."""
        return (
            written(self.healthy_status) if self.healthy_status else f"{self.healthy_above} to {self.healthy_below - 1}"
        )

    @property
    def matches(self) -> bool:
        """Whether the body is looked at."""
        return bool(self.healthy_match or self.dead_match or self.json_values)

    @functools.cached_property
    def sent(self) -> dict[str, str]:
        """The header fields in the clear."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    @functools.cached_property
    def requests(self) -> dict[tuple[str, str, str], HttpRequest]:
        """Requests by method, address and our name, made once for the many looks that send them."""
        return {}

    @functools.cached_property
    def token(self) -> Token:
        """That of `oauth2`."""
        return Token()

    @functools.cached_property
    def refuses_head(self) -> set[str]:
        """Targets that answered well to GET where HEAD was not healthy; from then on they get GET at once."""
        return set()

    @functools.cached_property
    def has(self) -> frozenset[str]:
        """Names of the header fields that the operator set, in lower case."""
        return frozenset(name.lower() for name in self.headers)


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    if not (target.startswith(("http://", "https://")) and PLAIN.fullmatch(target)):
        web_address(target)


async def probe(target: str, options: Options) -> Reading:
    """Ask; what a HEAD did not find healthy is asked once more by GET before anything is claimed."""
    body = options.body.get_secret_value().encode() if options.body is not None else b""
    if options.method is not None or options.matches or target in options.refuses_head:
        return await _chain(options.method or "GET", target, body, options)
    try:
        return await _chain("HEAD", target, b"", options)
    except ProbeError as error:
        if error.reason.code not in {ReasonCode.STATUS, ReasonCode.ERROR, ReasonCode.NO_ANSWER}:
            raise
        note("HEAD was not healthy: {reason}; asking with GET", reason=str(error))
    reading = await _chain("GET", target, b"", options)
    if len(options.refuses_head) < REQUESTS_MAX:
        options.refuses_head.add(target)
    return reading


async def _chain(method: str, target: str, body: bytes, options: Options) -> Reading:
    """Ask, follow redirects if wanted, judge the status, the body and the certificates on the way."""
    origin = known_web_address(target)
    url, there = target, origin
    ending, cookies = Ending(), Cookies() if options.follow_redirects else None
    for _ in range(options.max_redirects + 1):
        own = there[:3] == origin[:3]
        response = await _signed_in(
            method,
            url,
            body,
            options,
            cookies.header(there) if cookies is not None and "cookie" not in options.has else {},
            own=own,
        )
        if cookies is not None:
            cookies.take(there, response.cookies)
        try:
            ending = _earlier(ending, response, options)
            location = response.headers.get("location", "")
            if not (options.follow_redirects and response.status in REDIRECTED and location):
                await _judge(response, options)
                return judged(ending, options.certificate_sick_days)
        finally:
            response.close()
        url, there = redirected(url, location)
        note("redirected to {url}", url=plain_url(there))
        if response.status == 303 or (response.status in {301, 302} and method == "POST"):
            method, body = ("HEAD" if method == "HEAD" else "GET"), b""
    last = log.redactor.text(plain_url(there))[:200]
    times = f"{options.max_redirects} redirect{'s' if options.max_redirects > 1 else ''}"
    raise ProbeError(ReasonCode.STATUS, f"more than {times}, the last to {last}", str(response.status))


async def _signed_in(
    method: str, url: str, body: bytes, options: Options, more: dict[str, str], *, own: bool
) -> HttpResponse:
    """`_ask`, and once more when the server wants us to sign in, or does not take our token any more."""
    if not own or (options.oauth2 is None and options.auth == "basic"):
        return await _ask(method, url, body, options, more, own=own)
    token = options.token
    used = token.text
    signed = {"Authorization": await bearer(options.oauth2, token, options)} if options.oauth2 else {}
    response = await _ask(method, url, body, options, more | signed, own=own)
    if response.status != UNAUTHORIZED:
        return response
    there = known_web_address(url)
    if options.oauth2 is None:
        challenge = response.headers.get("www-authenticate", "")
        answer = digest(challenge, there.user, there.password, method, there.path)
    else:
        token.ends_at = 0.0
        answer = await bearer(options.oauth2, token, options) if used == token.text else ""
    if not answer:
        return response
    response.close()
    return await _ask(method, url, body, options, more | {"Authorization": answer}, own=own)


async def _ask(
    method: str, url: str, body: bytes, options: Options, more: dict[str, str], *, own: bool
) -> HttpResponse:
    """One request and the head of its answer. `own`: this is the site that the operator's header fields are meant for; `more`
    are fields of this look alone.
    """
    name = tools().user_agent
    request = options.requests.get((method, url, name)) if own and not more else None
    if request is None:
        request = _request(method, known_web_address(url), body, options, name, more, own=own)
        if own and not more:
            if len(options.requests) >= REQUESTS_MAX:
                options.requests.clear()
            options.requests[method, url, name] = request
    response = await exchange(request)
    note(
        "{method} {url} answered {status} {phrase}",
        method=method,
        url=request.url,
        status=response.status,
        phrase=response.phrase,
    )
    if response.status == PROXY_AUTHENTICATION_REQUIRED and request.way.forward:
        response.close()
        raise Unknowable(f"the proxy {request.way.proxy} wants another user or password", "permission")
    return response


def _request(
    method: str, target: TargetAddress, body: bytes, options: Options, name: str, more: dict[str, str], *, own: bool
) -> HttpRequest:
    fields = _fields(target, options if own else Options(), options.matches and method != "HEAD", name) | more
    secure, path = target.scheme == "https", target.path
    way = web_way(options, secure, target.host, target.port)
    proxy = way.proxy
    if proxy is not None and proxy.scheme == "http" and not secure:
        way, path = replace(way, forward=True), plain_url(target)
        if proxy.authorization:
            fields["Proxy-Authorization"] = proxy.authorization
    return HttpRequest(
        method,
        plain_url(target),
        secure,
        target.host,
        target.port,
        request_bytes(method, path, fields, body),
        options.verify_tls,
        way if own else way.elsewhere(),
    )


def _fields(target: TargetAddress, options: Options, wants_body: bool, name: str) -> dict[str, str]:
    name_only = (
        options.server_name or target.host.partition("%")[0]
    )  # the zone of an address means something to this host only
    host = f"[{name_only}]" if ":" in name_only else name_only
    ordinary = target.port == (443 if target.scheme == "https" else 80)
    fields = {} if "host" in options.has else {"Host": host if ordinary else f"{host}:{target.port}"}
    if "user-agent" not in options.has:
        fields["User-Agent"] = name
    if "accept" not in options.has:
        fields["Accept"] = "*/*"
    if "accept-encoding" not in options.has:
        fields["Accept-Encoding"] = accept_encoding() if wants_body else "identity"
    if (target.user or target.password) and options.auth == "basic" and "authorization" not in options.has:
        fields["Authorization"] = basic(target.user, target.password)
    return fields | options.sent


async def _judge(response: HttpResponse, options: Options) -> None:
    """Raises `ProbeError` when the status or the body is not healthy."""
    if not options.healthy(response.status):
        quoted = log.redactor.text(response.phrase)[:80]  # it may quote what we sent
        phrase = f" {quoted}" if quoted and quoted.isprintable() else ""
        text = f"answered {response.status}{phrase}; healthy is {options.window}"
        raise ProbeError(ReasonCode.STATUS, text, str(response.status))
    for name, expression in options.header_match.items():
        value = response.headers.get(name.lower())
        if value is None:
            raise ProbeError(ReasonCode.MATCH, f"the answer has no header field {name}")
        if not await found(expression, value):
            raise ProbeError(ReasonCode.MATCH, f"the header field {name} does not have what it must have: {expression}")
    if not options.matches:
        return
    body = await response.read(options.body_max)
    text = text_of(body, response.headers.get("content-type", ""))
    if options.dead_match and await found(options.dead_match, text):
        raise ProbeError(ReasonCode.MATCH, f"the body has what it must not have: {options.dead_match}")
    if options.healthy_match and not await found(options.healthy_match, text):
        raise ProbeError(ReasonCode.MATCH, f"the body does not have what it must have: {options.healthy_match}")
    if options.json_values:
        await judge(text, options.json_values, whole=len(body) < options.body_max)


def _earlier(known: Ending, response: HttpResponse, options: Options) -> Ending:
    """The certificate on the way that ends first; none when nobody wants to know."""
    if not options.certificate_sick_days or response.certificate is None:
        return known
    found = first_ending(response.chain())
    return found if not known.at or found.at < known.at else known
