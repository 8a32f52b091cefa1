"""slack: a message to one channel, through an incoming web hook (PROTOCOLS section 7.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from crisp_status.channels import ChannelError, HookUrl, Http, all_at_once, json_bytes, quote, redact, refusal, shorten
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.model import Health
from crisp_status.core.notice import Affected, Notice
from crisp_status.core.outbox_records import MESSAGES

TEXT_MAX: Final = 3000
"""Characters of one section block; Slack refuses the whole message when it is longer."""

HEADER_MAX: Final = 150
"""Characters of a header block."""

MARKS: Final = re.compile(r"[*_~`]")
"""What Slack takes for bold, italic, struck and code wherever it stands around a word."""

CALLS: Final = re.compile(r"<(?=[!@#])")
"""What starts a mention of everyone, of somebody or of a channel."""

COLORS: Final = {Health.DEAD: "#ac011a", Health.SICK: "#b45309", Health.HEALTHY: "#0f7a4f", Health.PENDING: "#6b7280"}
"""The bar beside the message. Colour is never alone: the title says the same in words."""


class Options(NotifierOptions):
    """Keys of `type = "slack"`."""

    hook_url: HookUrl
    """The incoming web hook's address, as Slack shows it. It is a secret."""
    ca_file: str | None = None
    """PEM file with the authority that signed the receiver's certificate, when it is your own."""
    mention_channel: bool = False
    """Wake everyone in the channel (`@channel`) when something is down."""
    escalation_mentions: tuple[str, ...] = Field(default=())
    """Member ids (U…) or group ids (S…), in order: each reminder mentions one more of them when reminders escalate."""


targets = all_at_once


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Post to the hook. Slack says yes with status 200 and the body `ok`, and with nothing else."""
    url = options.hook_url.get_secret_value()
    answer = await http.post(
        url, json_bytes(message(notice, options)), {"Content-Type": "application/json"}, options.ca_file
    )
    if answer.status == 200 and answer.text.strip() == "ok":
        return "ok"
    if 200 <= answer.status < 300:
        raise ChannelError(f"{redact(url)} answered {answer.status} but not “ok”: {quote(answer.text)}")
    raise refusal(answer, redact(url))


def message(notice: Notice, options: Options) -> dict[str, Any]:
    """The JSON that Slack gets: the title as text, which also notifies, and blocks beside a bar of colour."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": shorten(notice.headline, HEADER_MAX)}}
    ]
    if notice.lines:
        blocks.append(_section([_TextLine(line) for line in notice.lines]))
    if notice.affected:
        blocks.append(_section(tree(notice), notice.more))
    # Links, not buttons: Slack shows a warning at buttons of hooks that have no interactive endpoint.
    links = [f"<{link.url}|{escape(link.label)}>" for link in notice.links]
    links.append(f"<{notice.url}|{escape(notice.page_name)}>")
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": shorten("  ·  ".join(links), TEXT_MAX)}]})
    called = mentions(notice, options)
    bar = {"color": COLORS[notice.health], "fallback": shorten(notice.title, HEADER_MAX), "blocks": blocks}
    if not MARKS.search(notice.title):
        return {"text": shorten(" ".join([*called, escape(notice.title)]), TEXT_MAX), "attachments": [bar]}
    # A mention needs markup, so there a mark is kept from being one by a space without width behind it.
    title = MARKS.sub("\\g<0>\u200b", escape(notice.title)) if called else escape(notice.title)
    return {"text": shorten(" ".join([*called, title]), TEXT_MAX), "mrkdwn": bool(called), "attachments": [bar]}


def mentions(notice: Notice, options: Options) -> list[str]:
    """Whom the message wakes: nobody on good news."""
    if notice.health is not Health.DEAD or not MESSAGES[notice.kind].wakes:
        return []
    people = options.escalation_mentions[: notice.escalation]
    groups = [f"<!subteam^{one}>" if one.startswith("S") else f"<@{one}>" for one in people]
    return ["<!channel>", *groups] if options.mention_channel else groups


@dataclass(frozen=True)
class _TextLine:
    """A line of a block: its words, of which one part may be bold."""

    text: str
    bold: str = ""
    after: str = ""

    @property
    def plain(self) -> str:
        """Without markup."""
        return self.text + self.bold + self.after

    @property
    def marked(self) -> str:
        """With markup; only for a line without marks of its own."""
        return escape(self.text) + (f"*{escape(self.bold)}*" if self.bold else "") + escape(self.after)


def tree(notice: Notice) -> list[_TextLine]:
    """Service, node, replicas as an indented list."""
    lines: list[_TextLine] = []
    service = ""
    for one in notice.affected:
        if one.service != service:
            service = one.service
            lines.append(_TextLine("", service))
        lines += _branch(one)
    return lines


def _branch(one: Affected) -> list[_TextLine]:
    why = " · ".join(part for part in (one.since, one.reason) if part)
    lines = [_TextLine(f"• {one.node}: ", one.state, f" · {why}" if why else "")]
    lines += [_TextLine(f"        ◦ {replica}") for replica in one.replicas]
    return [*lines, _TextLine(f"        ◦ +{one.more}")] if one.more else lines


def fit(lines: list[str], more: int) -> str:
    """As many whole lines as a block holds; a cut line could cut an escape in two."""
    room = TEXT_MAX - 20
    taken: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            taken.append("…")
            break
        taken.append(line)
    return "\n".join([*taken, f"+{more}"] if more else taken)


def escape(text: str) -> str:
    """Text that starts no mention and no link: the three characters that start them are escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(lines: list[_TextLine], more: int = 0) -> dict[str, Any]:
    """Lines as a block. Slack has no escape for `*`, `_`, `~` and backticks, so names with them go out without markup."""
    if any(MARKS.search(line.plain) for line in lines):
        # Plain text starts no mention by Slack's own word; that it could not if it were read as markup costs one character.
        plain = [CALLS.sub("<\u200b", line.plain) for line in lines]
        text = {"type": "plain_text", "text": fit(plain, more), "emoji": False}
    else:
        text = {"type": "mrkdwn", "text": fit([line.marked for line in lines], more)}
    return {"type": "section", "text": text}
