"""push: Web Push to the operators' own devices (RFC 8030, 8291, 8292; PROTOCOLS section 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import Field

from crisp_status import log
from crisp_status.channels import ChannelAnswer, ChannelError, Http, json_bytes, quote, redact, refusal, shorten
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.model import Health
from crisp_status.core.notice import Device, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from crisp_status.core.model import State

TTL_SECONDS: Final = 86400
"""How long a push service keeps a message for a device that is off. A later one of the same incident replaces it."""

BODY_MAX: Final = 600
"""Characters of the text: no system shows more, and the whole must fit `PAYLOAD_MAX`."""

ENDPOINT_MAX: Final = 2048
"""Addresses of push services have 150 to 500 characters."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Options(NotifierOptions):
    """Keys of `type = "push"`."""

    operators: tuple[str, ...] = Field(min_length=1)
    """Ids of the `[[operators]]` whose devices are told."""

    @property
    def devices_of(self) -> tuple[str, ...]:
        """All of them."""
        return self.operators


def targets(state: State) -> Mapping[str, Device]:
    """Every device that subscribed."""
    return {s.id: Device(s.endpoint, s.p256dh, s.auth) for s in state.subscriptions.values()}


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Send to the one device that the notice is for; `ChannelError.gone` when the device has unsubscribed."""
    # Cryptography is imported for the first message: few have this channel, all pay for a slow start.
    from crisp_status.channels._webpush import authorization, encode, encrypt

    device = notice.target
    if http.push_keys is None or device is None:
        raise ChannelError("the device is no longer subscribed", permanent=True, gone=True)
    where = redact(device.endpoint)
    log.hide(device.endpoint, device.endpoint.partition("://")[2].partition("/")[2], device.p256dh, device.auth)
    try:
        check_endpoint(device.endpoint)
        body = encrypt(payload(notice), device.p256dh, device.auth)
    except ValueError as error:
        raise ChannelError(f"the subscription cannot be used: {error}", permanent=True, gone=True) from None
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(TTL_SECONDS),
        "Urgency": "high" if notice.health is Health.DEAD else "normal",
        "Authorization": authorization(http.push_keys, device.endpoint, http.clock.now()),
    }
    if notice.incident:
        headers["Topic"] = encode(f"incident-{notice.incident}".encode())[:32]
    answer = await http.post(device.endpoint, body, headers, of_stranger=True)
    if 200 <= answer.status < 300:
        return f"{where} answered {answer.status}"
    if answer.status in {404, 410}:
        raise ChannelError(f"{where} says that the device has unsubscribed", permanent=True, gone=True)
    # Nothing of the answer is quoted: the address came over HTTP, and its answer must not go back the same way.
    unquoted = ChannelAnswer(answer.status, "", answer.retry_after)
    raise refusal(unquoted, where, "the push key or its contact is refused" if answer.status in {401, 403} else "")


def payload(notice: Notice) -> bytes:
    """What the service worker gets to show: JSON of at most `PAYLOAD_MAX` bytes."""
    from crisp_status.channels._webpush import PAYLOAD_MAX

    message: dict[str, Any] = {
        "id": notice.id,
        "title": shorten(notice.headline, 120),
        "body": shorten("\n".join(notice.lines), BODY_MAX),
        "url": notice.url,
        "tag": notice.thread or notice.id,
        "kind": notice.kind,
        "health": notice.health.word,
        "page": shorten(notice.page_name, 100),
        "at": int(notice.created_at * 1000),
        "links": [{"label": shorten(link.label, 40), "url": link.url} for link in notice.links],
    }
    for less in ("links", "body", "url"):
        if len(json_bytes(message)) <= PAYLOAD_MAX:
            break
        message.pop(less)
    return json_bytes(message)


def check_endpoint(endpoint: str) -> None:
    """Refuse what cannot be a push service's address, with `ValueError`: https only, but for the loopback."""
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        named = bool(parts.hostname) and (parts.port or 1) > 0 and "@" not in parts.netloc
    except ValueError:
        good = named = False
    if not good or not named or len(endpoint) > ENDPOINT_MAX or not endpoint.isprintable():
        raise ValueError(f"{quote(redact(endpoint))} is not the https address of a push service")
