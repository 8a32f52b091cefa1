"""`http://` and `https://` are healthy when the status of the answer lies in the window and the body, if matched, fits.

Each look opens a new connection: it meets what a new visitor meets. Redirects are not followed unless asked for: a 3xx
lies inside the default window and is healthy.
"""

from __future__ import annotations

import functools
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Annotated, Final, Literal
from urllib.parse import quote, urljoin

from pydantic import Field, SecretStr, field_validator, model_validator

from crisp_status import log
from crisp_status.config.addresses import PLAIN
from crisp_status.config.strict import Strict
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.net import plain_http as plainhttp
from crisp_status.net.certificate import Certificate, day, iso
from crisp_status.net.contract import now
from crisp_status.net.http_message import HttpAnswer, Question, written
from crisp_status.net.match import compiled, found
from crisp_status.net.target import TargetAddress, apart
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, Reading, Unknowable, note

SCHEMES = ("http", "https")

REDIRECTS_MAX = 5
"""Hops; whoever needs more is lost in a loop."""

ASKED_MAX = 10_000
"""Questions kept for one set of options; a node has as many replicas, and redirects may vary."""

DAY = 86_400.0

REDIRECTS = {301, 302, 303, 307, 308}
HEAD_REFUSED = {405, 501}
"""Servers that know no HEAD; they are asked again with GET, once."""

