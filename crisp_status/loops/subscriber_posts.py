"""Subscribers that are told by a POST: push services of browsers, web hooks, channels of Slack.

All of these addresses are strangers', so only public ones are connected to, and nothing of what they answer is quoted.
"""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from crisp_status.channels import ChannelError, Http, json_bytes, push, redact, shorten, slack, webhook
from crisp_status.loops.subscriber_ways import Rejected
from crisp_status.messages import subscriber_mail
from crisp_status.net import public_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.channels import ChannelAnswer
    from crisp_status.core.model import State
    from crisp_status.core.subscriber_records import Bulletin, Subscriber
    from crisp_status.loops.subscriber_ways import BulletinTexts
    from crisp_status.messages.bulletin_texts import BulletinText

PUSH_SECONDS: Final = 86400
"""How long a push service keeps a message for a device that is off."""

POST_SECONDS: Final = 10.0
"""For one step of a POST to a subscriber: the others wait meanwhile."""

ADDRESS_MAX: Final = 2048


class PushWay:
    """Web Push to a browser (RFC 8030, 8291, 8292)."""

    def __init__(self, texts: BulletinTexts, http: Http) -> None:
        self._texts = texts
        self._http = http

    async def send(self, bulletin: Bulletin, said: BulletinText, id: int, subscriber: Subscriber) -> None:
        """Send a bulletin."""
        message = {
            "id": f"{bulletin.id}",
            "title": shorten(said.headline, 120),
            "body": shorten("\n".join(said.sentences), push.BODY_MAX),
            "url": said.url,
            "tag": f"incident-{bulletin.incident}" if bulletin.incident else f"bulletin-{bulletin.id}",
            "at": int(bulletin.at * 1000),
        }
        await self.post(subscriber, message, urgent=said.look == "dead")

    async def send_link(self, subscriber: Subscriber, token: str, state: State) -> None:
        """Nobody confirms a push subscription by a link."""
        raise Rejected("a browser has confirmed by itself", "gone")

    async def post(self, subscriber: Subscriber, message: Mapping[str, Any], *, urgent: bool = False) -> None:
        """Send this to the browser. Raises `Rejected`."""
        # Cryptography is imported for the first message: few have this channel, all pay for a slow start.
        from crisp_status.channels._webpush import authorization, encrypt

        http, keys = self._http, self._http.push_keys
        if keys is None:
            raise ChannelError("there is no key for push messages")
        p256dh, _, auth = subscriber.secret.partition(" ")
        try:
            push.check_endpoint(subscriber.address)
            body = encrypt(json_bytes(message), p256dh, auth)
        except ValueError:
            raise Rejected("the subscription cannot be used", "gone") from None
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(PUSH_SECONDS),
            "Urgency": "high" if urgent else "normal",
            "Authorization": authorization(keys, subscriber.address, http.clock.now()),
        }
        await _posted(http, subscriber.address, body, headers, gone=(404, 410))

    async def rest(self) -> None:
        """Every message has a connection of its own."""


