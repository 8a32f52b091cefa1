"""Inputs by dice: bytes that are nearly right, words that hurt, JSON with a thing or two changed in it."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

WORDS = (
    "",
    " ",
    "x",
    "0",
    "-1",
    "1e999",
    "nan",
    "null",
    "true",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}%(x)s${X}",
    "\x1b[2J\x1b]0;owned\x07",
    "a\r\nSet-Cookie: a=b\r\n\r\n<b>",
    "a\nBcc: all@acme.example",
    "\x00",
    "\u202etxt.exe\u202c",
    "\u200f\u2066x",
    "\ud800",
    "\udfff\ud800",
    "é" * 40,
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A" * 5,
    "../../../../etc/passwd",
    "..%2f..%2f",
    "%",
    "%zz",
    "%00",
    "http://[::1",
    "javascript:alert(1)",
    "[a](javascript:alert(1))",
    "[a](<data:text/html,x>) ![i](http://x/y.png)",
    "x" * 199,
    "x" * 10_000,
    "9" * 5000,
    "FREQ=DAILY;COUNT=3",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2",
    "FREQ=WEEKLY;BYDAY=MO;BYHOUR=1,2,3",
    "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=-400;INTERVAL=0",
    "2026-12-01T22:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
)

NUMBERS = (0, -1, 1, 7, 255, 256, 65_535, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 0.1, -0.0, 1e308, -1e308, 5e-324)
ODD = (None, True, False, [], {}, [[]], [{}], {"": ""}, float("nan"), float("inf"), -float("inf"))


def word(dice: Random) -> str:
    """A string that hurts, or a random one."""
    if dice.random() < 0.8:
        return dice.choice(WORDS)
    return "".join(
        chr(dice.choice((dice.randrange(128), dice.randrange(0x3000), dice.randrange(0x110000))))
        for _ in range(dice.randrange(12))
    )


def value(dice: Random, depth: int = 3) -> Any:
    """Anything that JSON can hold, and a little more."""
    kind = dice.randrange(6 if depth else 3)
    if kind == 0:
        return word(dice)
    if kind == 1:
        return dice.choice(NUMBERS)
    if kind == 2:
        return copy.deepcopy(dice.choice(ODD))
    if kind == 3:
        return [value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return {word(dice): value(dice, depth - 1) for _ in range(dice.randrange(4))}


def spots(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [spot for key, inner in pairs for spot in ((*path, key), *spots(inner, (*path, key)))]


def changed(dice: Random, data: Any, times: int = 3) -> Any:
    """The document with a few things in it changed, gone, doubled or renamed."""
    data = copy.deepcopy(data)
    for _ in range(dice.randint(0, times)):
        every = spots(data)
        if not every:
            break
        *above, last = dice.choice(every)
        here = data
        for part in above:
            here = here[part]
        what = dice.randrange(6)
        if what == 0:
            del here[last]
        elif what == 1 and isinstance(here, list):
            here.extend([copy.deepcopy(here[last])] * dice.choice((1, 1, 50)))
        elif what == 2 and isinstance(here, dict):
            here[word(dice)] = here.pop(last)
        elif what == 3 and isinstance(here[last], int | float) and not isinstance(here[last], bool):
            here[last] = dice.choice(NUMBERS)
        elif what == 4 and isinstance(here[last], str):
            here[last] = word(dice)
        else:
            here[last] = value(dice)
    return data


def json_bytes(dice: Random, data: Any) -> bytes:
    """The document as JSON, now and then not quite."""
    text = json.dumps(data, ensure_ascii=dice.random() < 0.7)
    return mangled(dice, text.encode("utf-8", "surrogatepass"), 0.15)


SPLICES = (
    b"\0",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\x1b[31m",
    b"\xff\xfe",
    b"\xc3",
    b"\xed\xa0\x80",
    b"%00",
    b"{",
    b"]" * 40,
    b"[" * 5000,
    b'"',
    b" " * 3000,
    b"9" * 400,
)


def mangled(dice: Random, data: bytes, chance: float = 0.7) -> bytes:
    """Some bytes flipped, cut, doubled, moved or put in."""
    if dice.random() >= chance:
        return data
    raw = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 9))):
        place = dice.randrange(len(raw) + 1)
        size = dice.choice((1, 1, 2, 8, 64))
        what = dice.randrange(6)
        if what == 0 and place < len(raw):
            raw[place] ^= 1 << dice.randrange(8)
        elif what == 1:
            del raw[place : place + size]
        elif what == 2:
            raw[place:place] = raw[place : place + size]
        elif what == 3:
            raw[place:place] = dice.choice(SPLICES)
        elif what == 4:
            raw[place : place + size] = dice.randbytes(dice.randrange(size + 1))
        else:
            del raw[place:]
    return bytes(raw)
