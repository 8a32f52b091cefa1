"""A message that is owed becomes words or a hook, and goes through its channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final


from crisp_status import kinds
from crisp_status.channels import webhook
from crisp_status.core.model import NodeWords
from crisp_status.page import links, notices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.channels import Http
    from crisp_status.channels._webpush import PushKeys
    from crisp_status.clock import Clock
    from crisp_status.config.model import Config
    from crisp_status.config.people import WebHook
    from crisp_status.config.schema import NotifierOptions
    from crisp_status.core.model import Message, State
    from crisp_status.core.notice import Notice
    from crisp_status.loops.deliver import Sender
    from crisp_status.page.info import PageInfo

ATTEMPTS_SHOWN: Final = 99
"""`X-Delivery-Attempt-Limit`: three days of retries are about this many."""


class Words:
    """Makes notices from messages, with signed links where there is an incident to act on."""

    def __init__(self, info: PageInfo, link_key: bytes, clock: Clock) -> None:
        """`link_key` signs the links; `info` names the page."""
        self.info = info
        self._key = link_key
        self._clock = clock

    def notice(self, message: Message, state: State) -> Notice:
        """The message in words."""
        now = self._clock.now()
        return notices.word(message, state, self.info, self._links(message, state, now), now, self.info.language)

    def _links(self, message: Message, state: State, now: float) -> Mapping[str, str]:
        incident = state.open.get(message.incident)
        if incident is None or incident.closed_at:
            return {}
        base = self.info.url.rstrip("/")
        return {
            purpose: f"{base}/act/{links.sign(self._key, incident.id, purpose, now + links.SECONDS)}"
            for purpose in links.PURPOSES
        }


class NotifierSender:
    """One entry of `[[notifiers]]`."""

    def __init__(self, options: NotifierOptions, words: Words, http: Http, keys: PushKeys | None) -> None:
        """Send through the channel that `options` names."""
        self._options = options
        self._channel = kinds.channels()[options.type]
        self._words = words
        self._http = http
        self._keys = keys

    async def send(self, message: Message, state: State) -> str:
        """Word it and send it."""
        http = self._http
        if self._keys is not None and self._options.type == "push":
            http = http.for_device(self._keys, state.subscriptions.get(message.target))
        return await self._channel.send(self._words.notice(message, state), self._options, http)


class HookSender:
    """One entry of `[[webhooks]]`."""

    def __init__(self, target: WebHook, info: PageInfo, http: Http) -> None:
        """Send to `target`."""
        self._target = target
        self._info = info
        self._http = http

    async def send(self, message: Message, state: State) -> str:
        """Send the page's health."""
        names = {n.key: n.name for s in state.plan.services for n in s.nodes}
        pairs = [(w.node, r) for w in _bad(message.nodes) for r in w.replicas]
        hook = webhook.Hook(
            id=message.id,
            health=message.health,
            nodes=tuple((names.get(node, node), replica) for node, replica in pairs),
            replicas=tuple(f"{node.replace('/', ':')}:{replica}" for node, replica in pairs),
            timestamp_ms=int(message.created_at * 1000),
            attempt=message.attempts + 1,
            attempt_limit=ATTEMPTS_SHOWN,
            page_name=self._info.name,
            page_url=self._info.url,
        )
        return await webhook.send(hook, self._target, self._http)


def senders(
    config: Config, info: PageInfo, link_key: bytes, clock: Clock, http: Http, keys: PushKeys | None
) -> dict[str, Sender]:
    """A sender for each notifier and web hook of the configuration, by id."""
    words = Words(info, link_key, clock)
    made: dict[str, Sender] = {o.id: NotifierSender(o, words, http, keys) for o in config.notifiers}
    made.update({h.id: HookSender(h, info, http) for h in config.webhooks})
    return made


def _bad(nodes: list[NodeWords]) -> list[NodeWords]:
    return [w for w in nodes if w.health.bad]
