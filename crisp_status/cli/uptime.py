"""`crisp-status uptime`: the uptime report of a month, from a running daemon."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from crisp_status.cli._client import asked, config_option, json_option, reach, url_option


@click.command()
@click.argument("month", default="")
@config_option
@url_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, default=False, help="Print CSV.")
def command(month: str, config_path: Path, url: str | None, as_json: bool, as_csv: bool) -> None:
    """Show uptime, downtime, outages and the remaining error budget for MONTH; default: this month.

    Exit code 1: the whole page missed its target, [page] slo, or the daemon does not answer.

    \b
    Examples:
      crisp-status uptime
      crisp-status uptime 2026-11 --csv > november.csv
    """
    if month and (len(month) != 7 or month[4] != "-" or not month.replace("-", "").isdecimal()):
        raise click.BadParameter('expected a month such as "2026-11"', param_hint="MONTH")
    report: dict[str, Any] = asked(reach(config_path, url), "GET", f"/uptime/{month}.json" if month else "/uptime.json")
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, list(report["rows"][0]))
        writer.writeheader()
        writer.writerows(report["rows"])
    else:
        for line in lines(report):
            click.echo(line)
    raise click.exceptions.Exit(1 if report["rows"][0]["budget_left_seconds"] < 0 else 0)


def lines(report: dict[str, Any]) -> list[str]:
    """The table as text."""
    over = "" if report["complete"] else " so far"
    made = [f"{report['month']}{over}; target {report['slo_percent']:g} %", ""]
    width = max(len(_name(row)) for row in report["rows"])
    head = f"{'':{width}}  {'uptime':>9}  {'down':>10}  {'outages':>7}  {'budget left':>12}"
    made.append(head)
    for row in report["rows"]:
        percent = "–" if row["uptime_percent"] is None else f"{row['uptime_percent']:.2f} %"
        left = row["budget_left_seconds"]
        text = (
            f"{_name(row):{width}}  {percent:>9}  {_time(row['down_seconds']):>10}  {row['incidents']:>7}"
            f"  {('-' if left < 0 else '') + _time(abs(left)):>12}"
        )
        made.append(click.style(text, fg="red") if left < 0 else text)
    return made


def _name(row: dict[str, Any]) -> str:
    if row["node"]:
        return f"  {row['service']}/{row['node']}"
    return row["service"] or "page"


def _time(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    if hours:
        return f"{hours} h {rest // 60:02} m"
    return time.strftime("%-M m %S s", time.gmtime(rest)) if rest else "0"
