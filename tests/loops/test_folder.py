"""The page as static files: whole, in one step each, and gone when its document is gone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from click.testing import CliRunner

from crisp_status.cli import commands
from crisp_status.formats.export import files
from tests.daemon import daemon, get, until

SERVICE = """
[[services]]
name = "Web"
[[services.nodes]]
name = "Landing page"
mode = "push"
"""


async def test_every_change_is_copied_to_the_folder(tmp_path: Path) -> None:
    """With [publish], a plain file server shows the same bytes as the daemon."""
    async with daemon(tmp_path, '[publish]\nfolder = "public"\n' + SERVICE) as app:
        public, index = tmp_path / "public", tmp_path / "public" / "index.html"
        await until(lambda: app.site.view is not None)
        names = [name for name, _ in files(app.site.view, app.site.table)]
        # The copy is made in a thread of its own, which a stop does not wait for.
        await until(lambda: all((public / n).exists() for n in names) and not list(public.rglob(".*.new")))
        served = (await get(app, "/status/text"))[1]

    assert "Landing page" in index.read_text()
    assert (tmp_path / "public" / "api" / "v2" / "summary.json").exists()
    assert (tmp_path / "public" / "status" / "text").read_text() == served
    assert not list(tmp_path.rglob(".*.new"))
    assert (tmp_path / "public" / "fr" / "index.html").exists()


async def test_export_reads_what_was_saved(tmp_path: Path) -> None:
    """The command needs no daemon, and changes nothing in the state folder."""
    async with daemon(tmp_path, SERVICE):
        pass
    before = sorted(p.name for p in (tmp_path / "state").iterdir())
    done = CliRunner().invoke(commands, ["export", "-c", str(tmp_path / "config.toml"), str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    assert "Landing page" in (tmp_path / "out" / "index.html").read_text()
    assert (tmp_path / "out" / "badge" / "web" / "landing-page.svg").read_text().startswith("<svg")
    assert sorted(p.name for p in (tmp_path / "state").iterdir()) == before


async def test_a_file_server_may_read_the_copy(tmp_path: Path) -> None:
    """The unit's umask keeps everything from everybody else; what is public anyway is opened to them, folders too."""
    async with daemon(tmp_path, SERVICE):
        pass
    before = os.umask(0o077)
    try:
        CliRunner().invoke(commands, ["export", "-c", str(tmp_path / "config.toml"), str(tmp_path / "www" / "out")])
    finally:
        os.umask(before)

    made = [tmp_path / "www", *(tmp_path / "www").rglob("*")]
    assert tmp_path / "www" / "out" / "api" / "v2" / "summary.json" in made
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o755}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o644}


async def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    """A file where the folder should be is a sentence and exit code 2."""
    async with daemon(tmp_path, SERVICE):
        pass
    (tmp_path / "file").write_text("")
    target = str(tmp_path / "file" / "x")
    done = CliRunner().invoke(commands, ["export", "-c", str(tmp_path / "config.toml"), target])

    assert done.exit_code == 2
    assert "cannot be written" in done.output
