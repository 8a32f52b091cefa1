"""How we tell people: the contract of a channel, its one error, and HTTP as channels need it.

A channel is one file here; its name is the `type` of a notifier. It has

    class Options(NotifierOptions): …                                      # its keys in the TOML file
    def targets(state: State) -> Mapping[str, Device]                      # whom it addresses one by one, if anybody
    async def send(notice: Notice, options: Options, http: Http) -> str    # a short answer for the log

`send` either returns after the receiver said yes, or raises `ChannelError`. It only maps fields: the notice is worded,
the caller retries, waits, logs and remembers. `webhook.py` is the copy for machines: the same, with a `Hook`.
`ChannelKind` and `EndsRepeats` are the contract in types; mypy compares every kind with them.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, Self, TypeVar, runtime_checkable
from urllib.parse import urlsplit

import aiohttp
from aiohttp.resolver import ThreadedResolver
from pydantic import AfterValidator, SecretStr

from crisp_status import __version__, log
from crisp_status.config.strict import Strict
from crisp_status.net import public_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.channels._webpush import PushKeys
    from crisp_status.clock import Clock
    from crisp_status.core.model import State
    from crisp_status.core.notice import Device

STEP_SECONDS: Final = 25.0
"""Time for one step: to connect, and for each answer. Standard Webhooks asks senders to wait 15 to 30."""

ANSWER_BYTES_MAX: Final = 4096
"""Of an answer we read no more: it is quoted in an error line, never used otherwise."""

BODY_SECONDS: Final = 1.0
"""… and wait no longer for it."""

RETRY_AFTER_MAX: Final = 3600.0
"""A receiver may ask us to wait an hour at most: longer is a mistake, and alerts are waiting."""

QUOTE_MAX: Final = 160
"""Characters of an answer that an error line quotes."""

PASSING: Final = frozenset({408, 425, 429})
"""Client errors (4xx) that mean *not now*; every other one means *not like this*."""


NoticeT_contra = TypeVar("NoticeT_contra", contravariant=True)
OptionsT = TypeVar("OptionsT", bound=Strict)


class ChannelKind(Protocol[NoticeT_contra, OptionsT]):
    """A module of this room, with what it sends and the `Options` that it defines itself."""

    @property
    def Options(self) -> type[OptionsT]:  # noqa: N802 - the name of a class of the module
        """The keys of an entry of its `type`."""

    def targets(self, state: State, /) -> Mapping[str, Device]:
        """What a message may name as its target, by id: each gets a message of its own. Empty: one reaches all at once."""

    async def send(self, notice: NoticeT_contra, options: OptionsT, http: Http, /) -> str:
        """Send it once; the receiver's yes in a few words. Raises `ChannelError`."""


@runtime_checkable
class EndsRepeats(Protocol):
    """A channel whose receiver repeats a message by itself until somebody confirms it."""

    async def acknowledged(self, incident: int, page_name: str, options: Any, http: Http, /) -> str:
        """End the repeats of an incident. Raises `ChannelError`."""


def all_at_once(state: State) -> Mapping[str, Device]:
    """The `targets` of a channel that reaches everybody with one message."""
    return {}


