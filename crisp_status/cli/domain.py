"""`crisp-status domain check`: what the world sees of the page's domains, and what is still to be done."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

import click

from crisp_status.cli import WRONG, config_option, fail, open_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crisp_status.config.root import Config
    from crisp_status.tls.domain_check import Report
    from crisp_status.tls.lookup import Nameserver

AGAIN_SECONDS: Final = 10.0
"""Between two rounds of `--wait`; most nameservers answer from memory for longer."""


@click.group()
def command() -> None:
    """The domains of the page.

    \b
    Example:
      crisp-status domain check --wait
    """


@command.command(name="check")
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@config_option
@click.option("--nameserver", "server", metavar="ADDRESS[:PORT]", help="Ask this nameserver alone.")
@click.option("--wait", is_flag=True, default=False, help="Ask again until every domain leads here.")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object on stdout.")
def check(domains: tuple[str, ...], config_path: Path, server: str | None, wait: bool, as_json: bool) -> None:
    """Tell where the domains lead, whether ports 80 and 443 answer, and which certificate is shown until when.

    Asks the nameserver of this machine and those of the domain itself, where a new record is seen first. Without DOMAIN
    it looks at those of the configuration. Exit code 0: all is well; 1: something must be mended; 2: the call is wrong.

    \b
    Examples:
      crisp-status domain check
      crisp-status domain check status.acme.example --wait --nameserver 9.9.9.9
    """
    config = open_config(config_path)
    names = _domains(domains, config)
    reports = asyncio.run(_look(names, config, _nameserver(server), wait=wait))
    if as_json:
        click.echo(json.dumps({"ok": _well(reports), "domains": [report.plain() for report in reports]}, indent=2))
    else:
        click.echo("\n\n".join(map(_text, reports)))
    raise click.exceptions.Exit(0 if _well(reports) else 1)


def _domains(given: Sequence[str], config: Config) -> list[str]:
    from crisp_status.config import certificates

    if not given:
        given = certificates.domains(config.tls or certificates.TlsSection(), config.page.url)
    try:
        return [certificates.domain_text(name) for name in given]
    except ValueError as error:
        fail(str(error), WRONG)


def _nameserver(text: str | None) -> Nameserver | None:
    from crisp_status.tls.lookup import nameserver

    try:
        return nameserver(text) if text else None
    except ValueError as error:
        fail(f"--nameserver {error}", WRONG)


async def _look(names: Sequence[str], config: Config, server: Nameserver | None, *, wait: bool) -> list[Report]:
    from crisp_status.config.certificates import TlsSection
    from crisp_status.tls import domain_check
    from crisp_status.tls.authorities import CAA, Authority

    known = [Authority(url).name for url in (config.tls or TlsSection()).directories]
    own_files = config.tls is not None and bool(config.tls.certificate)
    issuers = [] if own_files else [CAA[name] for name in known if name in CAA]
    began = time.monotonic()
    while True:
        reports = [await domain_check.check(name, nameserver=server, issuers=issuers) for name in names]
        waiting = [report.domain for report in reports if not report.resolved]
        if not wait or not waiting:
            return reports
        click.echo(f"waiting for {', '.join(waiting)} ({time.monotonic() - began:.0f} s; Ctrl-C ends this)", err=True)
        await asyncio.sleep(AGAIN_SECONDS)


def _well(reports: Sequence[Report]) -> bool:
    return not any(report.wrong for report in reports)


def _text(report: Report) -> str:
    rows = [("this machine", ", ".join(report.own) or "no address that leads out")]
    for said in report.said:
        through = f" (alias of {', '.join(said.cnames)})" if said.cnames else ""
        rows.append((f"{said.nameserver} says", (said.error or ", ".join(said.addresses) or "no address") + through))
    rows.append(("CAA", "; ".join(report.caa) or "none: every authority may give certificates"))
    for port in report.ports:
        answer = port.error or port.server or "answers without a name"
        rows.append((f"{port.address} port {port.port}", f"open, {answer}" if port.open else f"not open: {answer}"))
    for shown in report.certificates:
        ends = time.strftime("%Y-%m-%d", time.gmtime(shown.ends_at))
        state = "trusted" if shown.trusted else f"NOT trusted: {shown.error}"
        rows.append((f"{shown.address} shows", f"{', '.join(shown.names)} by {shown.issuer} until {ends}, {state}"))
    width = max(len(label) for label, _ in rows)
    lines = [click.style(report.domain, bold=True), *(f"  {label.ljust(width)}  {text}" for label, text in rows)]
    lines += [click.style(f"  ✖ {text}", fg="red") for text in report.wrong]
    lines += [f"  · {text}" for text in report.notes]
    if report.add:
        lines += ["  Add to the zone:", *(f"    {record}" for record in report.add)]
    if not report.wrong:
        lines.append(click.style("  ● all is well", fg="green"))
    from crisp_status.log import printable

    return "\n".join(printable(line, keep="\x1b") for line in lines)
