"""`crisp-status subscribers`: visitors who asked to be told."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from crisp_status.cli._client import asked, config_option, json_option, reach, url_option

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = ("email", "services", "language", "since")

CHUNK: Final = 500
"""Subscribers in one request."""


@click.group(name="subscribers")
def command() -> None:
    """List, remove, export or import visitors who are told, on a running daemon.

    \b
    Example:
      crisp-status subscribers list --find example.com
    """


@command.command(name="list")
@config_option
@url_option
@json_option
@click.option("--find", default="", metavar="TEXT", help="Only those with this in their address.")
def list_(config_path: Path, url: str | None, as_json: bool, find: str) -> None:
    """List who is told, and of what."""
    daemon = reach(config_path, url)
    found = list(_all(daemon, find))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for one in found:
        services = ", ".join(one["services"]) or "everything"
        stopped = ", stopped after failures" if one["stopped"] else ""
        once = f"only the end of incident {one['once']}" if one["once"] else services
        click.echo(f"{one['address']}  {one['kind']}, {once}, {one['language']}, since {one['since']}{stopped}")
    click.echo(f"{len(found)} subscriber{'' if len(found) == 1 else 's'}")


@command.command(name="remove")
@click.argument("address")
@config_option
@url_option
def remove(address: str, config_path: Path, url: str | None) -> None:
    """Forget the subscriber with this ADDRESS."""
    asked(reach(config_path, url), "POST", "/manager/subscribers/remove", {"address": address})


@command.command(name="export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@url_option
def export(file: Path, config_path: Path, url: str | None) -> None:
    """Write those by e-mail to FILE as CSV; only you can read it."""
    found = [one for one in _all(reach(config_path, url), "") if one["kind"] == "email" and not one["once"]]
    file.touch(mode=0o600)
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(COLUMNS)
        for one in found:
            writer.writerow([one["address"], " ".join(one["services"]), one["language"], one["since"]])
    click.echo(f"{len(found)} written to {file}")


@command.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@url_option
def import_(file: Path, config_path: Path, url: str | None) -> None:
    """Take in those of FILE who confirmed elsewhere: CSV with a column email, perhaps services and language. Sends nothing."""
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    if rows and "email" not in rows[0]:
        raise click.UsageError(f"{file}: the first line names the columns, and one of them must be `email`")
    daemon, taken = reach(config_path, url), 0
    for start in range(0, len(rows), CHUNK):
        given = [
            {
                "address": row["email"],
                "services": (row.get("services") or "").split(),
                "language": row.get("language") or "",
            }
            for row in rows[start : start + CHUNK]
        ]
        taken += asked(daemon, "POST", "/manager/subscribers", {"subscribers": given})["imported"]
    click.echo(f"{taken} imported")


def _all(daemon: Any, find: str) -> Iterator[dict[str, Any]]:
    after: str | None = "-1"
    while after is not None:
        page = asked(daemon, "GET", f"/manager/subscribers?find={quote(find)}&after={after}")
        yield from page["subscribers"]
        after = page["next"]
