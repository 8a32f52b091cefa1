"""`crisp-status ack`: an incident has been seen."""

from __future__ import annotations

from pathlib import Path

import click

from crisp_status.cli._client import asked, config_option, reach, url_option, whoami


@click.command()
@click.argument("incident", type=click.IntRange(min=1))
@config_option
@url_option
@click.option("--by", default=None, metavar="NAME", help="Who has seen it; default: you.")
@click.option("--note", default="", metavar="MARKDOWN", help="Also add this to the incident, for everybody to read.")
def command(incident: int, config_path: Path, url: str | None, by: str | None, note: str) -> None:
    """Acknowledge INCIDENT: no more reminders of it. Its number stands in every message and in `status`.

    \b
    Example:
      crisp-status ack 17 --note "We found the cable."
    """
    daemon, who = reach(config_path, url), by or whoami()
    asked(daemon, "POST", f"/manager/incidents/{incident}/ack", {"by": who})
    if note:
        asked(daemon, "POST", f"/manager/incidents/{incident}/notes", {"text": note, "by": who})
    click.echo(f"incident {incident} is acknowledged")
