"""`crisp-status announce`: words to visitors on a running daemon."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from crisp_status.cli._client import asked, config_option, json_option, part, reach, seconds, url_option


@click.group(name="announce")
def command() -> None:
    """Post, list or remove announcements, on a running daemon.

    \b
    Example:
      crisp-status announce add "Database upgrade" --text "It takes an hour." --for 1h --maintenance data/db
    """


@command.command(name="add")
@click.argument("title")
@config_option
@url_option
@click.option("--text", default=None, metavar="MARKDOWN", help="More than the title; - reads it from standard input.")
@click.option("--starts", metavar="TIME", default=None, help="As in 2026-12-01T22:00:00Z; default: now.")
@click.option("--expires", metavar="TIME", default=None, help="When it is taken down; default: when you remove it.")
@click.option(
    "--for", "lasting", metavar="DURATION", default=None, help="Instead: how long from its start, as in 1h30m."
)
@click.option(
    "--maintenance", multiple=True, metavar="ID", help="Service or service/node that is worked on; repeatable."
)
@click.option(
    "--rrule", default="", metavar="RULE", help='Repeats the window (RFC 5545), as in "FREQ=WEEKLY;BYDAY=SU".'
)
def add(
    title: str,
    config_path: Path,
    url: str | None,
    text: str | None,
    starts: str | None,
    expires: str | None,
    lasting: str | None,
    maintenance: tuple[str, ...],
    rrule: str,
) -> None:
    """Post an announcement; prints its id. With --maintenance it is announced work: no messages, uptime not counted."""
    if text == "-":
        text = sys.stdin.read()
    value: dict[str, Any] = {
        "title": title,
        **({} if text is None else {"text": text}),
        "maintenance": list(maintenance),
        "rrule": rrule,
        "starts_at": starts,
        "expires_at": expires,
        "expires_in": seconds(lasting) if lasting else None,
    }
    click.echo(asked(reach(config_path, url), "POST", "/manager/announcement", value)["id"])


@command.command(name="list")
@config_option
@url_option
@json_option
def list_(config_path: Path, url: str | None, as_json: bool) -> None:
    """List all announcements, coming ones too."""
    found = asked(reach(config_path, url), "GET", "/manager/announcements")
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for words in found:
        times = f"{words['starts_at'] or 'now'} to {words['expires_at'] or 'removed'}"
        work = f", work on {', '.join(words['maintenance'])}" if words["maintenance"] else ""
        repeats = f", {words['rrule']}" if words["rrule"] else ""
        click.echo(
            f"{words['id']}  {words['title']}  ({times}{work}{repeats}{', in the file' if words['from_file'] else ''})"
        )


@command.command(name="remove")
@click.argument("id")
@config_option
@url_option
def remove(id: str, config_path: Path, url: str | None) -> None:
    """Take an announcement down."""
    asked(reach(config_path, url), "DELETE", f"/manager/announcement/{part(id)}")
