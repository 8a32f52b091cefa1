"""`crisp-status notify-test`: a real test message through each notifier, and what its receiver answered."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from crisp_status.cli._client import Daemon, DaemonError, asked, config_option, part, reach, url_option

POLL_SECONDS = 0.3
"""How often the daemon is asked for the answers: somebody sits and waits for them."""


@click.command()
@click.argument("notifier", required=False, default="")
@config_option
@url_option
@click.option(
    "--wait", type=click.FloatRange(1.0, 600.0), default=30.0, show_default=True, help="Seconds for an answer."
)
def command(notifier: str, config_path: Path, url: str | None, wait: float) -> None:
    """Send a test message through NOTIFIER, or through all, and say what each receiver answered.

    Exit code 1: one of them did not take it.

    \b
    Examples:
      crisp-status notify-test
      crisp-status notify-test email
    """
    daemon = reach(config_path, url)
    sent = asked(daemon, "POST", "/manager/notify-test", {"notifier": notifier})
    for name in sent["nothing_to_send_to"]:
        click.echo(f"– {name}: nobody to send to: no device is subscribed")
    waiting = {m["id"]: m["notifier"] for m in sent["messages"]}
    failed = not waiting
    if failed:
        click.echo("no notifier is configured", err=True)
    until = time.monotonic() + wait
    while waiting and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        for id, attempt in _answers(daemon, waiting).items():
            good = attempt["outcome"] == "delivered"
            failed = failed or not good
            click.echo(f"{'✔' if good else '✖'} {waiting.pop(id)}: {attempt['detail'] or attempt['outcome']}")
            if not good:
                _drop(daemon, id)
    for id, name in waiting.items():
        failed = True
        click.echo(f"✖ {name}: no answer within {wait:g} s")
        _drop(daemon, id)
    raise click.exceptions.Exit(1 if failed else 0)


def _answers(daemon: Daemon, waiting: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The last attempt of each message that had one."""
    attempts = asked(daemon, "GET", "/manager/outbox")["attempts"]
    return {a["message"]: a for a in attempts if a["message"] in waiting}


def _drop(daemon: Daemon, id: str) -> None:
    """A test that failed is told here; it need not arrive hours later."""
    try:
        daemon.ask("DELETE", f"/manager/outbox/{part(id)}")
    except DaemonError as error:
        if error.status != 404:
            click.echo(str(error), err=True)
