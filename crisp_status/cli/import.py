"""`crisp-status import`: a configuration from that of another program."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crisp_status import kinds
from crisp_status.cli import WrongError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.importers import Draft

PEERS = [name.replace("_", "-") for name in kinds.importers()]


@click.command(name="import")
@click.argument("program", type=click.Choice(PEERS), metavar=f"[{'|'.join(PEERS)}]")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="config.toml",
    show_default=True,
    metavar="FILE",
    help="Where to write; its secrets go into a folder beside it.",
)
@click.option("--name", default=None, help="Title of the page; default: as it was.")
@click.option("--url", default=None, help="Its public address; default: as it was.")
@click.option("--all", "everything", is_flag=True, default=False, help="Take also what was shown on no page there.")
@click.option("--history", is_flag=True, default=False, help="Take also its days and its incidents that are over.")
@click.option("--json", "as_json", is_flag=True, default=False, help="One JSON object on stdout.")
def command(
    program: str,
    files: Sequence[Path],
    output: Path,
    name: str | None,
    url: str | None,
    everything: bool,
    history: bool,
    as_json: bool,
) -> None:
    """Write a configuration from that of another program, and tell line by line what could not be carried over.

    What is there already is never overwritten. The file is valid; what our check would refuse is left out, and told.

    \b
    Example:
      crisp-status import uptime-kuma kuma.db -o config.toml
    """
    from crisp_status.core.past import history_name
    from crisp_status.importers import document, settle, write

    folder = output.with_name(f"{output.stem}.secrets")
    for path in (output, folder, output.with_name(history_name(output.stem))):
        if os.path.lexists(path):
            raise WrongError(f"{path} is there already and stays as it is; name another file with -o")
    draft = _drafted(program, files, name, url, everything=everything, history=history)
    left = settle(draft, kinds.rooms(), os.environ)
    text = document(draft, folder.name, kinds.importers()[program.replace("-", "_")].TITLE)
    try:
        write(output, text, draft, folder)
    except OSError as error:
        raise WrongError(f"{error.filename or output} cannot be written: {error.strerror}") from None
    if as_json:
        click.echo(json.dumps(_plain(draft, output, folder)))
    else:
        _print_losses(draft, output, folder)
    if left:
        raise WrongError("\n".join(map(str, left)))


def _drafted(
    program: str, files: Sequence[Path], name: str | None, url: str | None, *, everything: bool, history: bool
) -> Draft:
    """What that program's files hold, with the two things that may be given beside them."""
    from datetime import UTC, datetime

    from crisp_status.clock import SystemClock
    from crisp_status.config.addresses import web_url
    from crisp_status.importers import Draft, ImportFailed, Source

    today = datetime.fromtimestamp(SystemClock().now(), UTC).date()
    draft = Draft(today, frozenset(kinds.scheme_owner()), everything, history)
    try:
        if url is not None:
            draft.section("page")["url"] = web_url(url)
        kinds.importers()[program.replace("-", "_")].read([Source(path) for path in files], draft)
    except ImportFailed as error:
        raise WrongError(str(error)) from None
    except ValueError as error:
        raise WrongError(f"--url: {error}") from None
    if history and not draft.history:
        draft.lost("history", "there is none in these files that can be taken over")
    page = draft.section("page")
    if name:
        page["name"] = name
    if not page.get("url"):
        page["url"] = "http://localhost:8080/"
        draft.lost("the page", "has no public address in these files", "write it as url in [page], or give --url")
    return draft


def _print_losses(draft: Draft, output: Path, folder: Path) -> None:
    """What was written, then each remark in a line of its own, then what to do next."""
    from crisp_status.core.past import history_name

    nodes = [node for service in draft.data.get("services", ()) for node in service["nodes"]]
    apart = f"; {len(draft.secrets)} secrets are in {folder}/" if draft.secrets else ""
    click.echo(f"{output} is written: {len(draft.data.get('services', ()))} services, {len(nodes)} nodes{apart}.")
    if draft.history:
        days, incidents = len(draft.history.days), len(draft.history.incidents)
        beside = output.with_name(history_name(output.stem))
        click.echo(
            f"{beside} is written: {days} days, {incidents} incidents. The next start of the daemon takes it once."
        )
    for kind, heading in (("lost", "Not carried over"), ("changed", "Carried over with a difference")):
        remarks = [remark for remark in draft.remarks if remark.kind == kind]
        if remarks:
            click.echo(f"\n{heading} ({len(remarks)}):")
            for remark in remarks:
                click.echo(f"  {remark}")
    if draft.variables:
        click.echo(f"\nSet these variables for the daemon: {', '.join(sorted(draft.variables))}")
    where = "" if str(output) == "config.toml" else f" -c {output}"
    click.echo(f"\nNext: crisp-status check --probe{where}, then crisp-status run{where}.")


def _plain(draft: Draft, output: Path, folder: Path) -> dict[str, Any]:
    return {
        "written": str(output),
        "secrets": str(folder) if draft.secrets else None,
        "history": {"days": len(draft.history.days), "incidents": len(draft.history.incidents)},
        "variables": sorted(draft.variables),
        "remarks": [
            {"kind": r.kind, "where": r.where, "what": r.what, "instead": r.instead or None} for r in draft.remarks
        ],
    }
