"""slack: a message to one channel, through an incoming web hook (PROTOCOLS section 7.1)."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from crisp_status.channels import ChannelError, HookUrl, Http, json_bytes, quote, redact, refusal, shorten
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.model import Health
from crisp_status.core.notice import Affected, Notice

TEXT_MAX: Final = 3000
"""Characters of one section block; Slack refuses the whole message when it is longer."""

HEADER_MAX: Final = 150
"""Characters of a header block."""

COLORS: Final = {Health.DEAD: "#ac011a", Health.SICK: "#b45309", Health.HEALTHY: "#0f7a4f", Health.PENDING: "#6b7280"}
"""The bar beside the message. Colour is never alone: the title says the same in words."""


class Options(NotifierOptions):
    """Keys of `type = "slack"`."""

    hook_url: HookUrl
    """The incoming web hook's address, as Slack shows it. It is a secret."""
    mention_channel: bool = False
    """Wake everyone in the channel (`@channel`) when something is down."""
    escalation_mentions: tuple[str, ...] = Field(default=())
    """Member ids (U…) or group ids (S…), in order: each reminder mentions one more of them when reminders escalate."""


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Post to the hook. Slack says yes with status 200 and the body `ok`, and with nothing else."""
    url = options.hook_url.get_secret_value()
    answer = await http.post(url, json_bytes(message(notice, options)), {"Content-Type": "application/json"})
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
        blocks.append(_section(fit([escape(line) for line in notice.lines], 0)))
    if notice.affected:
        blocks.append(_section(tree(notice)))
    # Links, not buttons: Slack shows a warning at buttons of hooks that have no interactive endpoint.
    links = [f"<{link.url}|{escape(link.label)}>" for link in notice.links]
    links.append(f"<{notice.url}|{escape(notice.page_name)}>")
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": shorten("  ·  ".join(links), TEXT_MAX)}]})
    text = " ".join([*mentions(notice, options), escape(notice.title)])
    bar = {"color": COLORS[notice.health], "fallback": shorten(notice.title, HEADER_MAX), "blocks": blocks}
    return {"text": shorten(text, TEXT_MAX), "attachments": [bar]}


def mentions(notice: Notice, options: Options) -> list[str]:
    """Whom the message wakes: nobody on good news."""
    if notice.health is not Health.DEAD or notice.kind not in {"opened", "grew", "reminder"}:
        return []
    people = options.escalation_mentions[: notice.escalation]
    groups = [f"<!subteam^{one}>" if one.startswith("S") else f"<@{one}>" for one in people]
    return ["<!channel>", *groups] if options.mention_channel else groups


def tree(notice: Notice) -> str:
    """Service, node, replicas as an indented list that fits one block."""
    lines: list[str] = []
    service = ""
    for one in notice.affected:
        if one.service != service:
            service = one.service
            lines.append(f"*{escape(service)}*")
        lines += _branch(one)
    return fit(lines, notice.more)


def _branch(one: Affected) -> list[str]:
    why = " · ".join(part for part in (one.since, one.reason) if part)
    lines = [f"• {escape(one.node)}: *{escape(one.state)}*" + (f" · {escape(why)}" if why else "")]
    lines += [f"        ◦ {escape(replica)}" for replica in one.replicas]
    return [*lines, f"        ◦ +{one.more}"] if one.more else lines


def fit(lines: list[str], more: int) -> str:
    """As many whole lines as a block holds; a cut line could cut an escape in two."""
    room = TEXT_MAX - 20
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append("…")
            break
        kept.append(line)
    return "\n".join([*kept, f"+{more}"] if more else kept)


def escape(text: str) -> str:
    """Text that Slack shows as it is: the three characters that start markup are escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
