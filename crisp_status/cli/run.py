"""`crisp-status run`: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from crisp_status.cli import WRONG, WrongError, _garbage, _unavailable, config_option, fail, open_config

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from pathlib import Path

    from crisp_status.config.root import Config

LEAVE_SECONDS: Final = 0.5
"""What the interpreter may take to end, after everything is saved."""


@click.command(name="run")
@config_option
@click.option("--scripts", is_flag=True, default=False, help="Allow nodes of mode script, as [script] enabled does.")
def command(config_path: Path, scripts: bool) -> None:
    """Watch what the configuration names, serve the page, tell the team.

    SIGTERM stops it, SIGHUP loads the configuration again.

    \b
    Example:
      crisp-status run -c config.toml
    """
    _garbage.wait()

    import asyncio
    import os

    from crisp_status import kinds, log
    from crisp_status.app import life
    from crisp_status.app.daemon import StartError
    from crisp_status.config.load import load
    from crisp_status.http.listen import ListenError
    from crisp_status.store import StoreError, StoreTrouble

    try:
        config = open_config(config_path, scripts=scripts, without_files=True)
    except WrongError as error:
        if not _unavailable.holds_sockets():
            raise
        _say_why(str(error.message))
        _unavailable.serve_until_changed(config_path, str(error.message))
    log.configure(level=config.server.log_level, style=config.server.log_style)

    def again() -> Config:
        return load(config_path, kinds.rooms(), os.environ, scripts=scripts)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(life.run(config, again, ready=lambda _: _garbage.keep()))
            _leave_soon(code)
    except StoreTrouble as error:
        fail(f"crisp-status: {error}")  # it may pass: systemd tries again
    except (StoreError, StartError, ListenError) as error:
        if not _unavailable.holds_sockets():
            fail(f"crisp-status: {error}", WRONG)
        _say_why(f"crisp-status: {error}")
        _unavailable.serve_until_changed(config_path, str(error))
    finally:
        _garbage.stop()
    raise click.exceptions.Exit(code)


def _say_why(problem: str) -> None:
    from crisp_status import log

    click.echo(log.redactor.text(problem), err=True)
    click.echo("crisp-status: visitors get 503 until the configuration is put right", err=True)


def _loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """Of uvloop where the extra of that name is installed: looks and pages cost a third less. None: Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _leave_soon(code: int) -> None:
    """End without waiting for a thread that hangs in a name look-up of the system, which nobody can interrupt."""
    import os
    import threading

    timer = threading.Timer(LEAVE_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()
