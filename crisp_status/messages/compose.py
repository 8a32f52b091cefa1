"""Words of a notice: a message of the outbox in, a `Notice` for any channel out. Pure.

`facts` works out what there is to say; templates in `templates/messages/` say it. The template of a kind gives the title
on its first line, the headline on its second and one sentence on each further line; `mail.txt` and `mail.html` put those
into a letter. Operators see addresses of replicas here; visitors never see a notice.
"""

from __future__ import annotations

from functools import lru_cache
from gettext import NullTranslations
from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status import log
from crisp_status.core.notice import Affected, Link, Notice
from crisp_status.core.outbox_records import MESSAGES
from crisp_status.formats.templates import environment
from crisp_status.language.locale import Locale
from crisp_status.messages.facts import Facts, Info, facts
from crisp_status.messages.node_facts import NodeFacts
from crisp_status.messages.table import columns, health_word
from crisp_status.view.sanitize import MAX_LINE, clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from crisp_status.core.model import Message, State

TITLE_MAX: Final = 250
"""Characters: what Pushover takes, and three times what a list of mails or a locked phone shows."""


class Writer(NamedTuple):
    """Templates for text and for HTML."""

    plain: Environment
    html: Environment


_DESKS_MAX: Final = 4
"""The present configuration, the one before a reload, ours without own templates, and one to spare."""

_desks: list[tuple[Info | None, Writer]] = []
"""The last few, by the configuration they were made for: compiling templates takes longer than filling them in."""


def _templates(info: Info | None) -> Writer:
    """The templates of a configuration; None: ours, whatever the operator has put before them."""
    for known, desk in _desks:
        if known is info:
            return desk
    html = environment(info.templates if info else None)
    desk = Writer(html.overlay(autoescape=False), html)
    _desks.append((info, desk))
    del _desks[:-_DESKS_MAX]
    return desk


@lru_cache(32)
def _locale(language: str, zone: str, catalogue: NullTranslations | None) -> Locale:
    return Locale(language, zone, catalogue)


def compose(
    message: Message,
    state: State,
    info: Info,
    links: Mapping[str, str],
    now: float,
    language: str = "en",
    catalogues: Mapping[str, NullTranslations] | None = None,
) -> Notice:
    """Say `message` in `language`. `now` decides whether it is late and which dates are today.

    `links`: addresses by purpose (`page.links.PURPOSES`, and `console`); those that are not there are left out.
    """
    tongue = _locale(language, info.timezone, (catalogues or {}).get(language))
    said = facts(message, state, info, now, tongue)
    url = f"{info.url.rstrip('/')}/incidents/{message.incident}" if message.incident else info.url
    acts = links if MESSAGES[message.kind].reminded else {}
    offered = _offered(acts, links.get("console", ""), url, info.url, tongue)
    try:
        letter = _mail(_templates(info), message.kind, said, offered, tongue)
    except Exception as error:
        if info.templates is None:
            raise
        # A mistake in the operator's template must not cost an alert.
        log.get().error(
            "custom template failed, using the built-in one", template=f"messages/{message.kind}.txt", error=str(error)
        )
        letter = _mail(_templates(None), message.kind, said, offered, tongue)
    return Notice(
        id=message.id,
        kind=message.kind,
        health=message.health,
        title=clean(letter.title, TITLE_MAX),
        headline=letter.headline,
        lines=letter.lines,
        affected=tuple(_affected(node, tongue) for node in said.nodes if node.health.bad),
        more=message.more,
        url=url,
        links=tuple(link for link in offered if link.url not in {url, info.url}),
        text=letter.text,
        html=letter.html,
        page_name=said.page,
        incident=message.incident,
        thread=f"incident-{message.incident}-{int(said.opened_at)}" if message.incident else "",
        created_at=message.created_at,
        late_seconds=int(said.late_seconds),
        escalation=message.escalation,
        done=tuple(message.done),
        attempt=message.attempts + 1,
    )


class MailParts(NamedTuple):
    """What the templates made."""

    title: str
    headline: str
    lines: tuple[str, ...]
    text: str
    html: str


def _mail(desk: Writer, kind: str, said: Facts, links: list[Link], tongue: Locale) -> MailParts:
    about: dict[str, object] = {"m": said, "t": tongue}
    title, headline, *sentences = _spoken(desk.plain, kind, about, said.page)
    sentences += _lines(desk.plain.get_template("messages/asides.txt").render(about))
    outlook = _lines(desk.plain.get_template("messages/outlook.txt").render(about))
    about |= {"title": title, "headline": headline, "sentences": sentences, "outlook": outlook, "links": links}
    about["columns"] = columns(said.rows)
    text = desk.plain.get_template("messages/mail.txt").render(about).strip() + "\n"
    html = desk.html.get_template("messages/mail.html").render(about)
    return MailParts(title, headline, (*sentences, *outlook), text, html)


def _affected(node: NodeFacts, tongue: Locale) -> Affected:
    replicas = tuple(replica.label for replica in node.replicas)
    compose = health_word(node, tongue)
    return Affected(node.service, node.name, node.health, node.since, node.reason, replicas, node.more, compose)


def _spoken(environment: Environment, kind: str, about: dict[str, object], page: str) -> list[str]:
    """Title, headline and sentences of a kind. An operator's own template may be too short: the page's name fills in."""
    lines = _lines(environment.get_template(f"messages/{kind}.txt").render(about))
    return [*lines, page, page][: max(2, len(lines))]


def _lines(text: str) -> list[str]:
    """Those that say something; a name cannot break one, because names are clean."""
    return [clean(line, MAX_LINE * 2) for line in text.splitlines() if line.strip()]


def _offered(acts: Mapping[str, str], console: str, url: str, page_url: str, tongue: Locale) -> list[Link]:
    """Every address, the one for the big button first."""
    _ = tongue.gettext
    found = [
        Link(_("Acknowledge"), acts.get("acknowledge", "")),
        Link(_("Silence reminders"), acts.get("silence", "")),
        Link(_("Open the console"), console),
        Link(_("Incident page"), url if url != page_url else ""),
        Link(_("Status page"), page_url),
    ]
    return [link for link in found if link.url]
