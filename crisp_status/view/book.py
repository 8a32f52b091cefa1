"""The days that are over, as they are kept: who was how long what, on which day. Immutable, shared by views.

The strip of ninety days needs sums only; the pages of a day, a month and the uptime report ask here for the rest.
"""

from __future__ import annotations

from datetime import date, timedelta
from math import floor
from typing import TYPE_CHECKING

import msgspec

from crisp_status.core.model import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crisp_status.core.model import Period

NOTHING = Tally()


class Span(msgspec.Struct, frozen=True, gc=False):
    """What was observed of one thing over some days."""

    healthy: float = 0.0
    """Seconds, as all of these."""
    sick: float = 0.0
    dead: float = 0.0
    maintenance: float = 0.0
    days: int = 0
    """With data."""

    @property
    def uptime(self) -> float | None:
        """Percent, floored to two decimals; 100 only without any dead time; None without any observed time."""
        up = self.healthy + self.sick
        if up + self.dead <= 0:
            return None
        return 100.0 if self.dead <= 0 else floor(up / (up + self.dead) * 10000 + 1e-9) / 100

    @property
    def observed(self) -> float:
        """Seconds that count for uptime."""
        return self.healthy + self.sick + self.dead


class Book:
    """Periods by day. Not to be changed."""

    def __init__(self, periods: Iterable[Period] = ()) -> None:
        self._periods = {period.key: period for period in periods}
        self.first = min(self._periods, default="")
        """The oldest day that is kept: `2026-08-25`; "" when none is."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Book) and self._periods == other._periods

    __hash__ = None  # type: ignore[assignment]  # equal by what it holds

    def __contains__(self, day: str) -> bool:
        return day in self._periods

    def tally(self, day: str, key: str, born: float) -> Tally | None:
        """Of "" the page, `svc` a service, `svc/node` a node on a day that is over; None: it was not observed then."""
        period = self._periods.get(day)
        if period is None:
            return None
        found = period.others.get(key, period.usual if born < period.ends_at else None)
        return found if found is not None and seen(found) else None

    def troubled(self, day: str, keys: Iterable[str]) -> Iterator[tuple[str, Tally]]:
        """Those of `keys` that were not simply healthy on a day, in their order."""
        period = self._periods.get(day)
        if period is None:
            return
        others, usual = period.others, period.usual
        if not (usual.sick or usual.dead or usual.maintenance):
            # Few are listed, and there may be thousands of keys.
            place = {key: index for index, key in enumerate(keys)} if len(others) > 1 else None
            found = [k for k in others if place is None or k in place]
            keys = sorted(found, key=place.__getitem__) if place is not None else set(keys) & set(found)
        for key in keys:
            tally = others.get(key, usual)
            if tally is not None and (tally.sick or tally.dead or tally.maintenance):
                yield key, tally


def seen(tally: Tally) -> bool:
    """Whether anything was observed in that time."""
    return tally.healthy + tally.sick + tally.dead + tally.maintenance > 0


def total(tallies: Iterable[Tally | None]) -> Span:
    """The sum of some days."""
    healthy = sick = dead = maintenance = 0.0
    days = 0
    for tally in tallies:
        if tally is not None and seen(tally):
            healthy += tally.healthy
            sick += tally.sick
            dead += tally.dead
            maintenance += tally.maintenance
            days += 1
    return Span(healthy, sick, dead, maintenance, days)


def month_days(month: str) -> list[str]:
    """All days of `2026-11`, first to last."""
    year, number = int(month[:4]), int(month[5:7])
    day = date(year, number, 1)
    days = []
    while day.month == number:
        days.append(day.isoformat())
        day += timedelta(days=1)
    return days
