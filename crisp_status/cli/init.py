"""`crisp-status init`: a first configuration."""

from __future__ import annotations

import os
import secrets
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import click

from crisp_status.cli import CONFIG_PLACES, CONFIG_VARIABLE, WrongError, fail

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
color = {color}
# header_logo = "logo-light.svg"      # light: it sits on the brand colour; files are relative to this one
# footer_logo = "logo-dark.svg"

[server]
listen = {listen}
reporter_token = "{reporter}"         # for applications that report themselves
manager_token = "{manager}"           # for you: `crisp-status status`, announcements
{tls}
# Whom to tell. Try it with: crisp-status notify-test
#
{notifier}

# Is it us? These are asked when something does not answer. When all that ever answered are silent, our own network is down,
# and nothing is called dead for it. One that never answers does not count; [] asks nobody.
[witness]
urls = ["tcp://1.1.1.1:443", "tcp://9.9.9.9:443", "tcp://8.8.8.8:443", "gateway"] # "gateway": the default gateway

[[services]]
id = "web"
name = "Websites"

[[services.nodes]]
id = "page"
name = "Example"
replicas = [{watch}]   # also tcp://host:port, icmp://host, ssh://host, dns://…

# An application or a cron job that reports itself:
#
# [[services.nodes]]
# id = "backup"
# name = "Nightly backup"
# mode = "push"
# heartbeat = "{heartbeat}"
# interval = 86400                    # seconds; then: curl {base}/ping/{heartbeat}
"""


TLS: Final = """
[tls]                                 # a certificate from Let's Encrypt; others: docs/https.md
# email = "you@example.com"           # where the authority may write to
"""


@click.command(name="init")
@click.argument("file", type=click.Path(path_type=Path, readable=False), required=False)
@click.option("--name", default="My status page", show_default=True, help="Title of the page.")
@click.option("--url", default="http://localhost:8080/", show_default=True, help="Its public address.")
@click.option("--web", is_flag=True, help="Ask in a browser: name, domain, colour, what to watch, whom to tell.")
@click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, help="Where the page listens, and the form of --web."
)
@click.option(
    "--https/--no-https",
    default=None,
    help="Get a certificate and serve HTTPS on ports 80 and 443, or leave that to a proxy. "
    "Default: for the package's configuration, when its address begins with https and both ports are free.",
)
@click.option("--placeholder", is_flag=True, hidden=True, help="For packages: a later init may replace the file.")
def command(
    file: Path | None, name: str, url: str, web: bool, listen: str, https: bool | None, placeholder: bool
) -> None:
    """Write a small configuration with fresh tokens. What somebody has written is never overwritten.

    FILE is $CRISP_STATUS_CONFIG, else config.toml. Where the Debian package is installed it is the package's /etc/crisp-status/config.toml, as long
    as nobody has changed that one; the daemon is then started again with the new one.

    \b
    Example:
      crisp-status init --name "Acme Status" --url https://status.acme.example/
    """
    from crisp_status.cli import _package, _placeholder
    from crisp_status.config.addresses import listen_text, web_url
    from crisp_status.config.services import NAME_MAX

    packaged = Path(_placeholder.PLACE)
    if file is None:
        usual = os.environ.get(CONFIG_VARIABLE) or "config.toml"
        file = packaged if _placeholder.untouched(packaged) else Path(usual)
    replaces = file == packaged and _placeholder.untouched(packaged)
    if file.exists() and not _placeholder.untouched(file):
        raise WrongError(f"{file} is there already and stays as it is; name another file to write to")
    try:
        listen_text(listen)
    except ValueError as error:
        raise WrongError(f"--listen: {error}") from None
    color, watch, mail = "#1972f5", "https://example.com/", ""
    if web:
        with _package.daemon_away() if replaces else nullcontext():
            name, url, color, watch, mail = _asked(listen)
    try:
        web_url(url)
    except ValueError as error:
        raise WrongError(f"--url: {error}") from None
    if not 0 < len(name.strip()) <= NAME_MAX:
        raise WrongError(f"--name: expected 1 to {NAME_MAX} characters")
    if https is None:
        https = replaces and url.startswith("https://") and _package.https_is_free()
    text = TEMPLATE.format(
        color=_quoted(color),
        listen=_listen(_package.https_addresses() if https else [listen]),
        tls=TLS if https else "",
        watch=_quoted(watch or "https://example.com/"),
        notifier=_notifier(mail),
        name=_quoted(name.strip()),
        url=_quoted(url),
        base=url.rstrip("/"),
        reporter=secrets.token_urlsafe(24),
        manager=secrets.token_urlsafe(24),
        heartbeat=secrets.token_urlsafe(18),
    )
    try:
        readers = _write(file, _placeholder.marked(text) if placeholder else text)
    except FileExistsError:
        raise WrongError(f"{file} is there already and stays as it is; name another file to write to") from None
    except OSError as error:
        raise WrongError(f"{file} cannot be written: {error.strerror}") from None
    click.echo(f"{file} is written, with fresh tokens; {readers} can read it.")
    where = "" if str(file) in {*CONFIG_PLACES, os.environ.get(CONFIG_VARIABLE)} else f" -c {file}"
    if replaces:
        _package.start_again()
    else:
        click.echo(f"Next: edit it, then crisp-status check{where}, then crisp-status run{where}.")


def _listen(addresses: list[str]) -> str:
    """The addresses as TOML, with a remark beside one that is not for everybody."""
    text = f"[{', '.join(map(_quoted, addresses))}]"
    return f'{text}           # behind a proxy; "0.0.0.0:8080" for everybody' if len(addresses) == 1 else text


def _notifier(mail: str) -> str:
    """The table of an e-mail notifier; without an address as an example in comments."""
    lines = ["[[notifiers]]", 'type = "email"', 'id = "email"', f"to = [{_quoted(mail or 'you@example.com')}]"]
    lines += [f"from = {_quoted(mail or 'status@example.com')}", 'smtp_host = "localhost"']
    return "\n".join(lines if mail else [f"# {line}" for line in lines])


def _asked(listen: str) -> tuple[str, str, str, str, str]:
    """Name, address, colour, what to watch and whom to tell, as somebody answers in a browser."""
    import asyncio
    import socket

    from crisp_status import kinds
    from crisp_status.config.addresses import parse_listen
    from crisp_status.config.load import load_text
    from crisp_status.config.problems import ConfigError
    from crisp_status.console.first_start import ask

    def check(address: str) -> str:
        text = (
            '[page]\nname = "x"\nurl = "http://localhost/"\n[[services]]\nname = "x"\n[[services.nodes]]\nname = "x"\n'
        )
        try:
            load_text(f"{text}replicas = [{_quoted(address)}]\n", "config.toml", kinds.rooms(), {})
        except ConfigError as error:
            return error.problems[0].text
        return ""

    where = parse_listen(listen)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((where.host, where.port))
        except OSError as error:
            fail(f"cannot listen on {listen}: {error.strerror}; name another address with --listen")
        host = f"[{where.host}]" if ":" in where.host else where.host
        base = f"http://{host}:{listener.getsockname()[1]}/"
        answers = asyncio.run(
            ask(listener, base, check, lambda link: click.echo(f"Open this link, it works once:\n{link}"))
        )
    if answers is None:
        fail("nobody answered within half an hour; nothing was written")
    return answers.name, answers.url, answers.color, answers.watch, answers.mail


def _write(file: Path, text: str) -> str:
    """Write it, and say who can read it. Raises `FileExistsError` when somebody's configuration is there."""
    from crisp_status.cli import _placeholder

    if not _placeholder.untouched(file):
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as handle:
            handle.write(text)
        return "only you"
    before = file.stat()
    beside = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "w", encoding="utf-8") as handle:
        handle.write(text)
    if os.geteuid() == 0:
        os.chown(beside, before.st_uid, before.st_gid)
    beside.chmod(before.st_mode & 0o777)
    beside.replace(file)
    return "whoever could read the one before it"


def _quoted(text: str) -> str:
    """The text as a TOML string."""
    import tomli_w

    return tomli_w.dumps({"a": text}).removeprefix("a = ").strip().replace("${", "$${")
