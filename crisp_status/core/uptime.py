"""Uptime: seconds tallied as transitions happen, so that no history is ever scanned.

Laws
- uptime = healthy and sick seconds / observed seconds; dead is down. Maintenance is tallied apart and leaves it alone.
- Pending, unknown, offline and our own absence are tallied nowhere.
- A day is a day of the page's zone: it may have 23 or 25 hours.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from crisp_status.core.model import Health, Ledger, Period, Tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.core.model import Node, Service, State

LONGEST_DAY: Final = 25 * 3600.0
"""Seconds: a day on which clocks go back."""

_zone = lru_cache(maxsize=64)(ZoneInfo)


def share(tallies: Iterable[Tally | None]) -> float | None:
    """Part of the observed seconds that were up, 0 to 1; None when nothing was observed."""
    up = down = 0.0
    for tally in tallies:
        if tally is not None:
            up += tally.healthy + tally.sick
            down += tally.dead
    return up / (up + down) if up + down > 0 else None


def day_of(at: float, zone: str) -> str:
    """The page's day that `at` is in, as `2026-11-22`."""
    return datetime.fromtimestamp(at, _zone(zone)).strftime("%Y-%m-%d")


def day_end(at: float, zone: str) -> float:
    """When the page's day that `at` is in ends (the first instant of the next)."""
    tz = _zone(zone)
    local = datetime.fromtimestamp(at, tz)
    midnight = datetime(local.year, local.month, local.day, tzinfo=tz) + timedelta(days=1)
    end = midnight.timestamp()
    while end <= at:  # a zone whose midnight is skipped or repeated
        end += 3600.0
    return end


