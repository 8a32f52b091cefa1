"""The few things that the store asks of a disk, so that tests can hand in one that fails in every way.

A `Disk` is one folder; names are file names in it. Everything raises `OSError` as the system calls do.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING, Final, Protocol

from crisp_status import files

if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE: Final = 4 * 1024**3
"""Bytes. 100,000 replicas with a full history are 0.08 GB; a file beyond this is not ours and would fill the memory."""

SLICE: Final = 4 * 1024**2
"""Bytes written at once."""

LOCK: Final = "lock"

_fsync = getattr(os, "fdatasync", os.fsync)


class File(Protocol):
    """An open file."""

    def write(self, offset: int, data: bytes) -> None:
        """Write all of it there; when it raises, any part may have been written."""

    def truncate(self, size: int) -> None:
        """Cut to so many bytes."""

    def fsync(self) -> None:
        """Return when everything written is on the disk."""

    def close(self) -> None:
        """Let go of it."""


class Disk(Protocol):
    """One folder."""

    @property
    def path(self) -> str:
        """The folder, for sentences."""

    def make(self) -> None:
        """Create the folder if it is not there."""

    def exposed(self) -> bool:
        """Whether other users may look into the folder."""

    def lock(self) -> None:
        """Take the folder for this process. Raises `BlockingIOError` when another one has it."""

    def unlock(self) -> None:
        """Give it back."""

    def holder(self) -> str:
        """Who holds the lock, in words; "" if that is not known."""

    def free(self) -> int:
        """Bytes that may still be written."""

    def names(self) -> list[str]:
        """The files in the folder."""

    def read(self, name: str) -> bytes:
        """A whole file."""

    def read_private(self, name: str, most: int) -> bytes:
        """The first `most` bytes of a file; from now on only its owner may read it."""

    def create(self, name: str) -> File:
        """A new empty file, also in the place of one that is there."""

    def open(self, name: str) -> File:
        """A file that is there, for writing."""

    def rename(self, old: str, new: str) -> None:
        """Rename in one step, also over a file that is there."""

    def remove(self, name: str) -> None:
        """Delete a file."""

    def fsync(self) -> None:
        """Return when every name created, renamed or removed is so on the disk."""


class RealFile:
    """A file of the operating system."""

    def __init__(self, fd: int) -> None:
        """Own this descriptor."""
        self._fd = fd

    def write(self, offset: int, data: bytes) -> None:
        """Write all, in slices, because the system may take less than it is given."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self._fd, view[:SLICE], offset)
            offset += count
            view = view[count:]

    def truncate(self, size: int) -> None:
        """Cut."""
        os.ftruncate(self._fd, size)

    def fsync(self) -> None:
        """Data and size; the time stamps may come later."""
        _fsync(self._fd)

    def close(self) -> None:
        """Close the descriptor, once: also when that fails it is gone, and its number may be another file's by then."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class RealDisk:
    """A folder of the operating system: folder 0700 and files 0600, because the state names private addresses."""

    def __init__(self, folder: Path) -> None:
        """Nothing is touched yet."""
        self._folder = folder
        self._lock = -1

    @property
    def path(self) -> str:
        """As the operator wrote it."""
        return str(self._folder)

    def make(self) -> None:
        """Create it with its parents; a new name in a parent is made durable too."""
        if self._folder.is_dir():
            return
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        _fsync_folder(self._folder.parent)

    def exposed(self) -> bool:
        """Any right for group or others."""
        return bool(self._folder.stat().st_mode & 0o077)

    def lock(self) -> None:
        """flock(2): gone with the process, whatever way it ends."""
        path = self._folder / LOCK
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            fd = files.opened(path)  # a failing disk was made read-only: what it has is served
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        self._lock = fd
        with contextlib.suppress(OSError):  # a full disk is told by whoever needs the space
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)

    def unlock(self) -> None:
        """The file stays: removing it would let two processes hold different locks of one name."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def holder(self) -> str:
        """The process number that the holder left in the file."""
        try:
            with os.fdopen(files.opened(self._folder / LOCK), "rb") as file:
                text = file.read(20).strip().decode("ascii")
        except (OSError, UnicodeDecodeError):
            return ""
        return f"process {text}" if text.isdigit() else ""

    def free(self) -> int:
        """As statvfs(3) says for users without privileges; it knows nothing of quotas."""
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def names(self) -> list[str]:
        """In no order."""
        return [entry.name for entry in self._folder.iterdir()]

    def read(self, name: str) -> bytes:
        """Within `MAX_FILE`."""
        with os.fdopen(files.opened(self._folder / name), "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), name)
            return file.read()

    def read_private(self, name: str, most: int) -> bytes:
        """Also from a disk that is read-only now, where the rights stay as they are."""
        data = files.start_of(self._folder / name, most)
        files.hide(self._folder / name)
        return data

    def create(self, name: str) -> RealFile:
        """Readable by its owner only."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        return RealFile(os.open(self._folder / name, flags, 0o600))

    def open(self, name: str) -> RealFile:
        """For writing."""
        return RealFile(os.open(self._folder / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW))

    def rename(self, old: str, new: str) -> None:
        """One system call."""
        (self._folder / old).replace(self._folder / new)

    def remove(self, name: str) -> None:
        """One system call."""
        (self._folder / name).unlink()

    def fsync(self) -> None:
        """The folder itself."""
        _fsync_folder(self._folder)


def _fsync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some file systems cannot sync a folder and say so; they keep its names in order by themselves.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


_WORDS: Final = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EROFS: "the file system is read-only; mount it writable or choose another folder in server.state",
    errno.EIO: "the disk reports an input/output error; look at the kernel log (dmesg) and check the disk",
    errno.ENOTDIR: "a folder is expected there, and something on the way to it is a file; choose another in server.state",
    errno.EEXIST: "a folder is expected there, and it is a file; choose another folder in server.state",
    errno.EFBIG: "a file is larger than allowed (a limit of the system, of this process, or of crisp-status)",
    errno.ENOLCK: "this file system cannot lock files; put the state on a local disk",
    errno.ELOOP: "a symbolic link is where a file is expected; remove the link",
    errno.ENXIO: "a device, a pipe or a socket is where a file is expected; remove it",
    errno.EMFILE: "this process has too many open files; raise LimitNOFILE",
}


_SET_UP: Final = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENOENT,
        errno.ENOLCK,
        errno.ENOTDIR,
        errno.ENXIO,
    }
)


def passing(error: OSError) -> bool:
    """Whether the machine came to it by itself and may get over it; else somebody has set it up so."""
    return error.errno not in _SET_UP


def os_text(error: OSError) -> str:
    """Why a system call failed and what to do, without the path."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission for user {os.geteuid()}; give the folder to the user that runs crisp-status (chown)"
    if error.errno in _WORDS:
        return _WORDS[error.errno]
    return error.strerror or str(error)
