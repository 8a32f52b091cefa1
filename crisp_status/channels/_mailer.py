"""One mail to one subscriber, over a connection that is kept for the next ones."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from crisp_status.channels import RecipientsRefused, quote
from crisp_status.channels._smtp import SUBJECT_MAX, MailSession, message_id
from crisp_status.config.mail_server import split

if TYPE_CHECKING:
    from crisp_status.config.subscriber_options import SubscribersSection

MAILS_EACH: Final = 50
"""Mails over one connection; many servers close it after a hundred, and a mail that is cut off may come twice."""


class SubscriberMailer:
    """Sends one mail after the other."""

    def __init__(self, options: SubscribersSection, page_name: str, page_url: str, timeout: float) -> None:
        """`timeout`: seconds for each step."""
        self._options = options
        self._page = page_name, page_url
        self._session = MailSession(options, page_url, timeout)
        self._left = MAILS_EACH

    async def send(self, to: str, subject: str, text: str, html: str, *, leave: str = "", seed: str, now: float) -> str:
        """Hand over one mail; what the server said. Raises `ChannelError`: `RecipientsRefused` when only this address is
        at fault. `leave`: the address that ends the subscription (RFC 8058). `seed`: the same makes the same Message-ID.
        """
        if self._left <= 0:
            await self._session.quit()
            self._left = MAILS_EACH
        self._left -= 1
        mail = self.compose(to, subject, text, html, leave=leave, seed=seed, now=now)
        refused, answer = await self._session.deliver(mail["From"].addresses[0].addr_spec, [to], mail.as_bytes())
        if refused:
            ((code, said),) = refused.values()
            raise RecipientsRefused(f"{code} {quote(said)}", code >= 500)
        return answer

    def compose(
        self, to: str, subject: str, text: str, html: str, *, leave: str = "", seed: str, now: float
    ) -> EmailMessage:
        """The mail. Its header fields cannot be broken out of: `EmailMessage` refuses line breaks."""
        assert self._options.from_ is not None
        name, sender = split(self._options.from_)
        mail = EmailMessage(policy=SMTP.clone(cte_type="7bit", utf8=not to.isascii()))
        mail["Subject"] = quote(subject, SUBJECT_MAX)
        mail["From"] = Address(quote(name or self._page[0], 78), addr_spec=sender)
        mail["To"] = Address(addr_spec=to)
        mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        mail["Message-ID"] = message_id(seed, sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        if leave:
            mail["List-Unsubscribe"] = f"<{leave}>"
            if leave.startswith("https://"):  # RFC 8058 section 3.1 knows no other
                mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(text)
        mail.add_alternative(html, subtype="html")
        return mail

    async def quit(self) -> None:
        """End the conversation with the server; the next mail begins another one."""
        await self._session.quit()
        self._left = MAILS_EACH
