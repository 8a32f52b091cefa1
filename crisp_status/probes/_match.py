"""Search text with the operator's regular expression, for a limited time.

An expression may backtrack for years. The package `regex` stops after a timeout, and lets go of the interpreter while it
searches, so that a thread does not hold up the loop.
"""

from __future__ import annotations

import asyncio
import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import regex

from crisp_status.probes import Unknowable, uncounted

SEARCH_MAX: Final = 1.0
"""Seconds of CPU. A sane expression needs milliseconds for a megabyte."""

THREADS: Final = 2


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="match")


@functools.lru_cache(maxsize=4096)
def compiled(expression: str) -> regex.Pattern[str]:
    """The expression, compiled once. Raises ValueError with the reason when it is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "[[" may mean more one day; `re` says the same
            return regex.compile(expression)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from None


async def found(expression: str, text: str) -> bool:
    """Whether the expression matches anywhere in the text. Raises `Unknowable` when it takes too long to find out.

    The time is ours, so the target is not charged for it.
    """
    pattern = compiled(expression)
    loop = asyncio.get_running_loop()
    return await uncounted(loop.run_in_executor(_threads(), _search, pattern, text))


def _search(pattern: Any, text: str) -> bool:
    try:
        return pattern.search(text, timeout=SEARCH_MAX, concurrent=True) is not None
    except TimeoutError:
        raise Unknowable(
            f"searching took longer than {SEARCH_MAX:g} s; simplify the expression {pattern.pattern!r}", "bug"
        ) from None
