"""Numbered boxes, and the words that say what a strip of days shows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from crisp_status.core.model import Health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import HistoryView, ReplicaView


def label(history: HistoryView, t: Locale) -> str:
    """What the strip shows, in words: `Last 90 days: 2 slow, 1 with an outage`."""
    if not history.observed:
        return t.gettext("No history yet")
    looks = [d.look for d in history.days]
    dead, sick, work = looks.count("dead"), looks.count("sick"), looks.count("work")
    parts = [
        t.npgettext("days", "%(n)s with an outage", "%(n)s with an outage", dead) % {"n": dead} if dead else "",
        t.npgettext("days", "%(n)s sick", "%(n)s sick", sick) % {"n": sick} if sick else "",
        t.npgettext("days", "%(n)s with maintenance", "%(n)s with maintenance", work) % {"n": work} if work else "",
    ]
    listed = t.pgettext("between items of a list", ", ").join(p for p in parts if p)
    values = {"n": history.observed, "list": listed or t.pgettext("days", "all healthy")}
    return t.ngettext("Last %(n)s day: %(list)s", "Last %(n)s days: %(list)s", history.observed) % values


def boxes(replicas: Sequence[ReplicaView], look: str) -> Markup:
    """The numbered boxes of a row. Most rows have the same few, so that they are made once."""
    return _boxes(tuple([(replica.number, replica.health) for replica in replicas]), look == "work")


@lru_cache(maxsize=4096)
def _boxes(replicas: tuple[tuple[int, Health], ...], working: bool) -> Markup:
    made = []
    for number, health in replicas:
        look = " work" if working else ("", " sick", " dead", " pend")[health - 1]
        made.append(
            f'<span class="css-home-services-group-node-replica{look}" data-status="{health.word}">{number}</span>'
        )
    return Markup("".join(made))
