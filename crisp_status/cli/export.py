"""`crisp-status export`: the page as static files."""

from __future__ import annotations

from pathlib import Path

import click

from crisp_status.cli import WRONG, config_option, fail, open_config


@click.command(name="export")
@config_option
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(config_path: Path, folder: Path) -> None:
    """Write the page, its feeds, badges and JSON as static files into FOLDER.

    Reads what the daemon has saved, whether it runs or not. `[publish] folder` does the same at each change.

    \b
    Example:
      crisp-status export /var/www/status
    """
    from crisp_status.app.offline import view_of
    from crisp_status.loops.folder import Folder
    from crisp_status.store import StoreError

    config = open_config(config_path, scripts=True)  # the daemon may run with --scripts
    if config.page.private is not None:
        fail("crisp-status: the page is private, [page.private], and files could be read by everybody", WRONG)
    try:
        view, table = view_of(config)
        count = Folder(folder).write(view, table)
    except StoreError as error:
        fail(f"crisp-status: {error}", WRONG)
    except OSError as error:
        fail(f"crisp-status: {folder} cannot be written: {error.strerror or error}", WRONG)
    click.echo(f"{count} files in {folder}")