class ChannelError(Exception):
    """The receiver did not say yes.

    `text` is a sentence for the operator without secrets. `permanent`: the receiver refused it, so that the same message
    is tried again only rarely, until somebody mends what is wrong. `retry_after`: seconds that the receiver asked us to
    wait, 0 when it did not say. `done`: targets within the notifier that did say yes in this attempt. `gone`: the target
    does not exist any more and is to be forgotten. `final`: the receiver itself does not exist any more (410).
    """

    def __init__(
        self,
        text: str,
        permanent: bool = False,
        retry_after: float = 0.0,
        *,
        done: tuple[str, ...] = (),
        gone: bool = False,
        final: bool = False,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.permanent = permanent
        self.retry_after = retry_after
        self.done = done
        self.gone = gone
        self.final = final


class RecipientsRefused(ChannelError):
    """A mail server took the sender and none of the recipients."""


@dataclass(frozen=True)
class ChannelAnswer:
    """What came back; `text` is the start of the body."""

    status: int
    text: str
    retry_after: float = 0.0


class Http:
    """One HTTP session for all channels. Make it inside the running loop and `close` it.

    No cookies, no redirects, no connection kept, `timeout` seconds to connect and as many for the answer, of which only
    the start is read: a receiver can hold up nothing but its own message.
    """

    push_keys: PushKeys | None = None
    """What signs requests to push services; None while nobody has a device."""

    def __init__(
        self,
        clock: Clock,
        timeout: float = STEP_SECONDS,
        reachable: public_address.Reachable = public_address.is_public,
    ) -> None:
        """`reachable` says to which addresses of strangers requests may go (see `post`)."""
        self.clock = clock
        self.timeout = timeout
        """Seconds for one step, also in channels that do not speak HTTP."""
        connected = aiohttp.TraceConfig()
        connected.on_connection_create_end.append(self._is_connected)
        # The resolver is named because aiohttp takes c-ares by itself when it is installed.
        self._session = _session(
            aiohttp.TCPConnector(resolver=ThreadedResolver(), force_close=True, limit=0), connected
        )
        self._strangers = _session(public_address.connector(reachable), connected)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()
        await self._strangers.close()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        ca_file: str | None = None,
        *,
        of_stranger: bool = False,
        method: str = "POST",
    ) -> ChannelAnswer:
        """POST once, or by another `method`, and return any answer, whatever its status. Raises `ChannelError` when none came.

        `ca_file`: PEM file of the authorities that may have signed the receiver's certificate; None: the system's.
        `of_stranger`: the URL came over HTTP and not from the configuration, so only public addresses are connected to.
        """
        where = redact(url)
        session = self._strangers if of_stranger else self._session
        trust = _trusting(ca_file) if ca_file else True
        try:
            async with asyncio.timeout(self.timeout) as limit:
                response = await session.request(
                    method, url, data=body, headers=headers, allow_redirects=False, ssl=trust, trace_request_ctx=limit
                )
        except TimeoutError:
            raise ChannelError(f"no answer from {where} within {self.timeout:g} s") from None
        except aiohttp.InvalidURL:
            raise ChannelError(f"{where} is not a valid address", permanent=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ChannelError(_in_words(error, where)) from None
        except ValueError:
            raise ChannelError(f"{where} is not a valid address", permanent=True) from None
        try:
            text = await _start_of(response)
        finally:
            response.close()
        retry_after = parse_retry_after(response.headers.get("Retry-After", ""), self.clock.now())
        return ChannelAnswer(response.status, text, retry_after)

    async def _is_connected(self, _session: object, request: SimpleNamespace, _params: object) -> None:
        """From now on the answer has its own time."""
        request.trace_request_ctx.reschedule(asyncio.get_running_loop().time() + self.timeout)


def _trusting(ca_file: str) -> ssl.SSLContext:
    """TLS that trusts what that file names and nobody else. Raises `ChannelError`."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ChannelError(f"ca_file {ca_file} cannot be read: {error.strerror or error}") from None


def _session(connector: aiohttp.TCPConnector, trace: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # The limit is that of `Http.post`; aiohttp's own would count only parts of a request.
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trace_configs=[trace],
        headers={"User-Agent": f"crisp-status/{__version__}", "Accept-Encoding": "identity"},
    )


async def _start_of(response: aiohttp.ClientResponse) -> str:
    """The start of the body. The status has come already, so a body that breaks off changes nothing."""
    got = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(got) < ANSWER_BYTES_MAX and (chunk := await response.content.read(ANSWER_BYTES_MAX - len(got))):
                got += chunk
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return got.decode("utf-8", "replace")


def is_permanent(status: int) -> bool:
    """Whether an HTTP status is a refusal, as opposed to a failure that passes by itself."""
    return 400 <= status < 500 and status not in PASSING


def refusal(answer: ChannelAnswer, where: str, hint: str = "") -> ChannelError:
    """The error for an answer that is not a yes."""
    said = quote(answer.text)
    text = f"{where} answered {answer.status}" + (f": {said}" if said else "") + (f" ({hint})" if hint else "")
    return ChannelError(text, is_permanent(answer.status), answer.retry_after, final=answer.status == 410)


def quote(text: str, limit: int = QUOTE_MAX) -> str:
    """Foreign text on one line, without control characters, cut at `limit` characters."""
    # A receiver may quote what we sent; the cut must not leave half of a secret.
    line = " ".join("".join(c if c.isprintable() else " " for c in log.redactor.text(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shorten(text: str, limit: int) -> str:
    """Our own text, cut at `limit` characters with an ellipsis; new lines stay."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def redact(url: str) -> str:
    """Scheme, host and port of an address. The rest of a hook's address is a secret."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or "?"
    except ValueError:
        return "the address"
    return f"{parts.scheme}://[{host}]{port}" if ":" in host else f"{parts.scheme}://{host}{port}"


def parse_retry_after(value: str, now: float) -> float:
    """Seconds to wait by a Retry-After header (RFC 9110 section 10.2.3): a number or a date; 0 when it says nothing."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        # A thousand digits are a number too; nine of them are more than the limit anyway.
        return min(float(value[:9]), RETRY_AFTER_MAX)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return min(max(seconds, 0.0), RETRY_AFTER_MAX)


def _in_words(error: Exception, where: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the address of {where} was not found: {error.os_error.strerror or 'no such name'}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {where} is not valid: {quote(certificate_trouble(error.certificate_error))}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {where}: {quote(error.os_error.strerror or str(error.os_error))}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return f"{where} closed the connection without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{where} did not answer in HTTP"
    return f"the connection to {where} broke: {type(error).__name__}"


def certificate_trouble(error: Exception) -> str:
    """What is wrong with a certificate, without OpenSSL's prefix."""
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)


def _web_address(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not value.get_secret_value().isprintable() or " " in value.get_secret_value():
        raise ValueError("expected a web address such as https://hooks.example.com/…")
    return value


HookUrl = Annotated[SecretStr, AfterValidator(_web_address)]
"""A web address that is itself a secret; errors never quote it."""


def json_bytes(value: Any) -> bytes:
    """JSON exactly as `JSON.stringify` writes it: no spaces, no escapes that are not needed (PROTOCOLS section 5.2)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
