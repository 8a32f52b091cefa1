"""The locator: every key is found where the text really has it."""

from __future__ import annotations

import datetime
import random

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from crisp_status.config.locate import Places

BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
KEYS = st.one_of(BARE, st.text("ab.\"'\\ #=[]é\u2028\t", max_size=4))
SCALARS = st.one_of(
    st.integers(-9, 10**9),
    st.booleans(),
    st.floats(allow_nan=False),
    st.text("ab\"'\\ \n\t#=[]{},é", max_size=8),
    st.datetimes(datetime.datetime(1970, 1, 1)).map(lambda d: d.replace(microsecond=0)),  # noqa: DTZ001
    st.times().map(lambda t: t.replace(microsecond=0)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
TABLES = st.dictionaries(
    KEYS,
    st.recursive(
        VALUES,
        lambda inner: st.one_of(
            st.dictionaries(KEYS, inner, max_size=4),
            st.lists(st.dictionaries(KEYS, inner, max_size=3), min_size=1, max_size=3),
        ),
        max_leaves=8,
    ),
    max_size=5,
)


class Writer:
    """Writes a value as TOML in one of the many ways that TOML allows, chosen by a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def gap(self) -> str:
        """Spaces."""
        return self.dice.choice(["", " ", "\t", "  "])

    def lines(self) -> str:
        """What may stand between items where line breaks are allowed."""
        return self.dice.choice(["", " ", "\n", " # it's \"]} a = 1\n\t", "\r\n"])

    def key(self, key: str) -> str:
        """A key: bare where possible, else quoted."""
        if key and all(c.isascii() and (c.isalnum() or c in "_-") for c in key) and self.dice.random() < 0.7:
            return key
        if "'" not in key and "\n" not in key and self.dice.random() < 0.5:
            return f"'{key}'"
        return '"' + key.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'

    def text(self, text: str) -> str:
        """A string in one of four ways."""
        escaped = text.replace("\\", "\\\\").replace("\t", "\\t")
        ways = ['"' + escaped.replace('"', '\\"').replace("\n", "\\n") + '"']
        ways.append('"""\n' + escaped.replace('"""', '""\\"') + ('"""' if not text.endswith('"') else '\\u0022"""'))
        if text.endswith('"'):
            ways[1] = '"""' + escaped.replace('"', '\\"') + '"""'
        if "'''" not in text and not text.endswith("'"):
            ways.append("'''" + ("\n" if text.startswith("\n") else "") + text + "'''")
        if "'" not in text and "\n" not in text:
            ways.append(f"'{text}'")
        return self.dice.choice(ways)

    def value(self, value: object) -> str:
        """Any value on its own."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, datetime.datetime):
            return value.isoformat(self.dice.choice(" T")) + self.dice.choice(["", "Z", "+02:00"])
        if isinstance(value, datetime.time):
            return value.isoformat()
        if isinstance(value, list):
            items = [self.lines() + self.value(v) + self.lines() for v in value]
            return "[" + ",".join(items) + (self.dice.choice([",", ""]) if items else "") + self.lines() + "]"
        if isinstance(value, dict):
            pairs = [self.lines() + self.pair([k], v) + self.lines() for k, v in value.items()]
            return "{" + ",".join(pairs) + (self.dice.choice([",", ""]) if pairs else "") + self.lines() + "}"
        return repr(value)

    def pair(self, keys: list[str], value: object) -> str:
        """`a.b = value`; a table of one key may become a longer dotted key."""
        while isinstance(value, dict) and len(value) == 1 and self.dice.random() < 0.5:
            (more, value) = next(iter(value.items()))
            keys = [*keys, more]
        dotted = (self.gap() + "." + self.gap()).join(self.key(k) for k in keys)
        return f"{dotted}{self.gap()}={self.gap()}{self.value(value)}"

    def table(self, path: list[str], table: dict[str, object]) -> str:
        """The pairs of a table, then its sub-tables under their own headers."""
        head, tail = "", ""
        for key, value in table.items():
            below = [*path, key]
            dotted = (self.gap() + "." + self.gap()).join(self.key(k) for k in below)
            if isinstance(value, dict) and self.dice.random() < 0.6:
                tail += f"{self.gap()}[{self.gap()}{dotted}{self.gap()}]{self.gap()}# [x]\n{self.table(below, value)}"
            elif (
                isinstance(value, list)
                and value
                and all(isinstance(v, dict) for v in value)
                and self.dice.random() < 0.7
            ):
                for item in value:
                    tail += f"{self.gap()}[[{dotted}]]\n{self.table(below, item)}"
            else:
                head += (
                    self.gap() + self.pair([key], value) + self.gap() + self.dice.choice(["\n", "\r\n", " # a = [\n"])
                )
        return head + tail


def walk(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], object]]:
    """Every path below with its value."""
    found: list[tuple[tuple[str | int, ...], object]] = []
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        found += [((*path, key), value), *walk(value, (*path, key))]
    return found


def starts_there(rest: str, key: str | int, value: object) -> bool:
    """Whether the text at a place really begins with that key, or that array item."""
    if isinstance(key, int):
        if isinstance(value, dict):
            return rest.startswith(("{", "[["))
        if isinstance(value, list):
            return rest.startswith("[")
        return not rest.startswith((",", "#", "\n", " "))
    part = rest
    for end in range(1, len(part) + 1):
        if part[:end].endswith("\n"):
            break
        try:
            if next(iter(tomli.loads(part[:end] + " = 0"))) == key and part[end : end + 1] in " \t.=]":
                return True
        except tomli.TOMLDecodeError:
            continue
    return False


@settings(max_examples=60, deadline=None)
@given(TABLES, st.integers(0, 2**32))
def test_every_key_is_found_where_it_is_written(tables: dict[str, object], seed: int) -> None:
    """In any document that tomli reads, each path has a place, and the text there starts with that key."""
    text = Writer(seed).table([], tables)
    data = tomli.loads(text)
    places = Places(text)
    # tomli reads a line break of two characters as one; columns are not touched by that
    lines = text.split("\n")

    found = walk(data)

    assert {path for path, _ in found} == set(places.paths())
    for path, value in found:
        line, column = places.place(path)
        rest = "\n".join(lines[line - 1 :])[column - 1 :]
        assert starts_there(rest, path[-1], value), (path, line, column)


def test_a_missing_key_is_told_at_its_table() -> None:
    """What is not written has the place of the nearest table around it."""
    places = Places("# x\n[page]\nname = 'a'\n\n[[services]]\nid = 'a'\n  [[services.nodes]]\n  id = 'b'\n")

    assert places.place(("page", "url")) == (2, 2)
    assert places.place(("services", 0, "nodes", 0, "name")) == (7, 3)
    assert places.place(("services", 0, "name")) == (5, 1)
    assert places.place(("nothing",)) == (1, 1)


def test_columns_count_characters() -> None:
    """A tab or a wide character is one column."""
    assert Places('a = { "é" = 1, b = 2 }').place(("a", "b")) == (1, 16)


def test_a_large_file_is_quick() -> None:
    """Eighty thousand pairs take a moment, not a minute."""
    text = "".join(
        f'[[services]]\nid = "s{i}"\nnodes = [{{ id = "n", replicas = ["http://x/", "y"] }}]\n' for i in range(5000)
    )

    assert Places(text).place(("services", 4999, "nodes", 0, "replicas", 1)) == (15000, 47)
