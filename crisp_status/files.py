"""Files of the state folder, read as ours: whatever else stands in their place neither holds us up nor leads elsewhere."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> int:
    """A descriptor to read a plain file. Raises `OSError`, also for a link, a folder, a device or a pipe.

    A pipe would wait for a writer, a device never end, and a link be another file, which we might overwrite next.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.ENXIO, "it is a device or a pipe", str(path))


def start_of(path: Path, most: int) -> bytes:
    """Its first `most` bytes. Raises `OSError`."""
    with os.fdopen(opened(path), "rb") as file:
        return file.read(most)


def hide(path: Path) -> None:
    """Nobody else may read it from now on, unless the disk can only be read."""
    if path.stat().st_mode & 0o077:
        with contextlib.suppress(OSError):
            path.chmod(0o600)
