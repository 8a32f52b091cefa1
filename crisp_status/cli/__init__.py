"""The command line, `crisp-status COMMAND [-c FILE]`. One file here is one command, found by its name.

`notify_test.py` is `crisp-status notify-test`; it exports `command`. A file that starts with "_" is not. A command
parses and prints; it imports what it needs when it runs, so that the others stay quick. Exit codes: 0 fine, 1 it ran
and the answer is no, 2 the call or the configuration is wrong.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NoReturn

import click

from crisp_status import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.config.root import Config

CONFIG_PLACES: Final = ("config.toml", "/etc/crisp-status/config.toml")
"""Where the configuration is looked for when neither -c nor $CRISP_STATUS_CONFIG names it."""

CONFIG_VARIABLE: Final = "CRISP_STATUS_CONFIG"

WRONG: Final = 2
"""Exit code: the call or the configuration is wrong."""


SUMMARY_MAX: Final = 400
"""Characters of a summary in the list of commands: more than any first sentence has."""

INTERRUPTED: Final = 130
"""Exit code: Ctrl-C, as shells have it."""


class WrongError(click.ClickException):
    """The call or the configuration is wrong; the message is shown as it is, line by line."""

    exit_code = WRONG

    def show(self, file: object = None) -> None:
        """One readable line each on stderr."""
        click.echo(self.format_message(), err=True)


class _WholeSummaries(click.Group):
    """A group whose help shows the whole first sentence of each command; click would cut it at 45 characters."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write every command with its summary, wrapped."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(SUMMARY_MAX)) for name, command in found if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class _Commands(_WholeSummaries):
    """Commands by the files of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, from the folder alone."""
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; imported only now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the nearest right name for a wrong one."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean {near[0]}?" if near else "crisp-status --help lists what there is"
            raise click.UsageError(f"there is no command {args[0]}; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-c", "--config", "config_path", metavar="FILE", type=click.Path(), help="The configuration, for any command."
)
@click.version_option(__version__, "-V", "--version", message="crisp-status %(version)s")
@click.pass_context
def commands(ctx: click.Context, config_path: str | None) -> None:
    """Watch services, show a status page, tell the team.

    \b
    Example:
      crisp-status init && crisp-status run
    """
    ctx.obj = config_path
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def find_config(given: str | None = None) -> Path:
    """The configuration file: as given, else $CRISP_STATUS_CONFIG, else the first of `CONFIG_PLACES` that exists."""
    named = given or os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    for place in CONFIG_PLACES:
        if os.path.lexists(place):
            return Path(place)
    raise WrongError(
        f"there is no configuration: neither {' nor '.join(CONFIG_PLACES)} exists, ${CONFIG_VARIABLE} is not set; "
        "crisp-status init writes one, -c FILE names one"
    )


def _located(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Path:
    return find_config(value or ctx.find_root().obj)


config_option = click.option(
    "-c",
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(),
    default=None,
    callback=_located,
    help="The configuration; default: $CRISP_STATUS_CONFIG, ./config.toml, /etc/crisp-status/config.toml.",
)
"""Gives a command the argument `config_path: Path`."""


def open_config(
    path: Path,
    *,
    scripts: bool = False,
    role: Literal["page", "agent", "any"] = "page",
    without_files: bool = False,
) -> Config:
    """The checked configuration (see `load`); ends with exit code 2 and all its problems on stderr."""
    from crisp_status import kinds
    from crisp_status.config.load import load
    from crisp_status.config.problems import ConfigError

    try:
        return load(path, kinds.rooms(), os.environ, scripts=scripts, role=role, without_files=without_files)
    except ConfigError as error:
        from crisp_status.cli._foreign import foreign

        raise WrongError(foreign(path) or str(error)) from None


def fail(text: str, code: int = 1) -> NoReturn:
    """End with a line on stderr; 1: it ran and the answer is no, 2: the call is wrong. Secrets in it are masked."""
    from crisp_status import log

    click.echo(log.redactor.text(text), err=True)
    raise click.exceptions.Exit(code)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run what was typed, and exit. An error is one line on stderr; $CRISP_STATUS_DEBUG shows where a bug of ours is."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = commands.main(args=arguments, prog_name="crisp-status", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "crisp-status"
        click.echo(f"{path}: {_lower(error.format_message())} ({path} --help says more)", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        click.echo(f"crisp-status: {error}", err=True)
        return 1
    except Exception as error:
        # What we did not foresee may quote anything.
        from crisp_status import log

        if os.environ.get("CRISP_STATUS_DEBUG"):
            import traceback

            click.echo(log.redactor.text(traceback.format_exc()), err=True, nl=False)
            return 1
        click.echo(log.redactor.text(f"crisp-status: a fault of ours: {type(error).__name__}: {error}"), err=True)
        click.echo("CRISP_STATUS_DEBUG=1 shows where it is.", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
