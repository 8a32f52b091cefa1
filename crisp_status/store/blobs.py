"""Blobs of a state folder: small files of secrets, each under the name that it has in the store."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

from crisp_status.store import StoreError, StoreTrouble
from crisp_status.store.disk import os_text, passing

if TYPE_CHECKING:
    from crisp_status.store.disk import Disk

BLOB_MAX: Final = 2**20
"""Bytes. A key has some hundred, a certificate with its chain some thousand."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_TAKEN: Final = re.compile(r"lock|probe.*|(?:snapshot|journal)[-.].*|.*\.tmp")
"""What other files of the folder are called."""


class FolderBlobs:
    """Reads and writes blobs on a disk. All calls block."""

    def __init__(self, disk: Disk) -> None:
        """The blobs in the folder of `disk`, which exists."""
        self._disk = disk

    def read(self, name: str) -> bytes | None:
        """The bytes of a blob, None when there is none; of a file that is too large to be ours the first `BLOB_MAX`.

        Other users may not read it from then on. Raises `StoreTrouble` or `StoreError`.
        """
        try:
            return self._disk.read_private(_checked(name), BLOB_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refusal(name, error) from error

    def write(self, name: str, data: bytes) -> None:
        """Put a blob in the place of the one of that name: after a crash there is the old one or the new one.

        Raises `StoreTrouble` or `StoreError`; then the old one is there.
        """
        draft = f"{_checked(name)}.tmp"
        try:
            file = self._disk.create(draft)
            try:
                file.write(0, data)
                file.fsync()
            finally:
                file.close()
            self._disk.rename(draft, name)
            self._disk.fsync()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._disk.remove(draft)
            raise self._refusal(name, error) from error

    def remove(self, name: str) -> None:
        """Delete a blob; it need not be there. Raises `StoreTrouble` or `StoreError`."""
        try:
            self._disk.remove(_checked(name))
            self._disk.fsync()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._refusal(name, error) from error

    def names(self, prefix: str) -> list[str]:
        """The blobs whose names begin so, in alphabetical order. Raises `StoreTrouble` or `StoreError`."""
        try:
            found = self._disk.names()
        except OSError as error:
            raise self._refusal(prefix, error) from error
        return sorted(n for n in found if n.startswith(prefix) and _NAME.fullmatch(n) and not _TAKEN.fullmatch(n))

    def _refusal(self, name: str, error: OSError) -> StoreError:
        kind = StoreTrouble if passing(error) else StoreError
        return kind(f"{self._disk.path}/{name}: {os_text(error)}")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or _TAKEN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a blob")
    return name
