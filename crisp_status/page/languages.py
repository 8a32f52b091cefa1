"""The languages that the page speaks: compiled catalogues in `templates/languages`, read with the standard library."""

from __future__ import annotations

import gettext
from typing import TYPE_CHECKING

from crisp_status.page.assets import own_folder

if TYPE_CHECKING:
    from collections.abc import Iterable


def catalogues(languages: Iterable[str]) -> dict[str, gettext.NullTranslations]:
    """Translations by language; English needs none, and what is missing speaks English."""
    found: dict[str, gettext.NullTranslations] = {}
    for language in languages:
        file = own_folder() / "languages" / f"{language}.mo"
        if file.is_file():
            with file.open("rb") as opened:
                found[language] = gettext.GNUTranslations(opened)
    return found
