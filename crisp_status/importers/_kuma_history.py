"""Days and outages from the heartbeats of Uptime Kuma."""

from __future__ import annotations

import datetime
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from crisp_status.importers._files import number, text
from crisp_status.importers._history import History, tally, together
from crisp_status.importers._kuma_files import asked, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crisp_status.importers._files import Source

DOWN, UP, PENDING, MAINTENANCE = 0, 1, 2, 3

DAILY: Final = "SELECT monitor_id, date(timestamp, 'unixepoch') AS day, up, down FROM stat_daily"
BEATS: Final = (
    "SELECT monitor_id, substr(time, 1, 10) AS day, SUM(status = 1) AS up, SUM(status = 0) AS down, "
    "SUM(status = 3) AS work FROM heartbeat GROUP BY monitor_id, day"
)
CHANGES: Final = "SELECT monitor_id, status, time FROM heartbeat WHERE important = 1 ORDER BY time"


def history(source: Source, keys: dict[int, str]) -> History:
    """What it remembers of the monitors that became nodes. Its days are those of UTC."""
    return asked(source, lambda connection: _read(connection, keys))


def _read(connection: sqlite3.Connection, keys: dict[int, str]) -> History:
    known, found = names(connection), History()
    periods = {
        row["id"]: number(row["interval"]) or 60 for row in connection.execute("SELECT id, interval FROM monitor")
    }
    # The newer figures last, so that they win: heartbeats go back for months, daily figures for a year.
    queries = [(BEATS, "heartbeat"), (DAILY, "stat_daily")]
    for query, name in queries:
        for row in connection.execute(query) if name in known else ():
            key, work = keys.get(row["monitor_id"]), row["work"] if "work" in row.keys() else 0  # noqa: SIM118 -- a Row
            if key is None or not row["day"]:
                continue
            beats = [
                (number(count) or 0) * periods.get(row["monitor_id"], 60) for count in (row["up"], row["down"], work)
            ]
            seconds = tally(beats[0], 0.0, beats[1], beats[2]) if min(beats) >= 0 else None
            if seconds is not None:
                found.days.setdefault(text(row["day"]), {})[key] = seconds
    if "heartbeat" in known:
        found.incidents = together(_outages(connection.execute(CHANGES), keys))
    return found


def _outages(rows: Iterable[Any], keys: dict[int, str]) -> Iterator[tuple[str, float, float]]:
    """From the first beat that was down to the next that was not; what is still down is not over."""
    since: dict[str, float] = {}
    for row in rows:
        key, at = keys.get(row["monitor_id"]), _stamp(row["time"])
        if key is None or at is None or row["status"] == PENDING:
            continue
        if row["status"] == DOWN:
            since.setdefault(key, at)
        elif key in since:
            yield key, since.pop(key), at


def _stamp(value: Any) -> float | None:
    try:
        found = datetime.datetime.fromisoformat(text(value))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
