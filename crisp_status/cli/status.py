"""`crisp-status status`: the health tree of a running daemon in the terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from crisp_status.cli._client import DaemonError, asked, config_option, json_option, reach, url_option

MARKS: Final = {"healthy": "●", "sick": "▲", "dead": "✖", "pending": "○"}
COLORS: Final = {"healthy": "green", "sick": "yellow", "dead": "red", "pending": "bright_black"}
REPLICAS_SHOWN: Final = 10
"""Replicas of a node that are listed when they are not well."""


@click.command()
@config_option
@url_option
@json_option
@click.option("--watch", is_flag=True, default=False, help="Show it again and again, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.2, 3600.0), default=2.0, show_default=True, help="Seconds, with --watch."
)
@click.option("--all", "everything", is_flag=True, default=False, help="List healthy replicas too.")
def command(config_path: Path, url: str | None, as_json: bool, watch: bool, every: float, everything: bool) -> None:
    """Show the health of everything, with reasons and addresses, as a running daemon knows it.

    Exit code 1: the page is dead, or the daemon does not answer.

    \b
    Examples:
      crisp-status status
      crisp-status status --watch
      crisp-status status --json | jq .health
    """
    daemon = reach(config_path, url)
    while watch:
        try:
            text = "\n".join(lines(daemon.ask("GET", "/manager/status"), everything=everything))
        except DaemonError as error:
            text = click.style(str(error), fg="red")
        click.clear()
        click.echo(text)
        time.sleep(every)
    tree = asked(daemon, "GET", "/manager/status")
    click.echo(
        json.dumps(tree, indent=2, ensure_ascii=False) if as_json else "\n".join(lines(tree, everything=everything))
    )
    raise click.exceptions.Exit(1 if tree["health"] == "dead" else 0)


def lines(tree: dict[str, Any], *, everything: bool = False) -> Iterator[str]:
    """The tree as text."""
    yield f"{_mark(tree['health'])} page is {tree['health']} since {_when(tree['since'])}"
    if tree["offline_since"]:
        yield f"  our own network is lost since {_when(tree['offline_since'])}: every health is held"
    work = [f"{s['id']}/{n['id']}" for s in tree["services"] for n in s["nodes"] if n["maintenance"]]
    if work:
        yield f"  planned work is under way on {', '.join(work)}: no alerts, and uptime leaves it out"
    for service in tree["services"]:
        yield ""
        yield f"{_mark(service['health'])} {click.style(service['name'], bold=True)} ({service['id']})"
        for node in service["nodes"]:
            yield from _node(node, everything=everything)
    yield from _footer(tree)


def _node(node: dict[str, Any], *, everything: bool) -> Iterator[str]:
    counts = ", ".join(f"{n} {word}" for word, n in node["counts"].items() if n) or "no replica so far"
    marks = "".join(f", {word}" for word in ("maintenance", "unstable") if node[word])
    yield f"  {_mark(node['health'])} {node['name']} ({node['id']}, {node['mode']}): {counts}{marks}"
    shown = [r for r in node["replicas"] if everything or r["health"] in {"sick", "dead"} or r["unknown"]]
    limit = len(shown) if everything else REPLICAS_SHOWN
    for replica in shown[:limit]:
        yield f"      {_mark(replica['health'])} {replica['number']}. {replica['id']}{_figure(replica)}{_reason(replica)}"
    if len(shown) > limit:
        yield f"      … and {len(shown) - limit} more"


def _figure(replica: dict[str, Any]) -> str:
    if replica["cpu"] is not None:
        return f"  CPU {replica['cpu']:.0%}, RAM {replica['ram'] or 0:.0%}"
    return f"  {replica['latency_ms']} ms" if replica["latency_ms"] is not None else ""


def _reason(replica: dict[str, Any]) -> str:
    if replica["health"] in {"sick", "dead"}:
        reason = replica["reason"]["text"] or replica["reason"]["code"]
        return f"  since {_when(replica['since'])}: {reason}"
    return "  could not be looked at, by an error of ours" if replica["unknown"] else ""


def _footer(tree: dict[str, Any]) -> Iterator[str]:
    for incident in tree["incidents"]:
        seen = f", acknowledged by {incident['acknowledged_by'] or 'somebody'}" if incident["acknowledged_at"] else ""
        yield ""
        yield f"incident {incident['id']} since {_when(incident['opened_at'])}: {', '.join(incident['nodes'])}{seen}"
    for silence in tree["silences"]:
        what = f"{silence['scope']} is silent" if silence["scope"] else "reminders are held"
        yield f"{what} until {_when(silence['until']) if silence['until'] else 'healthy'}"
    for shown in tree.get("certificates", ()):
        trouble = f"; {shown['error']}" if shown["error"] else ""
        mark = (
            click.style("●", fg="green") if shown["trusted"] and not shown["error"] else click.style("▲", fg="yellow")
        )
        yield f"{mark} certificate of {shown['domain']} by {shown['issuer']} until {_when(shown['ends_at'])}{trouble}"
    box = tree["outbox"]
    if box["waiting"]:
        yield f"{box['waiting']} messages are not delivered yet, {box['failing']} of them were refused or unanswered"


def _mark(health: str) -> str:
    return click.style(MARKS.get(health, "?"), fg=COLORS.get(health))


def _when(iso: str | None) -> str:
    return (iso or "the start").replace("T", " ").replace("Z", " UTC")
