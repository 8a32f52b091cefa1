"""How each kind of subscriber is told: words become a mail, a push message, a web hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from crisp_status.channels import ChannelError, RecipientsRefused
from crisp_status.language.locale import Locale
from crisp_status.messages import bulletin_texts, subscriber_mail
from crisp_status.view.incident_views import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from gettext import NullTranslations

    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.core.model import State
    from crisp_status.core.subscriber_records import Bulletin, Subscriber
    from crisp_status.messages.bulletin_texts import BulletinText
    from crisp_status.view.incident_views import Names
    from crisp_status.view.page_info import PageInfo

KEPT_SECONDS: Final = 5.0
"""How long the words of a bulletin are used again for others who chose the same."""


class Rejected(Exception):
    """One subscriber was not told. `outcome`: later, bounced, gone."""

    def __init__(self, text: str, outcome: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.text = text
        self.outcome = outcome
        self.retry_after = retry_after


class SubscriberWay(Protocol):
    """One kind. What fails for one subscriber raises `Rejected`; what fails for all raises `ChannelError`."""

    async def send(self, bulletin: Bulletin, said: BulletinText, id: int, subscriber: Subscriber) -> None:
        """Send a bulletin."""

    async def send_link(self, subscriber: Subscriber, token: str, state: State) -> None:
        """Send the link to confirm."""

    async def rest(self) -> None:
        """Nothing is to be sent for now."""


class _CachedText(NamedTuple):
    text: BulletinText | None
    seen: int
    at: float


class BulletinTexts:
    """Bulletins in words, made once for all who chose the same."""

    def __init__(self, info: PageInfo, catalogues: Mapping[str, NullTranslations], clock: Clock) -> None:
        """`catalogues`: translations by language."""
        self.info = info
        self._clock = clock
        self._locales = {code: Locale(code, info.timezone, catalogues.get(code)) for code in info.languages}
        self._kept: dict[tuple[int, str, str], _CachedText] = {}

    def locale(self, language: str) -> Locale:
        """Of a subscriber; the page's when it does not speak that any more."""
        return self._locales.get(language) or self._locales[self.info.language]

    def names(self, state: State) -> Names:
        """What everything is called."""
        return names_of(state.plan)

    def of(self, bulletin: Bulletin, subscriber: Subscriber, state: State) -> tuple[BulletinText | None, int]:
        """The words, and the number of the next bulletin when they were made."""
        key, now = (bulletin.id, subscriber.services, subscriber.language), self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is None or now - kept.at > KEPT_SECONDS or kept.seen != state.audience.next_bulletin:
            said = bulletin_texts.compose(bulletin, subscriber, state, self.info, self.locale(subscriber.language))
            if len(self._kept) > 1000:
                self._kept.clear()
            kept = self._kept[key] = _CachedText(said, state.audience.next_bulletin, now)
        return kept.text, kept.seen


class MailWay:
    """By e-mail."""

    def __init__(
        self, config: Config, words: BulletinTexts, links: subscriber_mail.Addresses, clock: Clock, timeout: float
    ) -> None:
        from crisp_status.channels._mailer import SubscriberMailer  # with its library, which few starts need

        info = words.info
        self._words = words
        self._links = links
        self._clock = clock
        self._mailer = SubscriberMailer(config.subscribers, info.name, info.url, timeout)

    async def send(self, bulletin: Bulletin, said: BulletinText, id: int, subscriber: Subscriber) -> None:
        """Send a bulletin."""
        t = self._words.locale(subscriber.language)
        mail = subscriber_mail.bulletin(said, subscriber, id, self._words.info, self._links, t)
        await self._send(subscriber.address, mail, f"bulletin {bulletin.id} {id} {bulletin.at}")

    async def send_link(self, subscriber: Subscriber, token: str, state: State) -> None:
        """Send the link to confirm."""
        t = self._words.locale(subscriber.language)
        names = self._words.names(state)
        mail = subscriber_mail.question(subscriber, token, self._words.info, self._links, names, t)
        await self._send(subscriber.address, mail, f"confirm {token}")

    async def send_stopped(self, id: int, subscriber: Subscriber, host: str) -> None:
        """Say that a web hook was stopped."""
        t = self._words.locale(subscriber.language)
        mail = subscriber_mail.stopped(host, id, self._words.info, self._links, t)
        await self._send(subscriber.owner, mail, f"stopped {id}")

    async def rest(self) -> None:
        """End the conversation with the mail server."""
        await self._mailer.quit()

    async def _send(self, to: str, mail: subscriber_mail.SubscriberMail, seed: str) -> None:
        try:
            await self._mailer.send(
                to, mail.subject, mail.text, mail.html, leave=mail.leave, seed=seed, now=self._clock.now()
            )
        except RecipientsRefused as error:
            outcome = "bounced" if error.permanent else "later"
            raise Rejected(error.text.replace(to, "the address"), outcome, error.retry_after) from None
        except ChannelError as error:
            raise ChannelError(error.text.replace(to, "the address"), error.permanent, error.retry_after) from None