def hour_end(at: float) -> float:
    """When the UTC hour that `at` is in ends."""
    return (at // 3600.0 + 1.0) * 3600.0


def accrue(ledger: Ledger, at: float, counts_as: str | None) -> None:
    """Tally the time since `ledger.since` as `healthy`, `sick`, `dead` or `maintenance`; None as nothing."""
    seconds = at - ledger.since
    if seconds <= 0:
        return
    ledger.since = at
    if counts_as is not None:
        setattr(ledger.day, counts_as, getattr(ledger.day, counts_as) + seconds)


_WORDS: Final = {Health.HEALTHY: "healthy", Health.SICK: "sick", Health.DEAD: "dead", Health.PENDING: None}


def node_counts_as(state: State, node: Node) -> str | None:
    """What a second of this node counts as now."""
    if node.maintenance:
        return "maintenance"
    if state.offline_since or (node.unknowns and node.health is not Health.DEAD):
        return None
    return _WORDS[node.health]


def parent_counts_as(state: State, parent: Service | State) -> str | None:
    """What a second of a service or of the page counts as now."""
    if state.offline_since:
        return None
    if parent.counts[4] and not any(parent.counts[:4]):
        return "maintenance"
    return _WORDS[parent.health]


def accrue_all(state: State, at: float) -> None:
    """Bring every ledger up to `at`: at the end of an hour or day, at a start, at a jump of the clock."""
    accrue(state.ledger, at, parent_counts_as(state, state))
    for service in state.services.values():
        accrue(service.ledger, at, parent_counts_as(state, service))
    for node in state.nodes.values():
        accrue(node.ledger, at, node_counts_as(state, node))


def anchor_all(state: State, at: float) -> None:
    """Continue every ledger from `at`; what lies before is nobody's."""
    for _, ledger in state.all_ledgers():
        ledger.since = at


def close_periods(state: State, at: float) -> bool:
    """Close each day that ended by `at`, and tally at the end of each hour; whether any did. A long gap is one day."""
    zone = state.plan.timezone
    if state.day_ends_at == 0.0:
        state.day_ends_at, state.hour_ends_at = day_end(at, zone), hour_end(at)
        return True
    if at < min(state.day_ends_at, state.hour_ends_at):
        return False
    while at >= min(state.day_ends_at, state.hour_ends_at):
        ends = min(state.day_ends_at, state.hour_ends_at)
        accrue_all(state, ends)
        if ends >= state.hour_ends_at:
            state.hour_ends_at = hour_end(max(ends, at - 2 * 3600.0))
        if ends >= state.day_ends_at:
            _close(state, day_of(ends - 1.0, zone), ends)
            state.day_ends_at = day_end(max(ends, at - 2 * 86400.0), zone)
    return True


def rezone(state: State, at: float) -> None:
    """The page's zone changed: the running day ends where the new zone says."""
    if state.day_ends_at:
        state.day_ends_at = day_end(at, state.plan.timezone)


def _close(state: State, key: str, ends: float) -> None:
    days = state.days
    tallies: dict[str, Tally] = {}
    for name, ledger in state.all_ledgers():
        tallies[name] = _rounded(ledger.day)
        ledger.day = Tally()
    common = Counter((t.healthy, t.sick, t.dead, t.maintenance) for t in tallies.values()).most_common(1)
    usual = Tally(*common[0][0]) if common else Tally()
    while days and days[-1].ends_at > ends:  # the clock was in the future, and has been set back
        days.pop()
    if days and days[-1].key == key:  # a day that the clock went through twice
        days[-1] = _merged(state, days[-1], tallies)
    else:
        others: dict[str, Tally | None] = {name: tally for name, tally in tallies.items() if tally != usual}
        days.append(Period(key, ends, usual, others))
    del days[: max(0, len(days) - state.plan.history_days)]


def _merged(state: State, period: Period, tallies: dict[str, Tally]) -> Period:
    """A day with what came again. A new one: whoever kept the bytes of the old one keeps what they say."""
    others = dict(period.others)
    born = {name: ledger.born for name, ledger in state.all_ledgers()}
    for name, tally in tallies.items():
        before = _of(period, name, born[name]) or Tally()
        others[name] = Tally(
            before.healthy + tally.healthy,
            before.sick + tally.sick,
            before.dead + tally.dead,
            before.maintenance + tally.maintenance,
        )
    return Period(period.key, period.ends_at, period.usual, others)


def recount(state: State, node: str, before: Span | None, after: Span | None) -> None:
    """Move seconds of a node, its service and the page between dead and healthy, as its down time was corrected.

    `before` and `after` are from and until when it was down, None: it was not. Time that another incident says was down
    stays so. Only days that are over and kept are counted again; a day has no more seconds to move than it tallied.
    """
    for key in (node, node.partition("/")[0], ""):
        other = _down(state, key)
        freed = _without(_without([before] if before else [], [after] if after else []), other)
        _shift(state, key, freed, "dead", "healthy")
        joined = _without([after] if after else [], [before] if before else [])
        _shift(state, key, joined, "healthy", "dead")


Span = tuple[float, float]


def _down(state: State, key: str) -> list[Span]:
    """When incidents that count say that something below `key` was dead."""
    return [
        (hurt.dead_at, hurt.well_at or state.at)
        for incident in (*state.closed, *state.open.values())
        if not incident.record.struck and not incident.record.manual
        for name, hurt in incident.nodes.items()
        if hurt.dead_at and (not key or name == key or name.startswith(f"{key}/"))
    ]


def _without(spans: list[Span], taken: list[Span]) -> list[Span]:
    """What is left of `spans`."""
    for start, end in taken:
        spans = [
            part
            for low, high in spans
            for part in ((low, min(high, start)), (max(low, end), high))
            if part[0] < part[1]
        ]
    return spans


def _shift(state: State, key: str, spans: list[Span], old: str, new: str) -> None:
    """Count so many seconds of each day as `new` instead of `old`."""
    if not spans:
        return
    begins = 0.0
    for place, period in enumerate(state.days):
        start = max(begins, period.ends_at - LONGEST_DAY)
        begins = period.ends_at
        seconds = sum(max(0.0, min(high, period.ends_at) - max(low, start)) for low, high in spans)
        tally = period.others.get(key, period.usual)
        if seconds and tally is not None:
            # A new period: whoever kept the bytes of the old one keeps what they say.
            others = period.others | {key: _moved(tally, old, new, seconds)}
            state.days[place] = Period(period.key, period.ends_at, period.usual, others)
    ledger = _ledger(state, key)
    if ledger is not None:
        seconds = sum(max(0.0, min(high, ledger.since) - max(low, begins)) for low, high in spans)
        ledger.day = _moved(ledger.day, old, new, seconds)


def _moved(tally: Tally, old: str, new: str, seconds: float) -> Tally:
    seconds = min(seconds, getattr(tally, old))
    moved = replace(tally)
    setattr(moved, old, getattr(tally, old) - seconds)
    setattr(moved, new, getattr(tally, new) + seconds)
    return moved


def _rounded(tally: Tally) -> Tally:
    return Tally(*(round(v, 1) for v in (tally.healthy, tally.sick, tally.dead, tally.maintenance)))


def tallies(state: State, key: str, born: float, days: int) -> list[tuple[str, Tally | None]]:
    """The last `days` days of one key, oldest first, today last; None where it was not observed at all.

    Days that this daemon never saw have no entry: the caller knows the calendar.
    """
    ledger = _ledger(state, key)
    today = [(day_of(state.day_ends_at - 1.0, state.plan.timezone), ledger.day)] if ledger and state.day_ends_at else []
    past = [(p.key, _of(p, key, born)) for p in state.days[-(days - 1) :]] if days > 1 else []
    return [(day, t if t is not None and _any(t) else None) for day, t in past + today]


def _of(period: Period, key: str, born: float) -> Tally | None:
    if key in period.others:
        return period.others[key]
    return period.usual if born < period.ends_at else None


def _any(tally: Tally) -> bool:
    return tally.healthy + tally.sick + tally.dead + tally.maintenance > 0


def _ledger(state: State, key: str) -> Ledger | None:
    if key == "":
        return state.ledger
    if "/" in key:
        node = state.nodes.get(key)
        return node.ledger if node else None
    service = state.services.get(key)
    return service.ledger if service else None
