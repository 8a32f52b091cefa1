"""A copy of the page as static files in a folder, at each change: `[publish] folder`, and `crisp-status export`."""

from __future__ import annotations

import asyncio
import os
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.formats.export import files

if TYPE_CHECKING:
    from pathlib import Path

    from crisp_status.formats.routes import Table
    from crisp_status.view.page_view import PageView

REST_SECONDS: Final = 10.0
"""At most one copy in this time: a large page has hundreds of files."""

MODE: Final = 0o644
FOLDER_MODE: Final = 0o755
"""A file server runs as somebody else, and the unit's umask is for secrets."""


class Folder:
    """Writes what changed since the last time, each file in one step, so that no half file is ever served."""

    def __init__(self, folder: Path) -> None:
        """Nothing is touched before `write`."""
        self.folder = folder
        self._written: dict[str, bytes] = {}

    def write(self, view: PageView, table: Table) -> int:
        """Write all documents; the number of files that changed. Files of documents that are gone are removed.

        Raises `OSError`.
        """
        known, self._written, changed = self._written, {}, 0
        for name, body in files(view, table):
            digest = blake2b(body, digest_size=16).digest()
            if known.get(name) != digest:
                self._write(name, body)
                changed += 1
            self._written[name] = digest
        for gone in known.keys() - self._written.keys():
            (self.folder / gone).unlink(missing_ok=True)
        return changed

    def _write(self, name: str, body: bytes) -> None:
        path = self.folder / name
        _make(path.parent)
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        # Made anew: where others may write into the folder, a link under that name would lead our words elsewhere.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE), "wb") as file:
            file.write(body)
        draft.chmod(MODE)
        draft.replace(path)


def _make(folder: Path) -> None:
    """A folder that is not there yet, with those above it."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(FOLDER_MODE)


class Copier:
    """The loop behind `[publish] folder`: the newest view that was offered, as soon as the last copy is done."""

    def __init__(self) -> None:
        """Without a folder nothing is copied."""
        self._folder: Folder | None = None
        self._table: Table | None = None
        self._view: PageView | None = None
        self._offered = asyncio.Event()

    def configure(self, folder: Path | None, table: Table) -> None:
        """Copy there from now on; None: nowhere."""
        if folder is None or self._folder is None or self._folder.folder != folder:
            self._folder = Folder(folder) if folder is not None else None
        self._table = table

    def offer(self, view: PageView) -> None:
        """There is something new to copy."""
        self._view = view
        if self._folder is not None:
            self._offered.set()

    async def run(self) -> None:
        """Copy until cancelled; a folder that cannot be written is told once and tried again."""
        trouble = ""
        while True:
            await self._offered.wait()
            self._offered.clear()
            folder, table, view = self._folder, self._table, self._view
            if folder is None or table is None or view is None:
                continue
            try:
                await asyncio.to_thread(folder.write, view, table)
                trouble = ""
            except OSError as error:
                if trouble != str(error):
                    log.get().error("the page could not be copied", folder=os.fspath(folder.folder), reason=str(error))
                trouble = str(error)
                self._offered.set()
            await asyncio.sleep(REST_SECONDS)
