"""Web hooks of visitors: nothing is sent to a server that did not answer a challenge."""

from __future__ import annotations

import secrets
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from crisp_status.api.submit import CommandEngine, submit
from crisp_status.config.visitor_address import checked_address
from crisp_status.core.subscriber_events import SubscriberAdded
from crisp_status.core.subscriber_records import Subscriber
from crisp_status.http.error_responses import Refused
from crisp_status.loops.subscriber_posts import checked_url
from crisp_status.messages import subscriber_links

if TYPE_CHECKING:
    from crisp_status.loops.subscriber_posts import HookWay
    from crisp_status.net.public_address import Reachable

SECRET_BYTES: Final = 32
"""Of the key that signs a web hook; Standard Webhooks wants 24 to 64."""


class HookChallenges:
    """Asks servers whether they want what they are to get."""

    def __init__(self, engine: CommandEngine, key: bytes, reachable: Reachable) -> None:
        """`key` makes the ids; `reachable` says which addresses of strangers may be used."""
        self._engine = engine
        self._key = key
        self._reachable = reachable
        self._hook: HookWay | None = None

    def configure(self, hook: HookWay) -> None:
        """Send by this from now on."""
        self._hook = hook

    async def subscribe(self, url: str, owner: str, services: str, language: str) -> Subscriber | None:
        """Ask a server, and keep it; None: it did not answer. Raises `ValueError` when nothing may be sent there."""
        address = checked_url(url, self._reachable)
        mailbox = checked_address(owner) if owner else ""
        secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        secret = f"{secret} {mailbox}" if mailbox else secret
        new = Subscriber("webhook", address, 0.0, services, language, secret=secret)
        if not await self.answers(new):
            return None
        id = subscriber_links.subscriber_id(self._key, new.kind, new.address)
        await submit(self._engine, SubscriberAdded(id=id, subscriber=new), Refused(409, "There are too many."))
        return new

    async def answers(self, subscriber: Subscriber) -> bool:
        """Whether a server answers a challenge."""
        return self._hook is not None and await self._hook.challenge(subscriber, secrets.token_urlsafe(24))
