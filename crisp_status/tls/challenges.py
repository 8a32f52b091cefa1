"""What an authority may ask of us at this moment, to see that a domain is ours. Written by the worker, read by the loop."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Literal

from crisp_status.tls import keypair

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

Kind = Literal["http-01", "tls-alpn-01"]

PATH: Final = "/.well-known/acme-challenge/{token}"
"""Where http-01 is asked."""


class Challenges:
    """Open challenges of all orders. Single steps on dictionaries, so that threads need no lock."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.asked = 0
        """How often an authority, or somebody else, fetched a known token."""

    def answer(self, token: str) -> str | None:
        """What http-01 expects under that token; None: nothing like that is open."""
        found = self._tokens.get(token)
        self.asked += found is not None
        return found

    def context(self, domain: str) -> ssl.SSLContext | None:
        """What tls-alpn-01 expects for that domain; None: nothing like that is open."""
        return self._contexts.get(domain)

    @contextlib.contextmanager
    def presented(self, kind: Kind, domain: str, token: str, key_authorization: str, now: float) -> Iterator[None]:
        """Answer a challenge for as long as this lasts."""
        if kind == "http-01":
            self._tokens[token] = key_authorization
        else:
            pair = keypair.challenge(domain, key_authorization, now)
            self._contexts[domain] = keypair.context(pair, (keypair.CHALLENGE_PROTOCOL,))
        try:
            yield
        finally:
            self._tokens.pop(token, None)
            self._contexts.pop(domain, None)
