"""`crisp-status report`: one report from a shell or a cron job, or reports for as long as a command runs."""

from __future__ import annotations

import click

from crisp_status.cli import WRONG, fail

NO_SUCH_COMMAND = 127
"""What shells say of it."""


INTERVAL_MAX = 366 * 86400.0
"""Seconds; the daemon refuses more."""

EXAMPLES = """\b
Examples:
  crisp-status report --url https://status.acme.example --service web --node api --interval 120
  crisp-status report --url https://status.acme.example --service jobs --node worker --while "python worker.py"
"""


@click.command(name="report", epilog=EXAMPLES)
@click.option("--url", required=True, metavar="URL", help="The page's address.")
@click.option("--token", required=True, envvar="CRISP_STATUS_REPORTER_TOKEN", show_envvar=True, help="Reporter token.")
@click.option("--service", required=True, metavar="ID")
@click.option("--node", required=True, metavar="ID")
@click.option("--replica", default="", metavar="ID", help="Which copy this is; default: the name of this host.")
@click.option(
    "--interval",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, INTERVAL_MAX),
    help="Seconds until the next report.",
)
@click.option("--health", default="healthy", show_default=True, type=click.Choice(["healthy", "sick", "dead"]))
@click.option("--reason", default="", metavar="TEXT", help="Why it is sick or dead.")
@click.option("--while", "program", default="", metavar="CMD", help="Report for as long as this shell command runs.")
@click.option(
    "--flush", is_flag=True, default=False, help="Remove the replica from the page; with --while, at its end."
)
def command(
    url: str,
    token: str,
    service: str,
    node: str,
    replica: str,
    interval: float,
    health: str,
    reason: str,
    program: str,
    flush: bool,
) -> None:
    """Report a replica of a push node, once or for as long as a command runs.

    With --while the exit code is that of the command, whatever becomes of the reports.
    """
    from crisp_status.reporter import Load, Sender

    if program:
        raise click.exceptions.Exit(_while(program, (url, token, service, node, replica), interval, flush))
    sender = Sender(url, token, service, node, replica)
    if sender.problem:
        fail(f"crisp-status report: {sender.problem}", WRONG)
    if flush:
        outcome = sender.flush()
    else:
        load = Load()
        word = "" if health == "healthy" else health
        outcome = sender.report(interval, load.cpu(), load.ram(), word, reason)
    if not outcome.ok:
        fail(f"crisp-status report: {outcome.error}")


def _while(program: str, who: tuple[str, ...], interval: float, flush: bool) -> int:
    """Run the command with reports beside it; signals go to it, and its end is ours."""
    import signal
    import subprocess

    from crisp_status.reporter import Reporter

    with Reporter(*who, interval, flush=flush):
        try:
            child = subprocess.Popen(program, shell=True)  # noqa: S602 - the user's own command line
        except OSError as error:
            fail(f"crisp-status report: {program} could not be run: {error.strerror}", NO_SUCH_COMMAND)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda got, _: child.send_signal(got))
        code = child.wait()
    return code if code >= 0 else 128 - code
