"""`crisp-status reload`: load the configuration again, and say what came of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from crisp_status.cli import config_option, fail, open_config
from crisp_status.cli._client import DaemonError, daemon, url_option


@click.command()
@config_option
@url_option
@click.option("--pid", type=int, default=None, metavar="PID", help="The daemon's process: for when management is off.")
def command(config_path: Path, url: str | None, pid: int | None) -> None:
    """Make the running daemon load its configuration again, wait, and print "taken" or every problem.

    A file with problems changes nothing. Exit code 0: taken; 1: refused, or the daemon does not answer; 2: the file is
    wrong. With --pid a daemon without manager token is sent SIGHUP after the file was checked; its log has the answer.

    \b
    Example:
      crisp-status reload -c /etc/crisp-status/config.toml
    """
    config = open_config(config_path, scripts=True)
    if pid is not None and config.server.manager_token is None:
        _signal(pid)
        return
    found = daemon(config, url)
    try:
        answer = found.ask("POST", "/manager/reload")
    except DaemonError as error:
        if pid is not None and not error.problems:
            _signal(pid)
            return
        fail("\n".join([*error.problems, str(error)]))
    for key in answer["next_start"]:
        click.echo(f"{key}: takes effect at the next start", err=True)
    click.echo("taken")


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        fail(f"there is no process {pid}; is the daemon running?")
    except PermissionError:
        fail(f"process {pid} belongs to another user; run this as root or as that user")
    click.echo("the file is fine and the daemon was told to load it; its log says what came of it")
