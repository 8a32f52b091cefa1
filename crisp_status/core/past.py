"""What another program remembered: values of the event `HistoryImported`. Times are epoch seconds."""

from __future__ import annotations

import msgspec

from crisp_status.core.model import Health, Tally


def history_name(stem: str) -> str:
    """Name of the file that brings a history, beside a configuration of that name without its ending."""
    return f"{stem}.history.jsonl"


class PastDay(msgspec.Struct, array_like=True, gc=False):
    """One day that is over."""

    key: str
    """`2026-11-22`, in the page's zone."""
    nodes: dict[str, Tally]
    """By `service/node`."""


class PastSpan(msgspec.Struct, array_like=True, gc=False):
    """How long an incident affected one node, and how badly."""

    since: float
    until: float
    worst: Health = Health.DEAD


class PastUpdate(msgspec.Struct, array_like=True, gc=False):
    """What somebody wrote to visitors."""

    at: float
    text: str
    phase: str = ""


class PastIncident(msgspec.Struct, omit_defaults=True, gc=False):
    """An incident that is over."""

    opened_at: float
    closed_at: float
    nodes: dict[str, PastSpan] = msgspec.field(default_factory=dict)
    title: str = ""
    """"" for one that was found by looking."""
    worst: Health = Health.DEAD
    updates: list[PastUpdate] = msgspec.field(default_factory=list)
