"""email: mail through the operator's own SMTP server (PROTOCOLS section 7.4; RFC 3834, 5322, 8314)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pydantic import Field

from crisp_status.channels import ChannelError, Http, all_at_once, quote
from crisp_status.channels._smtp import SUBJECT_MAX, MailSession, message_id
from crisp_status.config.mail_server import Mailbox, MailServer, split
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.notice import Notice


class Options(MailServer, NotifierOptions):
    """Keys of `type = "email"`."""

    to: tuple[Mailbox, ...] = Field(min_length=1)
    """Addresses that are told."""
    from_: Mailbox = Field(alias="from")
    """Address that the mail comes from; replies and bounces go there."""


targets = all_at_once


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Hand the mail to the server for every recipient who has not got it. Those it took are `done`."""
    left = [address for _, address in map(split, options.to) if address not in notice.done]
    if not left:
        return "every recipient has it already"
    mail = compose(notice, options, http.clock.now())
    session = MailSession(options, notice.url, http.timeout)
    try:
        refused, answer = await session.deliver(split(options.from_)[1], left, mail.as_bytes())
        await session.quit()
    finally:
        session.close()
    if refused:
        taken = tuple(address for address in left if address not in refused)
        codes = [(code, f"{to}: {code} {quote(text)}") for to, (code, text) in refused.items()]
        text = f"{options.smtp_host}:{options.port} refused {'; '.join(line for _, line in codes[:5])}"
        raise ChannelError(text, all(code >= 500 for code, _ in codes), done=taken)
    return answer


def compose(notice: Notice, options: Options, now: float) -> EmailMessage:
    """The mail. Headers come from `EmailMessage`, which refuses line breaks; control characters are taken out before."""
    name, sender = split(options.from_)
    domain = sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["Subject"] = quote(notice.title, SUBJECT_MAX)
    mail["From"] = Address(quote(name or notice.page_name, 78), addr_spec=sender)
    mail["To"] = [Address(quote(n, 78), addr_spec=a) for n, a in map(split, options.to)]
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = message_id(f"{notice.id} {notice.created_at}", domain)
    if notice.thread:
        # The root of the thread is never sent: every notice of an incident, first or not, refers to it.
        mail["In-Reply-To"] = mail["References"] = message_id(f"{notice.thread} {notice.page_name}", domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(notice.text)
    mail.add_alternative(notice.html, subtype="html")
    return mail
