"""Notices as the channels get them, without going through the words."""

import msgspec

from crisp_status.core.model import Health, MessageKind
from crisp_status.core.notice import Affected, Link, Notice

NOON = 1795435200.0
"""2026-11-23T12:00:00Z."""

DOWN = Notice(
    id="7-12-ops",
    kind=MessageKind.OPENED,
    health=Health.DEAD,
    title="DOWN: Checkout, replicas 1 and 2 (Acme)",
    headline="Checkout is partly down",
    lines=("No answer since 12:00 UTC, 2 of 3 replicas.", "Everything else is working."),
    affected=(
        Affected(
            "Payments",
            "Checkout",
            Health.DEAD,
            "12:00 UTC",
            "connection refused by 10.0.0.5:443",
            ("tcp://10.0.0.5:443", "Paris (tcp://10.0.0.6:443)"),
            1,
        ),
    ),
    url="https://status.acme.example/incidents/7",
    links=(
        Link("Acknowledge", "https://status.acme.example/a/7.acknowledge.1.x"),
        Link("Silence reminders", "https://status.acme.example/a/7.silence.1.x"),
    ),
    text="CHECKOUT IS PARTLY DOWN\nNo answer since 12:00 UTC – “2 of 3” replicas.\n",
    html="<h1>Checkout is partly down</h1>",
    page_name="Acme Status",
    incident=7,
    thread="incident-7-1795435200",
    created_at=NOON,
)


def notice(**changes):
    """`DOWN`, changed."""
    return msgspec.structs.replace(DOWN, **changes)


UP = notice(
    id="7-13-ops",
    kind=MessageKind.RECOVERED,
    health=Health.HEALTHY,
    title="UP: Checkout after 38 minutes (Acme)",
    headline="Checkout is back",
    lines=("It was down from 12:00 UTC to 12:38 UTC, for 38 minutes.",),
    affected=(),
    links=(),
)
