"""`crisp-status check`: is the configuration right, and does everything in it answer."""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from crisp_status.cli import WRONG, WrongError, config_option, open_config

if TYPE_CHECKING:
    from crisp_status.config.problems import Problem
    from crisp_status.config.root import Config
    from crisp_status.look.batch import LookJob
    from crisp_status.look.result import Look

BAR_AFTER: Final = 2.0
"""Seconds after which it is time to show that something happens."""

REASON_MAX: Final = 80
"""Characters of a reason in the table; `look URL` tells the whole story."""

STATE_OF_UNIT: Final = "/var/lib/crisp-status"
"""The state folder of the systemd unit, which belongs to the daemon's user."""

COLORS: Final = {"healthy": "green", "sick": "yellow", "dead": "red", "unknown": "magenta"}


@click.command(name="check")
@config_option
@click.option("--probe", is_flag=True, default=False, help="Look once at everything that is polled, and at scripts.")
@click.option("--scripts", is_flag=True, default=False, help="Allow scripts, as `run --scripts` does.")
@click.option("--user", metavar="NAME", default=None, help="As this user, whom the daemon runs as; root only.")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object on stdout.")
def command(config_path: Path, probe: bool, scripts: bool, user: str | None, as_json: bool) -> None:
    """List everything that is wrong with the configuration, with line and column.

    Exit code 0: fine; 1: something that was looked at is dead; 2: the configuration is wrong.

    \b
    Example:
      crisp-status check --probe -c config.toml
    """
    if user is not None:
        _become(user, config_path, scripts)
    if as_json:
        config, problems = _loaded(config_path, scripts)
        if config is None:
            click.echo(json.dumps({"ok": False, "problems": problems}))
            raise click.exceptions.Exit(WRONG)
    else:
        config = open_config(config_path, scripts=scripts, role="any")
        for remark in config.remarks:
            click.echo(f"{remark}", err=True)
        _templates(config)
        _certificate(config)
        click.echo(f"{config_path} is fine: {summary(config)}.")
        if nameless := config.without_own_id:
            hint = "So that what waits for it follows it to a new address, give an id of its own to: "
            hint += ", ".join(nameless)
            click.echo(hint, err=True)
        if user is None and os.geteuid() == 0 and (other := _daemon_user(config)):
            hint = f"Checked as root, who can read every file; as the daemon: crisp-status check --user {other}"
            click.echo(hint, err=True)
    if user is not None and config.state_folder.is_dir() and not os.access(config.state_folder, os.W_OK | os.X_OK):
        raise WrongError(f"{config.state_folder}: {user} cannot write to the state folder: chown -R {user} it")
    looks = _looks(config, quiet=as_json) if probe else []
    dead = any(seen.outcome == "dead" for seen in looks)
    if as_json:
        remarks = [_plain(remark) for remark in config.remarks]
        answer: dict[str, Any] = {"ok": not dead, "problems": [], "remarks": remarks}
        if probe:
            answer["looks"] = [seen.plain() for seen in looks]
        click.echo(json.dumps(answer))
    elif probe:
        _table(looks)
    if dead:
        raise click.exceptions.Exit(1)


def _become(user: str, path: Path, scripts: bool) -> None:
    """Go on as that user, who may be able to read less. Ends with exit code 2 when that cannot be."""
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise WrongError(f"there is no user {user} on this machine") from None
    if entry.pw_uid == os.geteuid():
        return
    if os.geteuid() != 0:
        raise WrongError(f"only root can check as another user: sudo crisp-status check --user {user}")
    # Everything that a check imports is imported before: that user may not be able to read this program's own files.
    _loaded(path, scripts)
    importlib.import_module("crisp_status.cli._foreign").foreign(path)
    importlib.import_module("crisp_status.look.batch")
    importlib.import_module("crisp_status.formats.templates")
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _daemon_user(config: Config) -> str:
    """Whom the state folder belongs to; "" when that is root, or there is none yet."""
    import pwd

    for folder in (config.state_folder, Path(STATE_OF_UNIT)):
        with suppress(OSError, KeyError):
            owner = folder.stat().st_uid
            return pwd.getpwuid(owner).pw_name if owner else ""
    return ""


def _templates(config: Config) -> None:
    """End with exit code 2 and all their faults when own templates are broken."""
    if config.page.templates:
        from crisp_status.formats.templates import faults

        found = faults(config.file(config.page.templates))
        if found:
            raise WrongError("\n".join(found))


def _certificate(config: Config) -> None:
    """End with exit code 2 when an own certificate cannot be used. The daemon would start, and warn its visitors."""
    tls = config.tls
    if tls is None or not tls.certificate:
        return
    import time

    from crisp_status.clock import SystemClock
    from crisp_status.config.certificates import domains
    from crisp_status.tls.keypair import KeyPairError, context
    from crisp_status.tls.own_files import OwnFiles

    try:
        pair = OwnFiles(config.file(tls.certificate), config.file(tls.key)).load()
        context(pair)
    except KeyPairError as error:
        raise WrongError(f"tls: {error}") from None
    found = [
        f"tls: {tls.certificate} is not for {domain}, only for {', '.join(pair.names)}"
        for domain in domains(tls, config.page.url)
        if not pair.covers(domain)
    ]
    if pair.not_after <= SystemClock.now():
        ended = time.strftime("%Y-%m-%d", time.gmtime(pair.not_after))
        found.append(
            f"tls: {tls.certificate} has ended on {ended}; browsers warn of the page until there is a newer one"
        )
    if found:
        raise WrongError("\n".join(found))


