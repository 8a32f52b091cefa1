"""Which certificate a client is shown: by the name it asks for, or the challenge of an authority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.tls.keypair import CHALLENGE_PROTOCOL

if TYPE_CHECKING:
    import ssl

    from crisp_status.tls.challenges import Challenges
    from crisp_status.tls.client_hello import ClientHello
    from crisp_status.tls.keypair import KeyPair


class Contexts:
    """The certificates in force. Replacing one touches no connection: each keeps the context that it began with."""

    def __init__(self, challenges: Challenges) -> None:
        self._challenges = challenges
        self._pairs: dict[str, tuple[KeyPair, ssl.SSLContext]] = {}

    def put(self, domain: str, pair: KeyPair, context: ssl.SSLContext) -> None:
        """From now on this one is shown for that domain."""
        self._pairs[domain] = (pair, context)

    def keep(self, domains: tuple[str, ...]) -> None:
        """Only these are ours, in this order."""
        self._pairs = {domain: self._pairs[domain] for domain in domains if domain in self._pairs}

    def pair(self, domain: str) -> KeyPair | None:
        """What is shown for one of our domains."""
        found = self._pairs.get(domain)
        return found[0] if found else None

    def choose(self, hello: ClientHello) -> ssl.SSLContext | None:
        """What to go on with; None: nothing is there for such a client, who is sent away.

        Who asks for no name, or for one that is not ours, gets the first domain's: behind proxies and for monitors that
        connect by address this is the certificate they expect; others see that the name does not match.
        """
        if hello.protocols == (CHALLENGE_PROTOCOL,):
            return self._challenges.context(hello.server_name)
        found = self._pairs.get(hello.server_name)
        if found is None:
            pairs = self._pairs.values()
            found = next((p for p in pairs if p[0].covers(hello.server_name)), next(iter(pairs), None))
        return found[1] if found else None
