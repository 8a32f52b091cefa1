"""Plug room: how a configuration comes from another program. One file a program; its name is the kind of `import`.

A kind has
- `TITLE`: what people call the program;
- `recognises(head) -> bool`: whether the first bytes of a file look like one of its files;
- `read(files, draft)`: fills the draft from them, and tells it everything that has no counterpart here.

`ImporterKind` is the same in types; mypy compares every kind with it.

`read` raises `ImportFailed` with a sentence when a file cannot be understood at all. It need not check what it carries
over: `settle` runs our own check over the draft and takes out, by name, whatever would be refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from crisp_status.importers._draft import Draft, DraftTable, Reference, Remark
from crisp_status.importers._files import RECOGNISED_BYTES, ImportFailed, Source
from crisp_status.importers._settle import settle
from crisp_status.importers._write import document, write

__all__ = [
    "RECOGNISED_BYTES",
    "Draft",
    "DraftTable",
    "ImportFailed",
    "ImporterKind",
    "Reference",
    "Remark",
    "Source",
    "document",
    "settle",
    "write",
]


class ImporterKind(Protocol):
    """A module of this room."""

    @property
    def TITLE(self) -> str:  # noqa: N802 - the name of a constant of the module
        """What people call the program."""

    def recognises(self, head: bytes, /) -> bool:
        """Whether the first bytes of a file look like one of its files."""

    def read(self, files: Sequence[Source], draft: Draft, /) -> None:
        """Fill the draft. Raises `ImportFailed`."""
