"""Search a body with the operator's regular expression, for a limited time.

Python's `re` keeps the interpreter to itself while it searches, so neither a thread nor a task could stop an expression
that backtracks for years. A timer signal can: `re` looks for signals now and then, and our handler raises. It counts the
CPU time of this process, so that a busy machine does not make a good expression late.
"""

from __future__ import annotations

import functools
import re
import signal
import threading
from types import FrameType

from crisp_status.net.contract import Unknowable

SEARCH_MAX = 0.1
"""Seconds of CPU. A sane expression needs milliseconds for a megabyte, and everything else of ours waits meanwhile."""


class _OverTimeError(Exception):
    pass


class _Bell:
    """The timer and its handler, which is set up by the first search and does nothing outside of one."""

    def __init__(self) -> None:
        self._armed = False
        self._hung = False

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            raise _OverTimeError

    def search(self, pattern: re.Pattern[str], text: str) -> bool:
        """Whether it matches somewhere; `_OverTimeError` when that takes too long."""
        if not self._hung:
            signal.signal(signal.SIGVTALRM, self._ring)
            self._hung = True
        self._armed = True
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, SEARCH_MAX)
            return pattern.search(text) is not None
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


_bell = _Bell()


@functools.lru_cache(maxsize=4096)
def compiled(expression: str) -> re.Pattern[str]:
    """The expression, compiled once; `re.error` when it is wrong."""
    return re.compile(expression)


def found(expression: str, text: str) -> bool:
    """Whether the expression matches anywhere in the text; `Unknowable` when it takes too long to tell."""
    pattern = compiled(expression)
    if threading.current_thread() is not threading.main_thread():
        return pattern.search(text) is not None  # signals reach the main thread only
    try:
        return _bell.search(pattern, text)
    except _OverTimeError:
        raise Unknowable(
            f"searching the body took longer than {SEARCH_MAX:g} s; simplify the expression {expression!r}", "bug"
        ) from None
