"""How an authority is asked: the library's network with what it lacks, and its errors as sentences for people."""

from __future__ import annotations

import contextlib
import datetime
from typing import TYPE_CHECKING, Any, Final

import requests
from acme import client, errors, messages
from josepy.errors import Error as JoseError
from josepy.jwa import ES256

from crisp_status import __version__
from crisp_status.tls import authorities
from crisp_status.tls.authorities import AuthorityError

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_SECONDS: Final = 20
"""For one answer of an authority."""

NONCES: Final = 8
"""Tries of one request whose nonce was refused. Pebble refuses one in twenty on purpose."""

RATE_LIMIT_SECONDS: Final = 3600.0
"""To wait after "too many" without a `Retry-After`."""


class AcmeNetwork(client.ClientNetwork):
    """The library's, which forgets how long an authority wants to be left alone, and gives up after two bad nonces."""

    def __init__(self) -> None:
        super().__init__(
            None,
            alg=ES256,
            verify_ssl=authorities.bundle(),  # type: ignore[arg-type]  # goes to requests, which takes a path as well
            user_agent=f"crisp-status/{__version__}",
            timeout=REQUEST_SECONDS,
        )
        self.retry_after = 0.0

    """Seconds, of the last answer that was no success."""

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        response = super()._send_request(method, url, *args, **kwargs)
        if not response.ok:
            later = client.ClientV2.retry_after(response, 0)
            self.retry_after = max(0.0, later.timestamp() - datetime.datetime.now().timestamp())  # noqa: DTZ005
            with contextlib.suppress(errors.Error):
                self._add_nonce(response)  # a refusal brings a fresh one
        return response

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Sign and send; again with another nonce when that one was refused."""
        for _ in range(NONCES):
            try:
                return self._post_once(*args, **dict(kwargs))
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        raise AuthorityError(f"the authority refused {NONCES} fresh nonces in a row, which is a fault of its own")


@contextlib.contextmanager
def sentences(name: str, network: AcmeNetwork) -> Iterator[None]:
    """Whatever goes wrong while an authority is asked, as `AuthorityError`."""
    try:
        yield
    except messages.Error as error:
        after = network.retry_after
        if error.code == "rateLimited":
            after = after or RATE_LIMIT_SECONDS
        raise AuthorityError(f"{name} refuses: {explained(error)}", retry_after=after) from error
    except requests.exceptions.SSLError as error:
        raise AuthorityError(
            f"{name} cannot be trusted: its own certificate does not check out; where it is an authority of your "
            f"own, add its root to the system's or set REQUESTS_CA_BUNDLE ({_cause(error)})"
        ) from error
    except requests.exceptions.RequestException as error:
        raise AuthorityError(f"{name} cannot be reached: {_cause(error)}") from error
    except errors.ClientError as error:
        reason = _http(error)
        raise AuthorityError(
            f"{name} does not answer as an ACME server: {reason}", retry_after=network.retry_after
        ) from error
    except (errors.Error, JoseError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise AuthorityError(f"{name} does not answer as an ACME server: {error}") from error


def explained(error: messages.Error | None) -> str:
    """An authority's own words."""
    if error is None:
        return "it does not say why"
    said = error.detail or error.title or error.description or error.typ
    more = "; ".join(str(e.detail) for e in error.subproblems or () if e.detail)
    return f"{said} ({more})" if more else str(said)


def _cause(error: BaseException) -> str:
    """The innermost reason of a failed request; the outer ones repeat addresses and object names."""
    reason: BaseException = error
    while True:
        inner = getattr(reason, "reason", None) or (reason.args[0] if reason.args else None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = str(reason).rpartition(": ")[2] if "object at 0x" in str(reason) else str(reason)
    return text or type(reason).__name__


def _http(error: errors.ClientError) -> str:
    found = error.args[0] if error.args else ""
    if isinstance(found, requests.Response):
        return f"HTTP {found.status_code}"
    return str(found) or type(error).__name__
