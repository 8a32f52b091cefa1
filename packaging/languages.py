"""Keep templates/languages in step with what the page says: python packaging/languages.py (`make languages`).

Sentences are taken from the code and the templates into `messages.pot`; each catalogue gets the new ones empty and loses
those that are gone; what is translated is compiled. Nothing written here depends on the day or the machine.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "templates" / "languages"

SOURCES = (
    *(
        ("python", f"crisp_status/{room}/**/*.py")
        for room in ("api", "console", "formats", "language", "messages", "view")
    ),
    ("jinja2", "templates/**/*.html"),
    ("jinja2", "templates/**/*.txt"),
)
"""How to read what. The order decides where a sentence stands in the catalogues."""

OPTIONS = {"encoding": "utf-8", "trimmed": "true", "silent": "false"}

KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "n": (1, 2),
    "pgettext": ((1, "c"), 2),
    "p": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
"""The calls that translate, with the short names that `language.locale.Locale` gives them."""


class Language(NamedTuple):
    """`plural`: the rule of the Unicode CLDR for whole numbers, as gettext writes it."""

    name: str
    forms: int
    plural: str


LANGUAGES = {
    "ar": Language(
        "Arabic",
        6,
        "(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5)",
    ),
    "de": Language("German", 2, "(n != 1)"),
    "es": Language("Spanish", 2, "(n != 1)"),
    "fr": Language("French", 2, "(n > 1)"),
    "it": Language("Italian", 2, "(n != 1)"),
    "ja": Language("Japanese", 1, "0"),
    "nl": Language("Dutch", 2, "(n != 1)"),
    "pl": Language("Polish", 3, "(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2)"),
    "pt": Language("Portuguese", 2, "(n > 1)"),
    "zh": Language("Simplified Chinese", 1, "0"),
}


class Book(Catalog):
    """A catalogue whose header says what readers need, and nothing about when and with what it was made."""

    def __init__(self, code: str = "") -> None:
        language = LANGUAGES.get(code)
        title = f"{language.name} for crisp-status." if language else "Everything that the page and its notices say."
        super().__init__(header_comment=f"# {title} How to change it: docs/languages.md", fuzzy=False)
        self.headers = [
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]
        if language:
            self.headers += [
                ("Language", code),
                ("Plural-Forms", f"nplurals={language.forms}; plural={language.plural};"),
            ]
            self.mime_headers = self.headers

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return self.headers

    @mime_headers.setter
    def mime_headers(self, headers: list[tuple[str, str]]) -> None:
        self._set_mime_headers(headers)


def sentences() -> Iterator[tuple[str, str | tuple[str, ...], str | None, list[str]]]:
    """Everything that is to be translated: the file, the sentence, its context and the comments for translators."""
    for method, pattern in SOURCES:
        for file in sorted(ROOT.glob(pattern)):
            name = file.relative_to(ROOT).as_posix()
            with file.open("rb") as opened:
                for _line, said, comments, context in extract(method, opened, KEYWORDS, ["Translators:"], OPTIONS):
                    yield name, said, context, comments


def template() -> Book:
    """The catalogue without translations, each sentence once."""
    book = Book()
    for name, said, context, comments in sentences():
        book.add(said, locations=[(name, None)], auto_comments=comments, context=context)
    return book


def read(code: str) -> Catalog:
    """The catalogue of a language as it is; a file that is not there is an empty one."""
    file = FOLDER / f"{code}.po"
    if not file.exists():
        return Catalog()
    with file.open("rb") as opened:
        return read_po(opened, abort_invalid=True)


def merge(pattern: Catalog, known: Catalog, code: str) -> Book:
    """The sentences of `pattern` with the translations of `known`."""
    book = Book(code)
    for message in pattern:
        if message.id:
            before: Message | None = known.get(message.id, message.context)
            empty = ("",) * book.num_plurals if message.pluralizable else ""
            book.add(
                message.id,
                before.string if before and before.string else empty,
                locations=message.locations,
                flags=before.flags if before else (),
                auto_comments=message.auto_comments,
                user_comments=before.user_comments if before else (),
                context=message.context,
            )
    return book


def written(book: Catalog) -> bytes:
    """As a .po file. Files are named without lines, so that only a changed sentence changes it."""
    file = io.BytesIO()
    write_po(file, book, width=110, include_lineno=False)
    return file.getvalue().strip() + b"\n"


def compiled(book: Catalog) -> bytes:
    """As a .mo file. A sentence of which a form is missing is left out: it stays English."""
    whole = Book()
    whole.headers = book.headers if isinstance(book, Book) else book.mime_headers
    for message in book:
        if message.id and complete(message):
            whole.add(message.id, message.string, context=message.context)
    file = io.BytesIO()
    write_mo(file, whole)
    return file.getvalue()


def complete(message: Message) -> bool:
    """Whether every form is translated and nobody doubts it."""
    forms = (message.string,) if isinstance(message.string, str) else message.string
    return bool(forms) and all(forms) and not message.fuzzy


def main() -> None:
    """Write all catalogues, and tell what is missing."""
    FOLDER.mkdir(exist_ok=True)
    pattern = template()
    (FOLDER / "messages.pot").write_bytes(written(pattern))
    for code, language in LANGUAGES.items():
        book = merge(pattern, read(code), code)
        (FOLDER / f"{code}.po").write_bytes(written(book))
        (FOLDER / f"{code}.mo").write_bytes(compiled(book))
        missing = sum(1 for message in book if message.id and not complete(message))
        print(
            f"{code} {language.name}: {f'{missing} of {len(book)} missing' if missing else 'complete'}", file=sys.stderr
        )


if __name__ == "__main__":
    main()
