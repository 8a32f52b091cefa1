"""`crisp-status outbox`: what is not delivered, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click

from crisp_status.cli._client import asked, config_option, json_option, part, reach, url_option


@click.group(name="outbox")
def command() -> None:
    """List, retry or drop messages that their receivers have not taken yet, on a running daemon.

    \b
    Example:
      crisp-status outbox list
    """


@command.command(name="list")
@config_option
@url_option
@json_option
def list_(config_path: Path, url: str | None, as_json: bool) -> None:
    """List what waits, with the last error of each, and what is held back, with the reason. Exit code 1: a message has failed at least once."""
    box = asked(reach(config_path, url), "GET", "/manager/outbox")
    if as_json:
        click.echo(json.dumps(box, indent=2, ensure_ascii=False))
    else:
        for m in box["messages"]:
            target = f" to {m['target']}" if m["target"] else ""
            why = f": {m['last_error']}" if m["last_error"] else ""
            often = "once" if m["attempts"] == 1 else f"{m['attempts']} times"
            refused = "refused, " if m["refused"] else ""
            refused = "its notifier is gone, " if m["vanished"] else refused
            tries = f"{refused}tried {often}, next at {m['due_at']}" if m["attempts"] else "not tried yet"
            click.echo(f"{m['id']}  {m['kind']} by {m['notifier']}{target}, from {m['created_at']}, {tries}{why}")
        if box["total"] > len(box["messages"]):
            click.echo(f"… and {box['total'] - len(box['messages'])} more")
        for h in box["held"]:
            click.echo(f"incident {h['incident']}: {h['notifier']} is not told of {h['node']}: {h['reason']}")
        for lost in box["lost"]:
            click.echo(f"{lost['message']}  given up at {lost['at']}: {lost['detail']}")
        click.echo(f"{box['total']} waiting, {box['gave_up']} ever given up")
    raise click.exceptions.Exit(1 if any(m["attempts"] for m in box["messages"]) else 0)


@command.command(name="retry")
@click.argument("id", required=False, default="")
@config_option
@url_option
@click.option(
    "--to",
    default="",
    metavar="NOTIFIER",
    help="Send it to this notifier; without ID: all that waits for notifiers that are gone from the configuration.",
)
def retry(id: str, config_path: Path, url: str | None, to: str) -> None:
    """Try message ID now, or all that wait. A delivered one is sent once more.

    \b
    Examples:
      crisp-status outbox retry
      crisp-status outbox retry --to ops-mail
    """
    path = f"/manager/outbox/{part(id)}/retry" if id else "/manager/outbox/retry"
    asked(reach(config_path, url), "POST", path, {"to": to} if to else None)


@command.command(name="drop")
@click.argument("id")
@config_option
@url_option
def drop(id: str, config_path: Path, url: str | None) -> None:
    """Give message ID up."""
    asked(reach(config_path, url), "DELETE", f"/manager/outbox/{part(id)}")
