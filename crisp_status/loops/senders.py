"""A message that is owed becomes words or a hook, and goes through its channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from crisp_status import kinds
from crisp_status.channels import EndsRepeats, webhook
from crisp_status.config.strict import Strict
from crisp_status.core.outbox_records import MessageKind
from crisp_status.language.catalogues import catalogues
from crisp_status.messages import action_links, compose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.channels import Http
    from crisp_status.clock import Clock
    from crisp_status.config.page import WebHook
    from crisp_status.config.root import Config
    from crisp_status.config.strict import NotifierOptions
    from crisp_status.core.model import Message, State
    from crisp_status.core.notice import Notice
    from crisp_status.loops.deliver import MessageSender
    from crisp_status.view.page_info import PageInfo

Model = TypeVar("Model", bound=Strict)

CA_FILES: Final = ("ca_file", "smtp_ca_file")

ATTEMPTS_SHOWN: Final = 99
"""`X-Delivery-Attempt-Limit`: three days of retries are about this many."""


class NoticeWriter:
    """Makes notices from messages, with signed links where there is an incident to act on."""

    def __init__(self, info: PageInfo, link_key: bytes, clock: Clock) -> None:
        """`link_key` signs the links; `info` names the page."""
        self.info = info
        self._catalogues = catalogues(info.languages)
        self._key = link_key
        self._clock = clock

    def notice(self, message: Message, state: State) -> Notice:
        """The message in words."""
        now, info = self._clock.now(), self.info
        given = self._links(message, state, now)
        return compose.compose(message, state, info, given, now, info.language, self._catalogues)

    def _links(self, message: Message, state: State, now: float) -> Mapping[str, str]:
        incident = state.open.get(message.incident)
        if incident is None or incident.closed_at:
            return {}
        base = self.info.url.rstrip("/")
        return {
            purpose: f"{base}/act/{action_links.sign(self._key, incident.id, purpose, now + action_links.SECONDS)}"
            for purpose in action_links.PURPOSES
        }


class NotifierSender:
    """One entry of `[[notifiers]]`."""

    def __init__(self, options: NotifierOptions, words: NoticeWriter, http: Http) -> None:
        """Send through the channel that `options` names."""
        self._options = options
        self._channel = kinds.channels()[options.type]
        self._words = words
        self._http = http

    async def send(self, message: Message, state: State) -> str:
        """Word it and send it. That an incident was acknowledged needs no words: it ends what a channel repeats by itself."""
        channel, options, http = self._channel, self._options, self._http
        if message.kind is MessageKind.ACKNOWLEDGED:
            if not isinstance(channel, EndsRepeats):
                return "nothing is repeated"
            return await channel.acknowledged(message.incident, self._words.info.name, options, http)
        notice = self._words.notice(message, state)
        if message.target:
            notice = msgspec.structs.replace(notice, target=channel.targets(state).get(message.target))
        return await channel.send(notice, options, http)


class HookSender:
    """One entry of `[[webhooks]]`."""

    def __init__(self, target: WebHook, info: PageInfo, http: Http) -> None:
        """Send to `target`."""
        self._target = target
        self._info = info
        self._http = http

    async def send(self, message: Message, state: State) -> str:
        """Send the page's health."""
        hook = webhook.hook_of(message, state.plan, self._info.name, self._info.url, ATTEMPTS_SHOWN)
        return await webhook.send(hook, self._target, self._http)


def senders(config: Config, info: PageInfo, link_key: bytes, clock: Clock, http: Http) -> dict[str, MessageSender]:
    """A sender for each notifier and web hook of the configuration, by id."""
    words = NoticeWriter(info, link_key, clock)
    made: dict[str, MessageSender] = {o.id: NotifierSender(_placed(o, config), words, http) for o in config.notifiers}
    made.update({h.id: HookSender(_placed(h, config), info, http) for h in config.webhooks if h.enabled})
    return made


def _placed(options: Model, config: Config) -> Model:
    """The options with files that are found wherever the daemon was started: they are named from the folder of `config`."""
    names = [name for name in CA_FILES if getattr(options, name, None) is not None]
    return options.model_copy(update={name: str(config.file(getattr(options, name))) for name in names})
