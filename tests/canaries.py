"""Secrets that look like real ones and all hold one stem, planted wherever a secret can stand, and the search for them.

garden = Garden(); config = f'secret = {garden.text("hook secret")}' … garden.leaks({"log": text}) == []
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

STEM = "x7canary31q9"
"""In every canary: found, also of a secret that was cut, whatever stands around it and however that is escaped."""

AROUND = 60
"""Characters that a failure shows before and behind."""


def canary(name: str, size: int = 30, signs: str = "") -> str:
    """A secret of its own for that name: the stem in the middle, `signs` at the end, as many characters as `size`."""
    noise = hashlib.sha256(name.encode()).hexdigest()
    room = size - len(STEM) - len(signs)
    return noise[: room // 2] + STEM + noise[-(room - room // 2) :] + signs


def in_base64(secret: bytes) -> list[str]:
    """How it looks inside base64, at each of the three places where it can begin; without what its neighbours decide."""
    found = []
    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        last = -1 if (before + len(secret)) % 3 else None
        found.append(text[-(-before * 8 // 6) : last])
    return found


def spellings(secret: str | bytes) -> set[str]:
    """The secret as it is, in hex, in base64 of both alphabets, in a URL, in JSON, in a `repr`."""
    raw = secret.encode() if isinstance(secret, str) else secret
    text = raw.decode("latin-1") if isinstance(secret, bytes) else secret
    inner = in_base64(raw)
    found = {text, raw.hex(), quote(raw, safe=""), quote_plus(raw), json.dumps(text)[1:-1], repr(text)[1:-1]}
    return found | set(inner) | {one.replace("+", "-").replace("/", "_") for one in inner}


class Garden:
    """What was planted; `leaks` looks for it."""

    def __init__(self) -> None:
        self._needles = dict.fromkeys(spellings(STEM), "canary")

    def plant(self, name: str, secret: str | bytes) -> None:
        """A secret that cannot hold the stem, because somebody else makes it."""
        assert len(secret) >= 16, name
        self._needles |= dict.fromkeys(spellings(secret), name)

    def leaks(self, seen: Mapping[str, str]) -> list[str]:
        """Where one of them stands in these outputs, each with what is around it."""
        found = []
        for where, text in seen.items():
            places = ((text.find(needle), name) for needle, name in self._needles.items())
            place, name = next(((at, name) for at, name in places if at >= 0), (text.lower().find(STEM), "canary"))
            if place >= 0:
                around = text[max(0, place - AROUND) : place + AROUND]
                found.append(f"{where}: {name}: …{around!r}…")
        return found


def files(folder: Path, *but: str) -> dict[str, str]:
    """The contents of all files there, but those whose names match one of these."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes().decode("latin-1")
        for path in found
        if not any(re.fullmatch(name, path.name) for name in but)
    }
