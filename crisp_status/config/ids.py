"""Ids: those that are made from names, and that none is there twice."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.problems import Fault, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crisp_status.config.locate import Path

SLUG_MAX: Final = 64
"""Characters, as many as an id may have that somebody writes: it stands in addresses of pages, badges and reports."""


def slug(name: str) -> str:
    """An id made from a name: `Café & Bar` gives `cafe-bar`; "" when it has no Latin letters or digits."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    return "-".join(words)[:SLUG_MAX].strip("-")


def tables(data: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The tables of an array, each with its path; entries of another type are left out, as it is reported elsewhere."""
    for part in path:
        data = data[part] if isinstance(part, int) else data.get(part) if isinstance(data, dict) else None
    for index, item in enumerate(data if isinstance(data, list) else ()):
        if isinstance(item, dict):
            yield (*path, index), item


def fill(data: dict[str, Any]) -> list[Fault]:
    """Give every service, node, notifier, web hook and announcement its id, in place; what cannot be done."""
    faults: list[Fault] = []
    services: dict[str, Path] = {}
    for path, service in tables(data, ("services",)):
        _own(service, path, services, faults)
        nodes: dict[str, Path] = {}
        for node_path, node in tables(data, (*path, "nodes")):
            _own(node, node_path, nodes, faults)
    senders: dict[str, Path] = {}
    operators: dict[str, Path] = {}
    announcements: dict[str, Path] = {}
    for name, base, taken in (
        ("notifiers", _by("type", "notifier"), senders),
        ("webhooks", lambda _: "webhook", senders),
        ("announcements", _by("title", "announcement"), announcements),
    ):
        for path, table in tables(data, (name,)):
            if "id" in table:
                _taken(table, path, "id", taken, faults)
        for _path, table in tables(data, (name,)):
            table.setdefault("id", _free(base(table), taken))
            taken.setdefault(str(table["id"]), _path)
    for path, table in tables(data, ("operators",)):
        _taken(table, path, "id", operators, faults)
    return faults


def written_ids(data: dict[str, Any]) -> frozenset[str]:
    """Ids of notifiers and web hooks that the operator wrote, before `fill` makes the others."""
    return frozenset(
        str(table["id"]) for name in ("notifiers", "webhooks") for _, table in tables(data, (name,)) if "id" in table
    )


def _by(key: str, otherwise: str) -> Callable[[dict[str, Any]], str]:
    return lambda table: (slug(table[key]) if isinstance(table.get(key), str) else "") or otherwise


def _free(base: str, taken: dict[str, Path]) -> str:
    """The base, or with the first number that makes it free."""
    number, free = 1, base
    while free in taken:
        number += 1
        free = f"{base}-{number}"
    return free


def _own(table: dict[str, Any], path: Path, taken: dict[str, Path], faults: list[Fault]) -> None:
    """Id of a service or node: it is remembered and stands in URLs, so it is never numbered by itself."""
    if "id" in table:
        _taken(table, path, "id", taken, faults)
        return
    name = table.get("name")
    if not isinstance(name, str) or not name:
        return
    table["id"] = slug(name)
    if not table["id"]:
        del table["id"]
        faults.append(Fault((*path, "name"), f'no id can be made from "{name[:60]}"; give it one, as in id = "web"'))
        return
    _taken(table, path, "name", taken, faults)


def _taken(table: dict[str, Any], path: Path, key: str, taken: dict[str, Path], faults: list[Fault]) -> None:
    name = table.get("id")
    if not isinstance(name, str):
        return
    first = taken.setdefault(name, path)
    if first != path:
        made = "" if key == "id" else ", made from the name,"
        advice = "give it another one" if key == "id" else "give one of them another id"
        faults.append(Fault((*path, key), f'the id "{name}"{made} is taken by {written(first)}; {advice}'))