class HookWay:
    """A signed web hook, as Standard Webhooks says."""

    def __init__(self, texts: BulletinTexts, http: Http) -> None:
        self._texts = texts
        self._http = http

    async def send(self, bulletin: Bulletin, said: BulletinText, id: int, subscriber: Subscriber) -> None:
        """Send a bulletin."""
        info = self._texts.info
        value = {
            "type": said.event,
            "timestamp": datetime.fromtimestamp(bulletin.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": {
                "page": {"name": info.name, "url": info.url},
                "title": said.headline,
                "text": shorten("\n".join(said.sentences), 4000),
                "url": said.url,
                "incident": bulletin.incident or None,
                "services": [name for name in bulletin.services if name != "*"],
            },
        }
        await self.post(subscriber, f"bulletin-{bulletin.id}-{id}", value)

    async def send_link(self, subscriber: Subscriber, token: str, state: State) -> None:
        """Nobody confirms a web hook by a link."""
        raise Rejected("a web hook is asked with a challenge", "gone")

    async def challenge(self, subscriber: Subscriber, word: str) -> bool:
        """Whether the server of that address answers as whoever reads what is sent there."""
        value = {"type": "challenge", "challenge": word}
        try:
            answer = await self.post(subscriber, f"challenge-{word[:16]}", value)
        except Rejected:
            return False
        return hmac.compare_digest(_answered(answer.text).encode(), word.encode())

    async def post(self, subscriber: Subscriber, id: str, value: Mapping[str, Any]) -> ChannelAnswer:
        """Send this. Raises `Rejected`."""
        body, sent = json_bytes(value), str(int(self._http.clock.now()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": sent,
            "webhook-signature": webhook.standard_signature(subscriber.key, id, sent, body),
        }
        return await _posted(self._http, subscriber.address, body, headers, gone=(410,))

    async def rest(self) -> None:
        """Every message has a connection of its own."""


class SlackWay:
    """Incoming web hooks of Slack and of what takes the same."""

    def __init__(self, texts: BulletinTexts, links: subscriber_mail.Addresses, http: Http) -> None:
        self._texts = texts
        self._links = links
        self._http = http

    async def send(self, bulletin: Bulletin, said: BulletinText, id: int, subscriber: Subscriber) -> None:
        """Send a bulletin."""
        t = self._texts.locale(subscriber.language)
        manage = f"<{self._links.manage(id)}|{slack.escape(t.gettext('Choose what you get'))}>"
        lines = [f"*{slack.escape(said.headline)}*", *map(slack.escape, said.sentences)]
        lines.append(f"<{said.url}|{slack.escape(said.button)}>  {manage}")
        await self._post(subscriber, lines)

    async def send_link(self, subscriber: Subscriber, token: str, state: State) -> None:
        """Send the link to confirm into the channel."""
        t = self._texts.locale(subscriber.language)
        mail = subscriber_mail.question(subscriber, token, self._texts.info, self._links, self._texts.names(state), t)
        button = slack.escape(t.gettext("Yes, write to me"))
        await self._post(subscriber, [slack.escape(mail.subject), f"<{self._links.confirm(token)}|{button}>"])

    async def _post(self, subscriber: Subscriber, lines: list[str]) -> None:
        body = json_bytes({"text": "\n".join(lines)})
        await _posted(self._http, subscriber.address, body, {"Content-Type": "application/json"}, gone=(404, 410))

    async def rest(self) -> None:
        """Every message has a connection of its own."""


def checked_url(text: str, reachable: public_address.Reachable) -> str:
    """A stranger's web address as it was typed. Raises `ValueError` for what nothing may be sent to."""
    text = text.strip()
    parts = urlsplit(text)
    plain = parts.scheme == "https" or (parts.scheme == "http" and reachable("127.0.0.1"))
    if not plain or not parts.hostname or "@" in parts.netloc or (parts.port or 1) <= 0:
        raise ValueError("not a web address")
    if len(text) > ADDRESS_MAX or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("not a web address")
    public_address.refuse_private_literal(text, reachable)
    return text


async def _posted(
    http: Http, url: str, body: bytes, headers: Mapping[str, str], *, gone: tuple[int, ...]
) -> ChannelAnswer:
    """POST it; any 2xx is a yes. Raises `Rejected`: each of these addresses is its own receiver."""
    try:
        answer = await http.post(url, body, headers, of_stranger=True)
    except ChannelError as error:
        raise Rejected(error.text, "later", error.retry_after) from None
    if 200 <= answer.status < 300:
        return answer
    outcome = "gone" if answer.status in gone else "later"
    raise Rejected(f"{redact(url)} answered {answer.status}", outcome, answer.retry_after)


def _answered(text: str) -> str:
    """What a server answered to a challenge: the word itself, or `{"challenge": word}`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    found = value.get("challenge") if isinstance(value, dict) else value
    return found if isinstance(found, str) else text.strip()
