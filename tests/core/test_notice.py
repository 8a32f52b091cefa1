"""The notice that every channel gets."""

import pytest

from crisp_status.core.model import Health, MessageKind
from crisp_status.core.notice import Affected, Link, Notice


def test_a_notice_is_a_value():
    """The same for every channel: none of them can change it, and what does not apply is empty."""
    notice = Notice(
        id="1-2-mail", kind=MessageKind.OPENED, health=Health.DEAD, title="DOWN: API (Acme)", headline="API is down", lines=(),
        affected=(Affected("Web", "API", Health.DEAD, "14:02 UTC", "no answer"),), url="https://status.acme.example/",
        links=(Link("Acknowledge", "https://status.acme.example/a"),), text="API is down", html="<p>API is down</p>",
        page_name="Acme", created_at=0.0,
    )  # fmt: skip

    assert (notice.attempt, notice.late_seconds, notice.escalation, notice.target, notice.done) == (1, 0, 0, None, ())
    assert (notice.affected[0].replicas, notice.affected[0].more) == ((), 0)
    with pytest.raises(AttributeError):
        notice.title = "UP"


def test_a_health_is_said_in_the_language_of_the_notice():
    """Where that is not known, with its own word."""
    affected = Affected("Web", "API", Health.DEAD, "14:02 UTC", "keine Antwort", word="Ausgefallen")

    assert affected.state == "Ausgefallen"
    assert Affected("Web", "API", Health.SICK, "14:02 UTC", "").state == "sick"
