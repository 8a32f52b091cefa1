"""What visitors see and whom the daemon tells, apart from the notifiers, which each channel describes itself."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from crisp_status.config.addresses import contact_url, network_text, page_url, web_url
from crisp_status.config.sections import WebUrl
from crisp_status.config.services import Name
from crisp_status.config.strict import Id, Strict
from crisp_status.config.time_zone import Zone
from crisp_status.config.token_value import checked_signing_secret

LANGUAGES: Final = ("en", "fr", "de", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar")
"""Languages that the page speaks."""

Language = Literal["en", "fr", "de", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar"]

TITLE_MAX: Final = 200
"""Characters of the title of an announcement; the page and every channel show it on one line."""

TEXT_MAX: Final = 10_000
"""Characters of an announcement or a note; the page shows them all."""


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://(?:\*\.)?[A-Za-z0-9.-]+(?::\d{1,5})?", text):
        raise ValueError(
            f'"{text}" is not an origin: expected scheme and host without a path, as in "https://acme.example"'
        )
    return text


def _color(text: str) -> str:
    if not re.fullmatch(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", text):
        raise ValueError(f'"{text}" is not a colour: expected # and six hexadecimal digits, as in "#1972f5"')
    return text


def _secret_url(url: SecretStr) -> SecretStr:
    try:
        web_url(url.get_secret_value())
    except ValueError:
        # The sentence of `web_url` names the address.
        raise ValueError("expected a URL that starts with https:// or http:// and names a host") from None
    return url


class Branding(Strict):
    """The look of your company. Files are relative to this file, and checked when it is loaded."""

    color: Annotated[str, AfterValidator(_color)] = "#1972f5"
    """Brand colour of header, links and buttons; text stays readable on any."""
    header_logo: str = ""
    """A light logo: it sits on the brand colour. SVG, PNG, WebP, JPEG or GIF."""
    footer_logo: str = ""
    """A dark logo: it sits on the page."""
    header_pattern: str = ""
    """An image that is tiled over the header."""
    header_image: str = ""
    """Instead of a pattern: an image that is scaled to cover the header."""
    icon: str = ""
    """Icon of the page; default: made from the colour, and it changes with the health."""
    font: str = ""
    """Your own font for all text, as WOFF2 or WOFF; best a variable one. Absent: that of the visitor's system."""


Label = Annotated[str, Field(max_length=40)]


class Labels(Strict):
    """Your own words for the states, in every language; those left out stay as they are."""

    healthy: Label = ""
    """For what works."""
    sick: Label = ""
    """For what is slow or needs attention."""
    dead: Label = ""
    """For what does not work."""
    pending: Label = ""
    """For what was not looked at yet."""
    maintenance: Label = ""
    """For what is worked on as announced."""


class Private(Strict):
    """A page that is not for everybody. Feeds, calendar, badges and embed then need the key that the page shows."""

    password: Annotated[SecretStr, Field(min_length=8, max_length=200)] | None = None
    """Visitors are asked for it, with any user name."""
    addresses: tuple[Annotated[str, AfterValidator(network_text)], ...] = ()
    """Addresses or networks that see the page without a password, as in "10.0.0.0/8"."""

    @model_validator(mode="after")
    def _open_to_somebody(self) -> Self:
        if self.password is None and not self.addresses:
            raise ValueError("nobody could see the page: expected a password, addresses, or both")
        return self


