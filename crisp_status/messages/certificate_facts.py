"""What a notice says of a certificate of the page's own that nears its end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crisp_status.core.model import FINE, MessageKind
from crisp_status.log import printable
from crisp_status.view.sanitize import MAX_LINE, clean

if TYPE_CHECKING:
    from crisp_status.core.model import Message


@dataclass(frozen=True)
class CertificateFacts:
    """In words."""

    domain: str
    ends: str
    ends_in: str
    """How long it is good from now; "" when it has ended."""
    problem: str
    """Why it was not renewed; "" when nothing failed so far."""


def of(message: Message, ends: str, left: str, now: float) -> CertificateFacts | None:
    """The certificate that `message` is about, which ends at `ends`, in `left`; None: it is about something else."""
    if message.kind is not MessageKind.CERTIFICATE:
        return None
    reason = next((words.reason for words in message.nodes), FINE)
    return CertificateFacts(
        printable(clean(reason.value)), ends, left if message.until > now else "", clean(reason.text, MAX_LINE)
    )
