"""`crisp-status init`: a first configuration."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import click

from crisp_status.cli import WrongError

MODE: Final = 0o600
"""It has tokens in it."""

TEMPLATE: Final = """\
# Configuration of crisp-status. `crisp-status check` tells what is wrong with it, `crisp-status run` starts it.
# Every key there is: docs/configuration.md; for your editor: crisp-status schema

[page]
name = {name}
url = {url}
timezone = "UTC"                      # as in "Europe/Paris"

[page.branding]
color = "#1972f5"
# header_logo = "logo-light.svg"      # light: it sits on the brand colour; files are relative to this one
# footer_logo = "logo-dark.svg"

[server]
listen = ["127.0.0.1:8080"]           # behind a proxy; "0.0.0.0:8080" for everybody
reporter_token = "{reporter}"         # for applications that report themselves
manager_token = "{manager}"           # for you: `crisp-status status`, announcements

# Whom to tell. Try it with: crisp-status notify-test
#
# [[notifiers]]
# type = "email"
# to = ["you@example.com"]
# from = "status@example.com"
# smtp_host = "localhost"

[[services]]
id = "web"
name = "Websites"

[[services.nodes]]
id = "page"
name = "Example"
replicas = ["https://example.com/"]   # also tcp://host:port, icmp://host, ssh://host, dns://…

# An application or a cron job that reports itself:
#
# [[services.nodes]]
# id = "backup"
# name = "Nightly backup"
# mode = "push"
# heartbeat = "{heartbeat}"
# interval = 86400                    # seconds; then: curl {base}/ping/{heartbeat}
"""


@click.command(name="init")
@click.argument("file", type=click.Path(path_type=Path, readable=False), default="config.toml")
@click.option("--name", default="My status page", show_default=True, help="Title of the page.")
@click.option("--url", default="http://localhost:8080/", show_default=True, help="Its public address.")
def command(file: Path, name: str, url: str) -> None:
    """Write a small configuration with fresh tokens. What is there already is never overwritten.

    \b
    Example:
      crisp-status init --name "Acme Status" --url https://status.acme.example/
    """
    from crisp_status.config.addresses import web_url
    from crisp_status.config.services import NAME_MAX

    try:
        web_url(url)
    except ValueError as error:
        raise WrongError(f"--url: {error}") from None
    if not 0 < len(name.strip()) <= NAME_MAX:
        raise WrongError(f"--name: expected 1 to {NAME_MAX} characters")
    text = TEMPLATE.format(
        name=_quoted(name.strip()),
        url=_quoted(url),
        base=url.rstrip("/"),
        reporter=secrets.token_urlsafe(24),
        manager=secrets.token_urlsafe(24),
        heartbeat=secrets.token_urlsafe(18),
    )
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        raise WrongError(f"{file} is there already and stays as it is; name another file to write to") from None
    except OSError as error:
        raise WrongError(f"{file} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    where = "" if str(file) == "config.toml" else f" -c {file}"
    click.echo(f"{file} is written, with fresh tokens; only you can read it.")
    click.echo(f"Next: edit it, then crisp-status check{where}, then crisp-status run{where}.")


def _quoted(text: str) -> str:
    """The text as a TOML string."""
    import tomli_w

    return tomli_w.dumps({"a": text}).removeprefix("a = ").strip().replace("${", "$${")
