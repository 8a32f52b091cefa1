"""`crisp-status silence`: hold reminders, or every notice of one service or node."""

from __future__ import annotations

from pathlib import Path

import click

from crisp_status.cli._client import asked, config_option, part, reach, seconds, url_option, whoami


@click.command()
@click.argument("duration")
@config_option
@url_option
@click.option(
    "--scope", default="", metavar="ID", help="Service or service/node: hold all its notices, not only reminders."
)
@click.option("--by", default=None, metavar="NAME", help="Who silences; default: you.")
def command(duration: str, config_path: Path, url: str | None, scope: str, by: str | None) -> None:
    """Hold reminders for DURATION: 30m, 2h, 1d, "healthy" for until everything is well, or "off" to lift it.

    \b
    Examples:
      crisp-status silence 2h
      crisp-status silence healthy --scope web/api
      crisp-status silence off
    """
    daemon = reach(config_path, url)
    if duration == "off":
        found = asked(daemon, "GET", "/manager/silences")
        lifted = [s for s in found if s["scope"] == scope]
        for silence in lifted:
            asked(daemon, "DELETE", f"/manager/silences/{part(silence['id'])}")
        click.echo("notices go out again" if lifted else "nothing was silenced there")
        return
    value = {"seconds": 0 if duration == "healthy" else seconds(duration), "scope": scope, "by": by or whoami()}
    until = asked(daemon, "POST", "/manager/silences", value)["until"]
    what = f"notices of {scope}" if scope else "reminders"
    click.echo(f"{what} are held until {until or 'everything is well'}")
