"""pushover: a message to phones through pushover.net (PROTOCOLS section 7.2)."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from html import escape
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urljoin

from pydantic import Field, SecretStr

from crisp_status.channels import (
    ChannelAnswer,
    ChannelError,
    HookUrl,
    Http,
    all_at_once,
    quote,
    redact,
    refusal,
    shorten,
)
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.notice import Notice
from crisp_status.core.outbox_records import MessageKind

MESSAGE_MAX: Final = 1024
"""Characters of a message, markup included; the service counts characters, not bytes."""

TITLE_MAX: Final = 250
URL_MAX: Final = 512
URL_TITLE_MAX: Final = 100
"""Characters that the service takes of a title, a link and the words on it."""

USERS_MAX: Final = 50
"""Users of one request."""

QUOTA_WAIT: Final = 3600.0
"""429 means that the month's messages are used up: an hour is soon enough to ask whether there are more."""

SERVICE: Final = "https://api.pushover.net/1/messages.json"

EMERGENCY, HIGH, NORMAL = 2, 1, 0

Key = Annotated[SecretStr, Field(min_length=1, max_length=64)]


class Options(NotifierOptions):
    """Keys of `type = "pushover"`."""

    app_token: Key
    """The token of your application, from pushover.net/apps/build."""
    user_keys: tuple[Key, ...] = Field(min_length=1)
    """Keys of users or groups, in the order in which reminders escalate."""
    retry: float = Field(default=60, ge=30, le=10800)
    """An escalated reminder sounds again this often until somebody confirms it; 30 seconds at least."""
    expire: float = Field(default=3600, gt=0, le=10800)
    """… and gives up after this; three hours at most."""
    api_url: HookUrl = SecretStr(SERVICE)
    """Where to send, for a proxy or a test."""


targets = all_at_once


async def send(notice: Notice, options: Options, http: Http) -> str:
    """One request for each priority and fifty users. Users that were reached are `done`, and not told again."""
    keys = [key.get_secret_value() for key in options.user_keys]
    done: list[str] = []
    errors: list[ChannelError] = []
    loop = asyncio.get_running_loop()
    deadline = loop.time() + http.timeout
    for priority, first, last in requests(notice, len(keys)):
        # Keys are secrets: a user is remembered by the place in the list.
        places = [i for i in range(first, last) if str(i) not in notice.done]
        if not places:
            continue
        fields = form(notice, options, priority) | {"user": ",".join(keys[i] for i in places)}
        try:
            if loop.time() > deadline:
                raise ChannelError("the time is up; the other users are told at the next attempt")
            await _post(fields, options.api_url.get_secret_value(), http)
        except ChannelError as error:
            errors.append(error)
        else:
            done += map(str, places)
    if not errors and notice.kind is MessageKind.RECOVERED:
        try:
            await acknowledged(notice.incident, notice.page_name, options, http)
        except ChannelError as error:
            if not error.permanent:  # whoever cannot do it, such as a proxy, need not be asked again
                raise ChannelError(
                    error.text, retry_after=error.retry_after, done=tuple(map(str, range(len(keys))))
                ) from None
    if not errors:
        return f"queued for {len(done)} of {len(keys)} users"
    raise ChannelError(
        "; ".join(dict.fromkeys(error.text for error in errors)),
        all(error.permanent for error in errors),
        max(error.retry_after for error in errors),
        done=tuple(done),
    )


def requests(notice: Notice, users: int) -> list[tuple[int, int, int]]:
    """(priority, first user, after the last user) of each request.

    Reminders are high priority for everybody. When they escalate, the first users get the emergency form, which sounds
    until it is confirmed, and the others the normal one (PROTOCOLS section 4.2).
    """
    urgent = min(notice.escalation, users) if notice.kind is MessageKind.REMINDER else 0
    rest = HIGH if notice.kind is MessageKind.REMINDER and not notice.escalation else NORMAL
    spans = [(EMERGENCY, 0, urgent), (rest, urgent, users)]
    return [
        (priority, start, min(start + USERS_MAX, end))
        for priority, first, end in spans
        for start in range(first, end, USERS_MAX)
    ]


def form(notice: Notice, options: Options, priority: int) -> dict[str, str]:
    """The fields of a request, but for the users."""
    fields = {
        "token": options.app_token.get_secret_value(),
        "title": shorten(notice.title, TITLE_MAX),
        "message": body(notice),
        "html": "1",
        "priority": str(priority),
        "timestamp": str(int(notice.created_at)),
    }
    if len(notice.url) <= URL_MAX:
        fields |= {"url": notice.url, "url_title": shorten(notice.page_name, URL_TITLE_MAX)}
    if priority == EMERGENCY and notice.incident:
        fields["tags"] = tag(notice.incident, notice.page_name)
    if priority == EMERGENCY:
        # At most fifty repeats: the service would cut the rest.
        retry = max(options.retry, options.expire / 50)
        fields |= {"retry": str(int(retry)), "expire": str(int(options.expire))}
    return fields


def body(notice: Notice) -> str:
    """Lines, what is affected, and the links, as far as whole pieces fit. The links, and room for them, come first."""
    pieces = [escape(shorten(line, MESSAGE_MAX // 5), quote=False) for line in (notice.lines or (notice.headline,))]
    for one in notice.affected:
        words = f"{one.service} / {one.node}: {one.state}" + (f", {one.reason}" if one.reason else "")
        pieces.append(f"<b>{escape(shorten(words, MESSAGE_MAX // 5), quote=False)}</b>")
    links = [f'<a href="{escape(link.url)}">{escape(link.label, quote=False)}</a>' for link in notice.links]
    while links and sum(len(link) + 1 for link in links) > MESSAGE_MAX // 2:
        links.pop()
    room = MESSAGE_MAX - sum(len(link) + 1 for link in links)
    kept: list[str] = []
    for piece in pieces:
        room -= len(piece) + 1
        if room < 0:
            break
        kept.append(piece)
    # A fifth of the limit may grow fivefold by escaping, and be too long again.
    return "\n".join([*(kept or [escape(shorten(notice.headline, 100), quote=False)]), *links])


def tag(incident: int, page_name: str) -> str:
    """What the emergencies of one incident have in common, and those of another page with the same application have not."""
    return f"{sha256(page_name.encode()).hexdigest()[:12]}-{incident}"


async def acknowledged(incident: int, page_name: str, options: Options, http: Http) -> str:
    """End the emergencies of an incident: each rings until its user confirms it. Raises `ChannelError`."""
    url = urljoin(options.api_url.get_secret_value(), f"receipts/cancel_by_tag/{tag(incident, page_name)}.json")
    await _post({"token": options.app_token.get_secret_value()}, url, http)
    return "emergencies are ended"


async def _post(fields: dict[str, str], url: str, http: Http) -> None:
    answer = await http.post(
        url, urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    )
    where = redact(url)
    if answer.status == 429:
        wait = max(answer.retry_after, QUOTA_WAIT)
        raise ChannelError(f"{where} answered 429: the application's messages of this month are used up", False, wait)
    told = _json(answer)
    if 200 <= answer.status < 300 and told.get("status") == 1:
        return
    errors = told.get("errors")
    said = quote("; ".join(map(str, errors))) if isinstance(errors, list) else quote(answer.text)
    if 200 <= answer.status < 300:
        # A status other than 1 is bad input, which must not come again; an answer that is no answer may.
        raise ChannelError(f"{where} answered {answer.status} but did not take it: {said}", "status" in told)
    raise refusal(ChannelAnswer(answer.status, said, answer.retry_after), where)


def _json(answer: ChannelAnswer) -> dict[str, Any]:
    try:
        told = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
