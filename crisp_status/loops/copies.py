"""Where the page is copied to at each change, beside being served: a folder, and object storage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from crisp_status.loops.folder import Copier
from crisp_status.loops.object_storage import ObjectStorage

if TYPE_CHECKING:
    from crisp_status.config.root import Config
    from crisp_status.formats.exposition import Counters
    from crisp_status.formats.routes import Table
    from crisp_status.view.page_view import PageView


class Copies:
    """Both loops of `[publish]`; neither waits for the other."""

    def __init__(self, counters: Counters) -> None:
        """Nothing is copied before `configure`."""
        self._folder = Copier()
        self.storage = ObjectStorage(counters)

    def configure(self, config: Config, table: Table) -> None:
        """Copy as this configuration says from now on."""
        self.storage.configure(config.publish, table)
        self._folder.configure(config.file(config.publish.folder) if config.publish.folder else None, table)

    def offer(self, view: PageView) -> None:
        """There is something new to copy."""
        self._folder.offer(view)
        self.storage.offer(view)

    async def run(self) -> None:
        """Copy until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._folder.run())
            group.create_task(self.storage.run())
