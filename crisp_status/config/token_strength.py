"""Tokens that are long enough to be taken and short enough to be guessed; `check` and `run` say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.problems import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.config.locate import Path

STRONG: Final = 16
"""Characters. Twelve random ones are 70 bits; what people make up has half of that. `init` writes 32."""

KEYS: Final = ("reporter_token", "manager_token")


def remarks(data: dict[str, Any]) -> list[Fault]:
    """One for each token that could be guessed: the right one always opens, however many wrong ones came before."""
    return [
        Fault(path, f"has only {len(token)} characters and could be guessed; use {STRONG} random ones or more")
        for path, token in _tokens(data)
        if len(token) < STRONG
    ]


def _tokens(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    tables: list[tuple[Path, Any]] = [(("server",), data.get("server"))]
    services = data.get("services")
    for i, service in enumerate(services if isinstance(services, list) else ()):
        tables.append((("services", i), service))
        nodes = service.get("nodes") if isinstance(service, dict) else None
        tables += [
            (("services", i, "nodes", j), node) for j, node in enumerate(nodes if isinstance(nodes, list) else ())
        ]
    for path, table in tables:
        for key in KEYS if isinstance(table, dict) else ():
            if isinstance(table.get(key), str):
                yield (*path, key), table[key]