Method = Literal["HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
WITH_BODY = {"POST", "PUT", "PATCH"}

WRITTEN_AS_IS = re.compile(r"[A-Za-z0-9/._~-]*")
"""Paths without anything to encode: nearly all."""

FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OWN_FIELDS = {"content-length", "transfer-encoding", "connection"}
"""Header fields that frame a request: they are ours to write."""

Status = Annotated[int, Field(ge=100, le=600)]


class Options(Strict):
    """The table `[services.nodes.http]`."""

    method: Method | None = None
    """Default: HEAD, or GET when a body is matched."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Header fields to send; on a redirect to another site they are left out."""
    body: SecretStr | None = None
    """Sent with POST, PUT or PATCH."""
    follow_redirects: bool = False
    """Go where a redirect points, at most five times, and judge the last answer."""
    verify_tls: bool = True
    """Refuse certificates that a browser would refuse."""
    certificate_sick_days: Annotated[float, Field(ge=0, le=3650)] = 0
    """Sick when the certificate ends within so many days; 0: never."""
    healthy_above: Status = 200
    """Lowest healthy status, itself included."""
    healthy_below: Status = 400
    """Lowest status above that is not healthy any more."""
    healthy_match: str = ""
    """Regular expression that must be found in the body."""
    dead_match: str = ""
    """Regular expression that must not be found in the body."""

    @field_validator("headers")
    @classmethod
    def _fields(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not FIELD_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header field")
            if name.lower() in OWN_FIELDS:
                raise ValueError(f"{name} is written by the probe itself")
            if any(character in value.get_secret_value() for character in "\r\n\0"):
                raise ValueError(f"the value of {name} has a line break")
        return headers

    @field_validator("healthy_match", "dead_match")
    @classmethod
    def _expression(cls, expression: str) -> str:
        try:
            compiled(expression)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return expression

    @model_validator(mode="after")
    def _together(self) -> Options:
        if self.healthy_above >= self.healthy_below:
            raise ValueError("healthy_above must be less than healthy_below: healthy_above <= status < healthy_below")
        if self.body is not None and self.method not in WITH_BODY:
            raise ValueError("a body is sent with method POST, PUT or PATCH only; set one of them")
        if self.method == "HEAD" and self.matches:
            raise ValueError("HEAD has no body to match; use GET")
        return self

    @property
    def matches(self) -> bool:
        """Whether the body is looked at."""
        return bool(self.healthy_match or self.dead_match)

    @functools.cached_property
    def sent(self) -> dict[str, str]:
        """The header fields in the clear."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    @functools.cached_property
    def asked(self) -> dict[tuple[str, str, str], Question]:
        """Questions by method, address and our name, made once for the many looks that ask them."""
        return {}

    @functools.cached_property
    def has(self) -> frozenset[str]:
        """Names of the header fields that the operator set, in lower case."""
        return frozenset(name.lower() for name in self.headers)


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    if not (target.startswith(("http://", "https://")) and PLAIN.fullmatch(target)):
        _askable(target)


async def probe(target: str, options: Options) -> Reading:
    """Ask, go after redirects if wanted, judge the status, the body and the certificate."""
    method = options.method or ("GET" if options.matches else "HEAD")
    body = options.body.get_secret_value().encode() if options.body is not None else b""
    origin = _known(target)
    url, there, own = target, origin, True
    ends_at = 0.0
    for _ in range(REDIRECTS_MAX + 1):
        answer = await _ask(method, url, body, options, own)
        if (
            answer.status in HEAD_REFUSED
            and method == "HEAD"
            and options.method is None
            and not _inside(answer, options)
        ):
            method = "GET"
            answer = await _ask(method, url, body, options, own)
        ends_at = _earlier(ends_at, answer, options)
        location = answer.headers.get("location", "")
        if not (options.follow_redirects and answer.status in REDIRECTS and location):
            _judge(answer, options)
            return _reading(ends_at, options)
        url, there = _redirected(url, location)
        note("redirected to {url}", url=_plain_url(there))
        own = there[:3] == origin[:3]
        if answer.status == 303 or (answer.status in {301, 302} and method == "POST"):
            method, body = ("HEAD" if method == "HEAD" else "GET"), b""
    last = log.redactor.text(_plain_url(there))[:200]
    raise ProbeError("status", f"more than {REDIRECTS_MAX} redirects, the last to {last}", str(answer.status))


async def _ask(method: str, url: str, body: bytes, options: Options, own: bool) -> HttpAnswer:
    """One question; `own` says whether the operator's header fields are meant for this site."""
    name = tools().user_agent
    question = options.asked.get((method, url, name)) if own else None
    if question is None:
        question = _question(method, _known(url), body, options, own, name)
        if own:
            if len(options.asked) >= ASKED_MAX:
                options.asked.clear()
            options.asked[method, url, name] = question
    answer = await (tools().client.exchange(question) if question.wants_body else plainhttp.exchange(question))
    note(
        "{method} {url} answered {status} {phrase}",
        method=method,
        url=question.url,
        status=answer.status,
        phrase=answer.phrase,
    )
    return answer


def _question(method: str, target: TargetAddress, body: bytes, options: Options, own: bool, name: str) -> Question:
    wants_body = options.matches and method != "HEAD"
    fields = _fields(target, options if own else Options(), wants_body, name)
    return Question(
        method,
        _plain_url(target),
        target.scheme == "https",
        target.host,
        target.port,
        target.path,
        fields,
        body,
        options.verify_tls,
        wants_body,
        written(method, target.path, fields, body),
    )


def _fields(target: TargetAddress, options: Options, wants_body: bool, name: str) -> dict[str, str]:
    name_only = target.host.partition("%")[0]  # the zone of an address means something to this host only
    host = f"[{name_only}]" if ":" in name_only else name_only
    ordinary = target.port == (443 if target.scheme == "https" else 80)
    fields = {} if "host" in options.has else {"Host": host if ordinary else f"{host}:{target.port}"}
    if "user-agent" not in options.has:
        fields["User-Agent"] = name
    if "accept" not in options.has:
        fields["Accept"] = "*/*"
    if "accept-encoding" not in options.has:
        fields["Accept-Encoding"] = "gzip, deflate" if wants_body else "identity"
    if (target.user or target.password) and "authorization" not in options.has:
        fields["Authorization"] = _basic(target.user, target.password)
    return fields | options.sent


def _basic(user: str, password: str) -> str:
    from base64 import b64encode

    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _inside(answer: HttpAnswer, options: Options) -> bool:
    return options.healthy_above <= answer.status < options.healthy_below


def _judge(answer: HttpAnswer, options: Options) -> None:
    """Raises `ProbeError` when the status or the body is not healthy."""
    if not _inside(answer, options):
        said = log.redactor.text(answer.phrase)[:80]  # it may quote what we sent
        phrase = f" {said}" if said and said.isprintable() else ""
        window = f"{options.healthy_above} to {options.healthy_below - 1}"
        raise ProbeError("status", f"answered {answer.status}{phrase}; healthy is {window}", str(answer.status))
    if not options.matches:
        return
    text = answer.body.decode(_charset(answer), "replace")
    if options.dead_match and found(options.dead_match, text):
        raise ProbeError("match", f"the body has what it must not have: {options.dead_match}")
    if options.healthy_match and not found(options.healthy_match, text):
        raise ProbeError("match", f"the body does not have what it must have: {options.healthy_match}")


_CODECS: Final = frozenset(name for name in aliases.values() if not name.endswith("_codec")) - {"mbcs", "rot_13"}
_CHARSETS: Final = _CODECS | {"cp874", "koi8_u", "utf_8_sig"}
"""What is read as text. Not found by trying: Python remembers every name that it was asked for, and some of its codecs
are not for pages: `idna` raises, `punycode` stops the process for half a minute over a megabyte."""


def _charset(answer: HttpAnswer) -> str:
    """The codec for the charset that the target names; UTF-8 when it names none, or none of a page."""
    named = re.search(r"charset=\"?([\w.:-]{1,40})", answer.headers.get("content-type", ""), re.IGNORECASE)
    name = normalize_encoding(named[1]).lower() if named else ""
    name = aliases.get(name, name)
    return name if name in _CHARSETS else "utf-8"


def _earlier(ends_at: float, answer: HttpAnswer, options: Options) -> float:
    """When the first of the certificates on the way ends; 0 when nobody wants to know."""
    if not options.certificate_sick_days or answer.certificate is None:
        return ends_at
    try:
        ends = Certificate.read(answer.certificate).ends_at
    except ValueError as error:
        raise ProbeError("certificate", "the certificate cannot be read") from error
    return min(ends_at, ends) if ends_at else ends


def _reading(ends_at: float, options: Options) -> Reading:
    at = now()
    if not ends_at or ends_at - at >= options.certificate_sick_days * DAY:
        return Reading(Health.HEALTHY, FINE)
    ended = "ended" if ends_at <= at else "ends"
    return Reading(Health.SICK, Reason("certificate", f"certificate {ended} on {day(ends_at, at)}", iso(ends_at)))


def _askable(url: str) -> TargetAddress:
    """The URL ready to be asked: encoded path, ASCII host, port. A `ValueError` says what is wrong."""
    target = apart(url)
    if target.scheme not in SCHEMES:
        raise ValueError(f"{target.scheme}:// is not HTTP")
    try:
        host = target.host if target.host.isascii() else target.host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{target.host} is not a valid host name") from None
    path = target.path
    if not WRITTEN_AS_IS.fullmatch(path):
        path = quote(path, safe="%/?:@!$&'()*+,;=~[]|-._", errors="surrogateescape")
    if not path.startswith("/"):
        path = f"/{path}"
    port = target.port or (443 if target.scheme == "https" else 80)
    return TargetAddress(target.scheme, host, port, path, target.user, target.password)


_parsed = functools.lru_cache(maxsize=65_536)(_askable)
"""The same, remembered: each look asks again."""


def _known(url: str) -> TargetAddress:
    try:
        return _parsed(url)
    except ValueError as error:
        raise Unknowable(f"the address cannot be used: {error}", "missing") from None


def _redirected(url: str, location: str) -> tuple[str, TargetAddress]:
    try:
        there = urljoin(url, location)
        return there, _parsed(there)
    except ValueError as error:
        raise ProbeError("status", f"redirected to an address that cannot be used: {error}") from None


def _plain_url(target: TargetAddress) -> str:
    """The address without user and password, for the wire, the story and the log."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{target.scheme}://{host}:{target.port}{target.path}"
