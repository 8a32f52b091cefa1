"""Write the man pages from the help of the commands: python packaging/manual.py DIR. One page a command."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent

FILES = """\
.SH FILES
.TP
.I /etc/crisp-status/config.toml
The configuration. Others are looked for first: what \\fB\\-c\\fR names, what \\fBCRISP_STATUS_CONFIG\\fR names, \\fIconfig.toml\\fR
in the current folder.
.TP
.I /var/lib/crisp-status
What is remembered, when systemd runs the daemon.
.TP
.I /usr/share/doc/crisp-status
Every key of the configuration, every command, and how to operate it.
"""

ENVIRONMENT = """\
.SH ENVIRONMENT
.TP
.B CRISP_STATUS_CONFIG
The configuration, when \\fB\\-c\\fR is not given.
.TP
.B CREDENTIALS_DIRECTORY
Where \\fI${credential:NAME}\\fR of the configuration is looked up.
.TP
.B CRISP_STATUS_DEBUG
When set, a fault of ours is shown with the place in the code.
"""

EXIT = """\
.SH EXIT STATUS
.TP
.B 0
Fine.
.TP
.B 1
It ran, and the answer is no.
.TP
.B 2
The call or the configuration is wrong.
"""


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    sys.path.insert(0, str(ROOT))
    from crisp_status import __version__
    from crisp_status.cli import commands

    top = click.Context(commands, info_name="crisp-status", **commands.context_settings)
    found = dict(_walk(top))
    return {f"{name}.1": _page(name, context, __version__, sorted(found)) for name, context in found.items()}


def _walk(context: click.Context) -> Iterator[tuple[str, click.Context]]:
    yield context.command_path.replace(" ", "-"), context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            inner = context.command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _walk(click.Context(inner, parent=context, info_name=name))


def _page(name: str, context: click.Context, version: str, names: list[str]) -> str:
    command = context.command
    text = inspect.cleandoc(command.help or "")
    summary = text.partition("\n")[0].partition(". ")[0].rstrip(".")
    parts = [
        f'.TH {name.upper()} 1 "" "crisp\\-status {version}" "crisp\\-status"',
        ".SH NAME",
        f"{_escape(name)} \\- {_escape(summary[:1].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        f".B {_escape(context.command_path)}",
        _escape(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_description(text),
        *_options(context),
        *_commands(context),
    ]
    text = "\n".join(parts) + "\n" + (FILES + ENVIRONMENT if context.parent is None else "") + EXIT
    near = [other for other in names if other != name and (context.parent is None or other == "crisp-status")]
    return text + ".SH SEE ALSO\n" + ",\n".join(f".BR {_escape(other)} (1)" for other in near) + "\n"


def _description(text: str) -> Iterator[str]:
    """Paragraphs; what follows a line with click's mark stays as it is."""
    for number, paragraph in enumerate(re.split(r"\n\n+", text)):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from (".nf", _escape(paragraph.removeprefix("\b\n")), ".fi")
        else:
            yield _escape(paragraph)


def _options(context: click.Context) -> Iterator[str]:
    options = [option for option in context.command.get_params(context) if isinstance(option, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield ".SH OPTIONS"
    for names, text in records:
        yield from (".TP", f".B {_escape(names)}", _escape(text))


def _commands(context: click.Context) -> Iterator[str]:
    if not isinstance(context.command, click.Group):
        return
    yield ".SH COMMANDS"
    for name in context.command.list_commands(context):
        inner = context.command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from (".TP", f".B {_escape(name)}", _escape(inner.get_short_help_str(limit=200)))


def _escape(text: str) -> str:
    """As roff takes it: no line may begin with a dot or a quote, and a dash is the one that people copy."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("–", "\\(en")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def main(folder: str) -> None:
    """Write them."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
