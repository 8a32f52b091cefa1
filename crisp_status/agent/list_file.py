"""The last list of the server in a file, so that an agent that starts while the server is away has something to look at."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

from crisp_status import files, log
from crisp_status.agent.watch_list import WatchList, parsed

if TYPE_CHECKING:
    from pathlib import Path

FILE_MAX: Final = 64 * 1024 * 1024
"""Bytes of a file that is ours: an answer of the server has at most 16 MB, and JSON within JSON may be twice as long."""


class _File(msgspec.Struct):
    """Whose list it is, and the answer of the server as it came."""

    endpoint: str
    name: str
    answer: str


class ListFile:
    """One file, readable by its owner alone: addresses in a list may hold passwords. All calls block."""

    def __init__(self, folder: Path, endpoint: str, name: str) -> None:
        """`endpoint` and `name` as the agent has them now: a list of another page or agent is not taken."""
        self._file = folder / (f"agent-list-{name}.json" if name else "agent-list.json")
        self._whose = endpoint, name
        self._warned = False

    def load(self, interval: float) -> WatchList | None:
        """The list; None when there is none of this page that can be read. `interval` as in `parsed`."""
        try:
            text = files.start_of(self._file, FILE_MAX + 1)
            files.hide(self._file)
            if len(text) > FILE_MAX:
                raise ValueError("it is far too large")
            found = msgspec.json.decode(text, type=_File)
            return parsed(found.answer.encode(), interval) if (found.endpoint, found.name) == self._whose else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            log.get().warning("the list of an earlier run cannot be used", file=str(self._file), reason=str(error))
            return None

    def save(self, answer: bytes) -> None:
        """Keep the answer of a server. A disk that does not take it is told once, and costs nothing else."""
        endpoint, name = self._whose
        fresh = self._file.with_suffix(".tmp")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(msgspec.json.encode(_File(endpoint, name, answer.decode())))
                file.flush()
                os.fsync(number)
            fresh.replace(self._file)
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            if not self._warned:
                log.get().warning("the list cannot be kept for the next start", reason=str(error))
            self._warned = True
