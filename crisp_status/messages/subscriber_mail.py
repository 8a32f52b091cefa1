"""Mails to subscribers as text and HTML: a bulletin, the question whether we may write, the end of a web hook."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from crisp_status.formats.templates import environment
from crisp_status.messages import subscriber_links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from crisp_status.core.subscriber_records import Subscriber
    from crisp_status.language.locale import Locale
    from crisp_status.messages.bulletin_texts import BulletinText
    from crisp_status.view.incident_views import Names
    from crisp_status.view.page_info import PageInfo


class SubscriberMail(NamedTuple):
    """A mail but for its addresses."""

    subject: str
    text: str
    html: str
    leave: str = ""
    """The address that ends it with one POST (RFC 8058); "" of a mail that nobody subscribed to."""


class Addresses:
    """Links of one page to its subscribers' own pages."""

    def __init__(self, info: PageInfo, key: bytes) -> None:
        """`key` signs them."""
        self._url = info.url
        self._key = key

    def manage(self, id: int) -> str:
        """Where a subscriber chooses."""
        return f"{self._url}manage/{subscriber_links.sign(self._key, id, 'manage')}"

    def leave(self, id: int) -> str:
        """Where a subscriber leaves."""
        return f"{self._url}unsubscribe/{subscriber_links.sign(self._key, id, 'unsubscribe')}"

    def confirm(self, token: str) -> str:
        """Where somebody who asked says yes."""
        return f"{self._url}confirm/{token}"


def bulletin(
    said: BulletinText, subscriber: Subscriber, id: int, info: PageInfo, links: Addresses, t: Locale
) -> SubscriberMail:
    """What somebody hears."""
    if subscriber.once:
        footer = [
            t.gettext("You asked to be told when this outage is over."),
            t.gettext("This was the one message; your address is now deleted."),
        ]
        return _mail(said.subject, said.headline, said.sentences, said.button, said.url, footer, info, t, said.look)
    footer = [t.gettext("You get this because you subscribed to the updates of %(page)s.") % {"page": info.name}]
    return _mail(
        said.subject, said.headline, said.sentences, said.button, said.url, footer, info, t, said.look,
        manage=links.manage(id), leave=links.leave(id),
    )  # fmt: skip


def question(
    subscriber: Subscriber, token: str, info: PageInfo, links: Addresses, names: Names, t: Locale
) -> SubscriberMail:
    """Whether we may write: with a link to a page that asks it."""
    headline = t.gettext("One click, then we write to you")
    asked = t.gettext("You, or somebody who typed your address, asked for messages about %(what)s at %(page)s.")
    said = [
        asked % {"what": about(subscriber, names, t), "page": info.name},
        t.gettext("The link is valid for a day."),
        t.gettext("If it was not you, do nothing: nothing more is sent, and the address is deleted."),
    ]
    subject = t.gettext("Confirm that we may write to you (%(page)s)") % {"page": info.name}
    button = t.gettext("Yes, write to me")
    return _mail(subject, headline, said, button, links.confirm(token), [f"{info.name}, {info.url}"], info, t)


def stopped(host: str, id: int, info: PageInfo, links: Addresses, t: Locale) -> SubscriberMail:
    """To the owner of a web hook that failed too often."""
    headline = t.gettext("Your web hook is stopped")
    said = [
        t.gettext("%(host)s did not take the last messages of %(page)s, so none are sent there any more.")
        % {"host": host, "page": info.name},
        t.gettext("When your server works again, open the page below and save: a new challenge is sent."),
    ]
    button = t.gettext("Choose what you get")
    return _mail(f"{headline} ({info.name})", headline, said, button, links.manage(id), [info.url], info, t)


def about(subscriber: Subscriber, names: Names, t: Locale) -> str:
    """What somebody chose, in words."""
    if subscriber.once:
        return t.gettext("the end of the present outage")
    if not subscriber.services:
        return t.gettext("everything")
    return str(t.listing(names.service(f"{key}/") for key in subscriber.services.split()).striptags())


@lru_cache(1)
def _environments() -> tuple[Environment, Environment]:
    html = environment()
    return html.overlay(autoescape=False), html


def _mail(
    subject: str,
    headline: str,
    sentences: Sequence[str],
    button: str,
    url: str,
    footer: Sequence[str],
    info: PageInfo,
    t: Locale,
    look: str = "",
    manage: str = "",
    leave: str = "",
) -> SubscriberMail:
    plain, html = _environments()
    words = {
        "subject": subject, "headline": headline, "sentences": sentences, "button": button, "url": url,
        "footer": footer, "info": info, "t": t, "look": look, "manage": manage, "leave": leave,
    }  # fmt: skip
    text = plain.get_template("messages/subscriber.txt").render(words).strip() + "\n"
    return SubscriberMail(subject, text, html.get_template("messages/subscriber.html").render(words), leave)
