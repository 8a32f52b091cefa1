"""The last 90 days of everything, from sparse periods: what was usual costs nothing.

Past days change once a day, so they are summed once a day (`Past`); a view adds the running day to the sums.
"""

from __future__ import annotations

from datetime import date, timedelta
from math import floor
from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status.core.model import Tally
from crisp_status.core.uptime import day_of
from crisp_status.view.book import Book
from crisp_status.view.book import seen as observed
from crisp_status.view.page_view import STRIP_DAYS, DayView, HistoryView

if TYPE_CHECKING:
    from crisp_status.core.model import Ledger, State
    from crisp_status.view.page_view import Look

_TODAY: Final = STRIP_DAYS - 1

_SETTLED: Final = 2 * 86400.0
"""Observed seconds from which another healthy hour moves the uptime by little."""


class Sums(msgspec.Struct, frozen=True, gc=False):
    """Past days of one key, without today."""

    up: float
    dead: float
    sick: float
    days: tuple[DayView, ...]
    blank: tuple[int, ...]
    calm: HistoryView
    """The history when today is nothing but healthy, as it is on most days; exact while nothing was ever dead."""


class Past:
    """All past days of a state, made again when a day ends."""

    def __init__(self, state: State, now: float) -> None:
        self.mark = mark(state)
        zone = state.plan.timezone
        last = day_of(state.day_ends_at - 1.0 if state.day_ends_at else now, zone)
        today = date.fromisoformat(last)
        self.days = tuple((today - timedelta(days=n)).isoformat() for n in range(_TODAY, -1, -1))
        self.book = Book(state.days)
        place = {day: index for index, day in enumerate(self.days[:-1])}
        self._periods = [(place[p.key], p) for p in state.days if p.key in place]
        self._others: dict[str, list[tuple[int, Tally, Tally | None]]] = {}
        for index, period in self._periods:
            for key, tally in period.others.items():
                self._others.setdefault(key, []).append((index, period.usual, tally))
        self._usual: dict[int, Sums] = {}

    def of(self, key: str, born: float) -> Sums:
        """The sums of `key`: "" the page, `svc` a service, `svc/node` a node."""
        own = self._others.get(key)
        start = 0
        if self._periods and born >= self._periods[0][1].ends_at:
            start = next((i for i, (_, p) in enumerate(self._periods) if born < p.ends_at), len(self._periods))
        usual = self._usual.get(start)
        if usual is None:
            usual = self._usual[start] = self._sum_usual(start)
        return usual if own is None else self._with_own(usual, own)

    def _sum_usual(self, start: int) -> Sums:
        up = dead = sick = 0.0
        days = []
        blank = set(range(_TODAY))
        for index, period in self._periods[start:]:
            tally = period.usual
            up += tally.healthy + tally.sick
            dead += tally.dead
            sick += tally.sick
            if observed(tally):
                blank.discard(index)
            day = _day(index, tally)
            if day is not None and day.look != "pend":
                days.append(day)
        return _sums(up, dead, sick, tuple(days), tuple(sorted(blank)))

    def _with_own(self, usual: Sums, own: list[tuple[int, Tally, Tally | None]]) -> Sums:
        up, dead, sick = usual.up, usual.dead, usual.sick
        mine = {index for index, _, _ in own} if usual.days else ()
        days = [d for d in usual.days if d.index not in mine]
        gone, seen, blank = [], [], usual.blank
        # A start comes here for every bad day of thousands of nodes, hence no calls.
        for index, common, tally in own:
            if index not in blank:
                up -= common.healthy + common.sick
                dead -= common.dead
                sick -= common.sick
            if tally is None or not (tally.healthy or tally.sick or tally.dead or tally.maintenance):
                gone.append(index)
                continue
            seen.append(index)
            slow, down, work = tally.sick, tally.dead, tally.maintenance
            up += tally.healthy + slow
            dead += down
            sick += slow
            if down or slow or work:
                days.append(DayView(index, "dead" if down else "sick" if slow else "work", down, slow, work))
        if usual.days:
            days.sort(key=_index)
        if gone or (blank and not set(blank).isdisjoint(seen)):
            blank = tuple(sorted((set(blank) | set(gone)) - set(seen)))
        return _sums(up, dead, sick, tuple(days), blank)


