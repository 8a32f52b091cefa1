"""The languages that the page speaks: compiled catalogues in `templates/languages`, read with the standard library."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from crisp_status.view.assets import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def catalogues(languages: Iterable[str]) -> Mapping[str, gettext.NullTranslations]:
    """Translations by language; English needs none, and what is missing speaks English."""
    return _Catalogues({language: file for language in languages if (file := _file(language)).is_file()})


class _Catalogues(Mapping[str, gettext.NullTranslations]):
    """Each is read when it is spoken for the first time: a page has eleven languages, and its first visitor one."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files

    def __getitem__(self, language: str) -> gettext.NullTranslations:
        return _read(self._files[language])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _file(language: str) -> Path:
    return own_folder() / "languages" / f"{language}.mo"


@cache
def _read(file: Path) -> gettext.NullTranslations:
    with file.open("rb") as opened:
        return gettext.GNUTranslations(opened)
