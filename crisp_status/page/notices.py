"""Words of a notice: a message of the outbox in, a `Notice` for any channel out. Pure.

`facts` works out what there is to say; templates in `templates/messages/` say it. The template of a kind gives the title
on its first line, the headline on its second and one sentence on each further line; `mail.txt` and `mail.html` put those
into a letter. Operators see addresses of replicas here; visitors never see a notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from crisp_status.core.notice import Affected, Link, Notice
from crisp_status.page.notice_facts import REMINDED, Facts, facts
from crisp_status.page.plain import MAX_LINE, clean

if TYPE_CHECKING:
    from jinja2 import Environment

    from crisp_status.core.model import Message, State
    from crisp_status.page.notice_facts import Info
    from crisp_status.page.tongue import Tongue

TITLE_MAX: Final = 250


class Templates(Protocol):
    """Where templates come from: ours, or the operator's own of the same name."""

    def environment(self, tongue: Tongue, *, html: bool) -> Environment:
        """Jinja with the catalogue of that language installed, escaping when the output is HTML."""


@dataclass(frozen=True)
class Links:
    """Addresses that the reader may need; "" leaves one out."""

    acknowledge: str = ""
    silence: str = ""
    console: str = ""


def word(
    message: Message, state: State, info: Info, links: Links, now: float, tongue: Tongue, templates: Templates
) -> Notice:
    """Say `message` in the language of `tongue`. `now` decides whether it is late and which dates are today."""
    said = facts(message, state, info, now, tongue)
    plain = templates.environment(tongue, html=False)
    title, headline, *sentences = _spoken(plain, message.kind, said)
    asides = _lines(plain.get_template("messages/asides.txt").render(m=said))
    outlook = _lines(plain.get_template("messages/outlook.txt").render(m=said))
    url = f"{info.url.rstrip('/')}/incidents/{message.incident}" if message.incident else info.url
    acts = links if message.kind in REMINDED else Links(console=links.console)
    offered = _offered(acts, url, info.url, tongue)
    letter = {
        "m": said,
        "title": title,
        "headline": headline,
        "sentences": [*sentences, *asides],
        "outlook": outlook,
        "links": offered,
    }
    return Notice(
        id=message.id,
        kind=message.kind,
        health=message.health,
        title=clean(title, TITLE_MAX),
        headline=headline,
        lines=(*sentences, *asides, *outlook),
        affected=tuple(
            Affected(
                n.service,
                n.name,
                n.health,
                n.since,
                n.reason,
                tuple(r.label for r in n.replicas),
                n.more,
            )
            for n in said.nodes
            if n.health.bad
        ),
        more=message.more,
        url=url,
        links=tuple(link for link in offered if link.url not in {url, info.url}),
        text=plain.get_template("messages/mail.txt").render(letter).strip() + "\n",
        html=templates.environment(tongue, html=True).get_template("messages/mail.html").render(letter),
        page_name=said.page,
        incident=message.incident,
        thread=f"incident-{message.incident}-{int(said.opened_at)}" if message.incident else "",
        created_at=message.created_at,
        late_seconds=int(said.late_seconds),
        escalation=message.escalation,
        target=message.target,
        done=tuple(message.done),
        attempt=message.attempts + 1,
    )


def _spoken(environment: Environment, kind: str, said: Facts) -> list[str]:
    """Title, headline and sentences of a kind."""
    lines = _lines(environment.get_template(f"messages/{kind}.txt").render(m=said))
    while len(lines) < 2:
        lines.append(said.page)
    return lines


def _lines(text: str) -> list[str]:
    """Those that say something; a name cannot break one, because names are clean."""
    return [clean(line, MAX_LINE * 2) for line in text.splitlines() if line.strip()]


def _offered(links: Links, url: str, page_url: str, tongue: Tongue) -> list[Link]:
    """Every address, the one for the big button first."""
    _ = tongue.gettext
    found = [
        Link(_("Acknowledge"), links.acknowledge),
        Link(_("Silence reminders"), links.silence),
        Link(_("Open the console"), links.console),
        Link(_("Incident page"), url if url != page_url else ""),
        Link(_("Status page"), page_url),
    ]
    return [link for link in found if link.url]