def summary(config: Config) -> str:
    """How much there is: `2 services, 3 nodes, 5 replicas, 1 notifier`."""
    nodes = [node for service in config.services for node in service.nodes]
    counts = {
        "service": len(config.services),
        "node": len(nodes),
        "replica": sum(len(node.replicas) + len(node.scripts) for node in nodes),
        "notifier": len(config.notifiers),
        "web hook": len(config.webhooks),
    }
    shown = {word: count for word, count in counts.items() if count or word in {"service", "node"}}
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in shown.items())


def _loaded(path: Path, scripts: bool) -> tuple[Config, list[Any]] | tuple[None, list[dict[str, Any]]]:
    """The configuration, else its problems, as data."""
    from crisp_status import kinds
    from crisp_status.config.load import load
    from crisp_status.config.problems import ConfigError, Problem

    try:
        return load(path, kinds.rooms(), scripts=scripts, role="any"), []
    except ConfigError as error:
        from crisp_status.cli._foreign import foreign

        whose = foreign(path)
        found = [Problem(str(path), whose.removeprefix(f"{path}: "))] if whose else error.problems
        return None, [_plain(problem) for problem in found]


def _plain(problem: Problem) -> dict[str, Any]:
    where = {"file": problem.file, "line": problem.line, "column": problem.column}
    return {**where, "path": problem.path, "text": problem.text}


@dataclass(frozen=True)
class ProbeRow:
    """One replica that was looked at."""

    node: str
    replica: str
    outcome: str
    latency_ms: int
    reason: str

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        latency = self.latency_ms if self.latency_ms >= 0 else None
        words = {"node": self.node, "replica": self.replica, "health": self.outcome}
        return {**words, "latency_ms": latency, "reason": self.reason}


def jobs(config: Config) -> list[LookJob]:
    """What to look at: what is polled, and scripts; in the file of an agent what that looks at, too."""
    from crisp_status.config.plan import plan, targets
    from crisp_status.look.batch import LookJob
    from crisp_status.look.once import Policy

    modes = {"poll", "script"} | ({"local"} if config.agent is not None else set())
    known = targets(config)
    found = []
    for service in plan(config).services:
        for node in service.nodes:
            for replica in node.replicas if node.mode in modes else ():
                target = known[node.key, replica.id]
                label = replica.name or (f"script {replica.id}" if target.kind == "script" else replica.id)
                policy = Policy(
                    node.retry, node.retry_wait, node.delay_dead, node.delay_sick, node.expect_dead
                ).limited(target.limits)
                found.append(LookJob(node.key, label, target.kind, target.url, target.options, policy))
    return found


def _looks(config: Config, *, quiet: bool) -> list[ProbeRow]:
    """Look once at everything, with a bar when it takes long."""
    import asyncio

    work = jobs(config)
    return asyncio.run(_look_all(config, work, quiet=quiet)) if work else []


async def _look_all(config: Config, work: list[LookJob], *, quiet: bool) -> list[ProbeRow]:
    from crisp_status.clock import SystemClock
    from crisp_status.look.batch import look_all
    from crisp_status.net import tools

    clock = SystemClock()
    began = clock.monotonic()
    seen: dict[int, ProbeRow] = {}
    bar = None
    async with tools.opened(page_url=config.page.url, scripts=config.script.parallel):
        async for index, look in look_all(work, clock):
            seen[index] = _seen(work[index], look)
            if bar is None and not quiet and clock.monotonic() - began > BAR_AFTER and _on_terminal():
                bar = click.progressbar(length=len(work), label="Looking", file=sys.stderr)
                bar.update(len(seen) - 1)
            if bar is not None:
                bar.update(1)
    if bar is not None:
        bar.render_finish()
    return [seen[index] for index in sorted(seen)]


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _seen(job: LookJob, look: Look) -> ProbeRow:
    reason = "" if look.outcome == "healthy" else look.reason.text
    return ProbeRow(job.node, job.replica, look.outcome, look.latency_ms, reason)


def _table(looks: list[ProbeRow]) -> None:
    """One line a replica, the worst at the end where the eye is."""
    if not looks:
        click.echo("There is nothing to look at: no node is polled and none has scripts.")
        return
    from crisp_status.log import printable

    heads = ("NODE", "REPLICA", "HEALTH", "LATENCY", "REASON")
    order = ("healthy", "sick", "unknown", "dead")
    rows = [
        (s.node, printable(s.replica), s.outcome, f"{s.latency_ms} ms" if s.latency_ms >= 0 else "-", _short(s.reason))
        for s in sorted(looks, key=lambda s: order.index(s.outcome))
    ]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(4)]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if i == 3 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        if row[2] in COLORS:
            cells[2] = click.style(cells[2], fg=COLORS[row[2]])
        click.echo("  ".join([*cells, row[4]]).rstrip())
    counts = {word: sum(s.outcome == word for s in looks) for word in order}
    click.echo(", ".join(f"{count} {word}" for word, count in counts.items() if count) + ".")


def _short(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= REASON_MAX else f"{line[: REASON_MAX - 1]}…"