class Page(Strict):
    """The page that everybody sees."""

    name: Name
    """Title of the page."""
    url: Annotated[str, AfterValidator(page_url)]
    """Its public address; links in messages and feeds start with it."""
    company: Annotated[str, Field(max_length=120)] = ""
    """Your company; default: the name of the page."""
    website_url: WebUrl | None = None
    """Your own site; the logo links to it."""
    support_url: Annotated[str, AfterValidator(contact_url)] | None = None
    """Where visitors get help: a page, or "mailto:help@acme.example", or "tel:+33123456789"."""
    description: Annotated[str, Field(max_length=500)] = ""
    """One sentence for search engines and previews."""
    timezone: Zone = "UTC"
    """Zone of all times and days on the page, as in "Europe/Paris"."""
    language: Language = "en"
    """Language for visitors whose own is not spoken."""
    languages: tuple[Language, ...] = LANGUAGES
    """Languages that the page speaks."""
    history_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days for which incidents and uptime are kept and shown."""
    templates: str = ""
    """Folder of your own templates, each replacing ours of the same name."""
    stylesheet: str = ""
    """Your own CSS file, added after ours."""
    labels: Literal["crisp", "plain"] | Labels = "crisp"
    """Words for the states. crisp: Healthy, Sick, Dead; plain: Operational, Degraded, Down; or a table of your own."""
    slo: Annotated[float, Field(ge=0.0, le=100.0)] = 99.9
    """Uptime that you promise for a month, in percent; the report under /uptime counts against it."""
    frame_ancestors: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    """Sites that may show the page in a frame, as in "https://acme.example"; none by default."""
    robots: bool = True
    """Search engines may list the page."""
    private: Private | None = None
    """[page.private]: only for those with its password, or from its addresses. Absent: for everybody."""
    branding: Branding = Field(default_factory=Branding)
    """[page.branding]"""


class Operator(Strict):
    """Somebody of the team: for the console, and for notifiers of type push."""

    id: Id
    """Name in the file."""
    name: Name
    """What people call them."""
    token: Annotated[SecretStr, Field(min_length=16)] | None = None
    """Signs them in to the console; give each operator one of their own. Absent: only a proxy can sign them in."""
    role: Literal["owner", "operator", "viewer"] = "operator"
    """What they may do in the console: owners change settings, operators act, viewers look."""


class Template(Strict):
    """Words that are ready for an announcement, a maintenance or an update of an incident."""

    name: Name
    """What it is called in the console."""
    title: Annotated[str, Field(max_length=200)] = ""
    """Headline of an announcement or a maintenance."""
    text: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    """Markdown."""
    kind: Literal["update", "announcement", "maintenance"] = "update"
    """Where it is offered."""


class WebHook(Strict):
    """A machine-readable copy of each change of the page's health, sent to a server of yours."""

    id: Id = ""
    """Stable name, for the log and `outbox`; default: webhook, webhook-2, …"""
    url: Annotated[SecretStr, AfterValidator(_secret_url)]
    """Where to send it. It may hold a key, so it is a secret."""
    secret: Annotated[SecretStr, Field(min_length=8), AfterValidator(checked_signing_secret)] | None = None
    """Signs the Crisp way; a "whsec_…" secret also signs the Standard Webhooks way. Absent: unsigned."""
    website_id: str = ""
    """Stands in the message, for receivers that know several pages."""
    on: tuple[Literal["health", "maintenance"], ...] = ("health",)
    """What to send: changes of the page's health, and maintenance when announced work begins and ends."""
    format: Literal["crisp", "vigil"] = "crisp"
    """Shape of the message."""
    ca_file: str | None = None
    """PEM file with the authority that signed the receiver's certificate, when it is your own."""
    enabled: bool = True
    """Set to false to keep the entry without using it."""


class AnnouncementTable(Strict):
    """Words to visitors that stand in the file; more can be posted at run time."""

    id: Id = ""
    """Stable name; default: made from the title."""
    title: Annotated[str, Field(min_length=1, max_length=TITLE_MAX)]
    """Its headline."""
    text: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    """Markdown, made safe."""
    starts_at: datetime.datetime | datetime.date | None = None
    """When it begins, as in 2026-12-01T22:00:00Z; without a zone: the page's. Absent: now."""
    expires_at: datetime.datetime | datetime.date | None = None
    """When it ends; absent: when you remove it."""
    maintenance: tuple[str, ...] = ()
    """Services or nodes ("service/node") that are worked on in that time: no messages, and uptime does not count."""
    rrule: str = ""
    """Repeats it (RFC 5545), as in "FREQ=WEEKLY;BYDAY=SU", from `starts_at` on, in the page's time zone."""
