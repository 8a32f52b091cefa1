"""Changes of single values in a TOML text, in which everything else stays byte for byte: comments, order, formatting.

A change is a function that works on plain dictionaries and lists as well as on the document of `tomlkit`. It is carried
out on both, and the new text is taken only when it says exactly what the plain data says: a document that the library
would not write back faithfully is refused instead of damaged.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from crisp_status.config.syntax import parse
from crisp_status.console.config_file import FileTrouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Data = Any
    Change = Callable[[Data, "Maker"], None]

UNSAFE: Final = (
    "This file is written in a way that a form cannot change safely. Change it as text, under File and versions."
)

CHOICES: Final = ("poll", "push", "local")


class Maker:
    """Makes tables and arrays: plain ones, or those of `tomlkit`."""

    def __init__(self, *, plain: bool) -> None:
        self._plain = plain

    def table(self, values: dict[str, Any]) -> Any:
        """A table that stands under a header of its own."""
        if self._plain:
            return dict(values)
        table = tomlkit.table()
        table.trivia.indent = "\n"
        for key, value in values.items():
            table[key] = value
        return table

    def tables(self, entries: Sequence[Any]) -> Any:
        """An array of tables."""
        if self._plain:
            return list(entries)
        found = tomlkit.aot()
        for entry in entries:
            found.append(entry)
        return found


def edited(text: str, name: str, change: Change) -> str:
    """The text after a change. Raises `FileTrouble` when it cannot be carried out faithfully."""
    wanted = parse(text, name)
    before = copy.deepcopy(wanted)
    change(wanted, Maker(plain=True))
    if wanted == before:
        return text
    try:
        document = tomlkit.parse(text)
        if tomlkit.dumps(document) != text:
            raise FileTrouble(UNSAFE)
        change(document, Maker(plain=False))
        new = tomlkit.dumps(document)
        if parse(new, name) != wanted:
            raise FileTrouble(UNSAFE)
    except (TOMLKitError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise FileTrouble(UNSAFE) from error
    return new


def put(table: Data, key: str, value: Any) -> None:
    """Set a value, or take the key away with None; what is the same already is not touched."""
    if value is None:
        if key in table:
            del table[key]
    elif table.get(key) != value or type(table.get(key)) is bool is not type(value):
        table[key] = value


def section(document: Data, make: Maker, *path: str) -> Data:
    """A table by its path, made when it is absent."""
    for key in path:
        if key not in document:
            document[key] = make.table({})
        document = document[key]
    return document


def entry(entries: Data, number: int) -> Data:
    """One entry of an array of tables. Raises `FileTrouble` when it is gone."""
    if not 0 <= number < len(entries):
        raise FileTrouble("This entry is not in the file any more. Load the page again.")
    return entries[number]


def append(table: Data, make: Maker, key: str, values: dict[str, Any]) -> None:
    """Add an entry to an array of tables, which is made when it is absent."""
    new = make.table(values)
    if key in table:
        table[key].append(new)
    else:
        table[key] = make.tables([new])


def remove(table: Data, key: str, number: int) -> None:
    """Take an entry out of an array of tables; without entries the array has no words in the file."""
    entries = table.get(key, [])
    entry(entries, number)
    del entries[number]
    if not entries:
        del table[key]


def move(services: Data, number: int, step: int) -> None:
    """Put a service before or after its neighbour on the page, by the key `order`; the text stays where it is."""
    ranked = sorted(range(len(services)), key=lambda i: (services[i].get("order", 50), i))
    place = ranked.index(number)
    other = place + step
    if not 0 <= other < len(ranked):
        return
    ranked[place], ranked[other] = ranked[other], ranked[place]
    for rank, index in enumerate(ranked):
        put(services[index], "order", min(100, 10 + rank))
