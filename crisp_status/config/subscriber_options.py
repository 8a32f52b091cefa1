"""[subscribers]: visitors who want to be told."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from crisp_status.config.mail_server import Mailbox, MailServer
from crisp_status.config.sections import DAY


class SubscribersSection(MailServer):
    """Visitors of the page may ask to be told of outages, updates and planned work. Without a way switched on nobody can."""

    email: bool = False
    """By e-mail, after they confirmed; needs `from` and a mail server."""
    webpush: bool = False
    """By their browser, also when the page is closed."""
    webhook: bool = False
    """To a server of theirs, signed, after it answered a challenge."""
    slack: bool = False
    """To a channel of Slack, or of what takes the same web hooks, after somebody there confirmed."""
    after: Annotated[float, Field(ge=0.0, le=DAY)] = 180.0
    """Seconds that an outage lasts before they hear of it."""
    per_minute: Annotated[int, Field(ge=1, le=100_000)] = 600
    """Messages a minute at most, for each way; ask your mail provider what it allows."""
    from_: Mailbox | None = Field(default=None, alias="from")
    """Address that mail to subscribers comes from; better another one than that of alerts. Replies and bounces go there."""
    allow_private: bool = False
    """Send web hooks also to addresses of private networks; only where every visitor is one of yours."""

    @model_validator(mode="after")
    def _sender(self) -> Self:
        if self.email and self.from_ is None:
            raise ValueError('email needs `from`, as in from = "status@acme.example"')
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The ways that are switched on."""
        return tuple(kind for kind in ("email", "webpush", "webhook", "slack") if getattr(self, kind))
