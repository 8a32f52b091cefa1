"""Every door of the daemon, tried with what nobody would send by mistake (`python -m tests.fuzz`).

A door is an asynchronous context manager that gets the `World` and yields an attempt: a function that gets dice, tries
one input, and returns in a word what became of it. An attempt raises `Broken` when a claim does not hold; any exception
that it lets through is one, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

Attempt = Callable[[Random], Awaitable[str]]
Door = Callable[[Any], AbstractAsyncContextManager[Attempt]]


class Broken(AssertionError):
    """A claim does not hold."""


def claim(holds: object, *words: object) -> None:
    """Raise `Broken` with what was seen."""
    if not holds:
        raise Broken(" ".join(w if isinstance(w, str) else repr(w)[:2000] for w in words))
