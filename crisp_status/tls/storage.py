"""Keys, certificates and accounts in the state folder: each file is written whole or not at all, for our eyes only.

A certificate and its key are one file, so that no crash can leave a pair that does not fit.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from crisp_status.store.disk import Disk, RealDisk

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "tls"
"""Within the state folder."""


class Storage:
    """Named byte strings. May be used by several threads."""

    def __init__(self, disk: Disk) -> None:
        """Nothing is touched before it is asked for something."""
        self._disk = disk
        self._lock = threading.Lock()

    @classmethod
    def within(cls, state: Path) -> Storage:
        """The one of a daemon with that state folder."""
        return cls(RealDisk(state / FOLDER))

    @property
    def path(self) -> str:
        """Where it is, for sentences."""
        return self._disk.path

    def read(self, name: str) -> bytes | None:
        """What was written last; None: nothing. Raises `OSError`."""
        with self._lock:
            try:
                return self._disk.read(name)
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Replace it in one step; when this returns it is on the disk. Raises `OSError`; then the old one stays."""
        with self._lock:
            self._disk.make()
            draft = f"{name}.tmp"
            file = self._disk.create(draft)
            try:
                file.write(0, data)
                file.fsync()
            except BaseException:
                file.close()
                with contextlib.suppress(OSError):
                    self._disk.remove(draft)
                raise
            file.close()
            self._disk.rename(draft, name)
            self._disk.fsync()

    def remove(self, name: str) -> None:
        """Delete it, if it is there. Raises `OSError`."""
        with self._lock, contextlib.suppress(FileNotFoundError):
            self._disk.remove(name)
            self._disk.fsync()
