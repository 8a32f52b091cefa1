"""When a job on a schedule is due: cron expressions, in the wall clock of a time zone (library `cronsim`)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim


@lru_cache(1024)
def next_run(schedule: str, zone: str, after: float) -> float:
    """The first time of `schedule` after `after`, in epoch seconds. Raises `cronsim.CronSimError` for a wrong one.

    As Debian's cron does it: a time that the clocks skip is due just after, one that comes twice is due once.
    """
    start = datetime.fromtimestamp(after, ZoneInfo(zone))
    return next(CronSim(schedule, start)).timestamp()
