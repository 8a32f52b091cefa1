"""What Uptime Kuma wrote, as one shape: its database (version 2, and 1) or the JSON backup of version 1."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from crisp_status.importers._files import ImportFailed, flag, number, table, tables, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crisp_status.importers._files import Source

Answer = TypeVar("Answer")

MAGIC: Final = b"SQLite format 3\x00"

ROWS_MAX: Final = 20_000
"""Of one table. Heartbeats are not read here."""

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")

TABLES: Final = (
    "monitor",
    "notification",
    "monitor_notification",
    "status_page",
    "status_page_cname",
    "group",
    "monitor_group",
    "incident",
    "maintenance",
    "monitor_maintenance",
    "monitor_tag",
    "proxy",
    "setting",
)


@dataclass
class Kuma:
    """Its tables by name, rows as dictionaries with the names of the database's columns."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    database: bool = True
    """False: the backup of version 1, which knows no status pages, incidents or maintenances."""

    def __getitem__(self, name: str) -> list[dict[str, Any]]:
        return self.rows.get(name, [])

    def setting(self, key: str) -> str:
        """A setting's text; "" when it is not set."""
        value = next((text(row.get("value")) for row in self["setting"] if row.get("key") == key), "")
        try:
            return text(json.loads(value)) if value else ""
        except json.JSONDecodeError:
            return value


def opened(files: Sequence[Source]) -> Kuma:
    """The tables in a `kuma.db`, or in a backup of version 1."""
    if len(files) != 1:
        raise ImportFailed("Uptime Kuma has one file: kuma.db, or the backup of version 1")
    source = files[0]
    return _database(source) if source.head().startswith(MAGIC) else _backup(source)


def asked(source: Source, ask: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """What a question to the database gives. It is opened to read only; a log beside it counts where that is allowed."""
    for mode in ("mode=ro", "immutable=1"):
        try:
            connection = sqlite3.connect(f"file:{quote(str(source.path.absolute()))}?{mode}", uri=True)
        except sqlite3.Error as error:
            raise ImportFailed(f"{source.path} cannot be opened: {error}") from None
        try:
            connection.row_factory = sqlite3.Row
            return ask(connection)
        except sqlite3.Error as error:
            # A log that nobody may open here: what was committed long ago can be read anyhow.
            if mode == "mode=ro" and isinstance(error, sqlite3.OperationalError):
                continue
            raise ImportFailed(f"{source.path} cannot be read: {error}; copy it while Uptime Kuma is stopped") from None
        finally:
            connection.close()
    raise AssertionError  # the last mode returned or raised


def names(connection: sqlite3.Connection) -> set[str]:
    """The tables that there are."""
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _database(source: Source) -> Kuma:
    def ask(connection: sqlite3.Connection) -> Kuma:
        found, known = Kuma(), names(connection)
        if "monitor" not in known:
            raise ImportFailed(f"{source.path} has no table of monitors; is it Uptime Kuma's kuma.db?")
        for name in known.intersection(TABLES):
            rows = connection.execute(f'SELECT * FROM "{name}" LIMIT {ROWS_MAX}')  # noqa: S608 -- names of ours
            found.rows[name] = [{key: _scalar(row[key]) for key in row.keys()} for row in rows]  # noqa: SIM118 -- a Row
        return found

    return asked(source, ask)


def _backup(source: Source) -> Kuma:
    data = table(source.json())
    if not isinstance(data.get("monitorList"), list):
        raise ImportFailed(f"{source.path} has no monitorList; is it a backup of Uptime Kuma?")
    monitors = [_columns(monitor) for monitor in tables(data["monitorList"])]
    for monitor in monitors:
        monitor["accepted_statuscodes_json"] = json.dumps(monitor.get("accepted_statuscodes") or ["200-299"])
        if isinstance(monitor.get("headers"), dict):
            monitor["headers"] = json.dumps(monitor["headers"])
    told = [
        {"monitor_id": _scalar(monitor.get("id")), "notification_id": number(key)}
        for monitor in monitors
        for key, on in table(monitor.get("notification_idlist")).items()
        if flag(on)
    ]
    tags = [{"monitor_id": _scalar(m.get("id")), "tag_id": 0} for m in monitors if m.get("tags")]
    lists = {"notification": tables(data.get("notificationList")), "proxy": tables(data.get("proxyList"))}
    monitors = [{key: _scalar(value) for key, value in monitor.items()} for monitor in monitors]
    return Kuma({"monitor": monitors, "monitor_notification": told, "monitor_tag": tags, **lists}, database=False)


def _scalar(value: Any) -> Any:
    """A value as a column holds one: what is an array or object in a backup is its JSON, bytes are text."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _columns(monitor: dict[str, Any]) -> dict[str, Any]:
    """The keys of a backup as the database names them: `retryInterval` is `retry_interval`."""
    return {_CAMEL.sub(r"_\1", key).lower(): value for key, value in monitor.items()}