def mark(state: State) -> tuple[float, int, str, str]:
    """Changes when a day ends."""
    return state.day_ends_at, len(state.days), state.days[-1].key if state.days else "", state.plan.timezone


def running(ledger: Ledger, counts_as: str | None, now: float) -> Tally:
    """The day so far. What is healthy counts hour by hour, as it is brought up to date then; all else by minutes."""
    day = ledger.day
    tally = Tally(day.healthy, day.sick, day.dead, day.maintenance)
    if counts_as and counts_as != "healthy":
        minutes = max(0.0, now - ledger.since) // 60.0 * 60.0
        setattr(tally, counts_as, getattr(tally, counts_as) + minutes)
    return tally


def until_now(sums: Sums, ledger: Ledger, counts_as: str | None, now: float) -> HistoryView:
    """Past and running day together. The running stretch counts in whole minutes, so that views stay equal longer.

    A healthy one counts hour by hour (`accrue_all` closes it then) once two days are known: it changes next to nothing.
    """
    day = ledger.day
    well = counts_as == "healthy" or (counts_as is None and day.healthy)
    if well and not (day.sick or day.dead or day.maintenance or sums.dead):
        return sums.calm
    tally = Tally(day.healthy, day.sick, day.dead, day.maintenance)
    if counts_as and not is_still(sums, counts_as):
        running = max(0.0, now - ledger.since) // 60.0 * 60.0
        setattr(tally, counts_as, getattr(tally, counts_as) + running)
    if not (counts_as or observed(tally)):
        return _history(sums.up, sums.dead, sums.sick, sums.days, (*sums.blank, _TODAY), seen_today=False)
    today = _day(_TODAY, tally, counts_as)
    return _history(
        sums.up + tally.healthy + tally.sick,
        sums.dead + tally.dead,
        sums.sick + tally.sick,
        sums.days if today is None else (*sums.days, today),
        sums.blank,
        seen_today=True,
    )


def is_still(sums: Sums, counts_as: str | None) -> bool:
    """Whether the history stays as it is while this goes on, until the ledger is brought up to date."""
    return counts_as == "healthy" and (not sums.dead or sums.up + sums.dead > _SETTLED)


def _index(day: DayView) -> int:
    return day.index


def _sums(up: float, dead: float, sick: float, days: tuple[DayView, ...], blank: tuple[int, ...]) -> Sums:
    return Sums(up, dead, sick, days, blank, _history(up, dead, sick, days, blank, seen_today=True))


def _history(
    up: float, dead: float, sick: float, days: tuple[DayView, ...], blank: tuple[int, ...], *, seen_today: bool
) -> HistoryView:
    count = STRIP_DAYS - len(blank)
    uptime = percent(up, dead) if count else None
    if uptime is None and count and seen_today and not dead:
        uptime = 100.0
    return HistoryView(days, uptime, dead, sick, count, blank)


def percent(up: float, dead: float) -> float | None:
    """Percent of observed time, floored to two decimals; 100 only without any dead time; None without any time."""
    if up + dead <= 0:
        return None
    return 100.0 if dead <= 0 else floor(up / (up + dead) * 10000 + 1e-9) / 100


def _day(index: int, tally: Tally, counts_as: str | None = None) -> DayView | None:
    look: Look
    if tally.dead or counts_as == "dead":
        look = "dead"
    elif tally.sick or counts_as == "sick":
        look = "sick"
    elif tally.maintenance or counts_as == "maintenance":
        look = "work"
    elif tally.healthy or counts_as:
        return None
    else:
        look = "pend"
    return DayView(index, look, tally.dead, tally.sick, tally.maintenance)
