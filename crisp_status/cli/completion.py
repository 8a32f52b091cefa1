"""`crisp-status completion`: what a shell must know to complete what is typed."""

from __future__ import annotations

from typing import Final

import click

VARIABLE: Final = "_CRISP_STATUS_COMPLETE"
"""With it in the environment, click answers the shell instead of running a command."""


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell. The Debian package has installed all three.

    \b
    Example:
      crisp-status completion bash > /etc/bash_completion.d/crisp-status
      crisp-status completion zsh > "${fpath[1]}/_crisp-status"
      crisp-status completion fish > ~/.config/fish/completions/crisp-status.fish
    """
    from click.shell_completion import get_completion_class

    from crisp_status.cli import commands

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that the argument allows"
    template = kind(commands, {}, "crisp-status", VARIABLE)
    click.echo(template.source_template % template.source_vars())
