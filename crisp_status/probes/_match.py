"""Search text with the operator's regular expression, for a limited time.

An expression may backtrack for years. The package `regex` stops after a timeout, and lets go of the interpreter while it
searches, so that a thread does not hold up the loop.

A short text is searched at once, for a few milliseconds at most: to have it searched by a thread costs a quarter of the
whole look (docs/speed.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final

import regex
from pydantic import AfterValidator

from crisp_status.probes import Unknowable, uncounted

SEARCH_MAX: Final = 1.0
"""Seconds of CPU. A sane expression needs milliseconds for a megabyte."""

SHORT: Final = 16_384
"""Characters of a text that is searched at once …"""

SHORT_MAX: Final = 0.005
"""… for so many seconds of CPU. An expression that needs longer starts again in a thread."""

THREADS: Final = 2


@functools.cache
def threads() -> ThreadPoolExecutor:
    """For what takes long and holds up nobody."""
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


def _checked(expression: str) -> str:
    compiled(expression)
    return expression


Expression = Annotated[str, AfterValidator(_checked)]
"""A regular expression in the options of a kind."""


async def found(expression: str, text: str) -> bool:
    """Whether the expression matches anywhere in the text. Raises `Unknowable` when it takes too long to find out.

    The time is ours, so the target is not charged for it.
    """
    pattern = compiled(expression)
    if len(text) <= SHORT:
        with contextlib.suppress(TimeoutError):
            return pattern.search(text, timeout=SHORT_MAX) is not None
    loop = asyncio.get_running_loop()
    return await uncounted(loop.run_in_executor(threads(), _search, pattern, text))


def _search(pattern: Any, text: str) -> bool:
    try:
        return pattern.search(text, timeout=SEARCH_MAX, concurrent=True) is not None
    except TimeoutError:
        raise Unknowable(
            f"searching took longer than {SEARCH_MAX:g} s; simplify the expression {pattern.pattern!r}", "bug"
        ) from None
