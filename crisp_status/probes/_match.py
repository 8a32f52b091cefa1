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

from crisp_status.probes._contract import Unknowable

SEARCH_MAX = 0.1
"""Seconds of CPU. A sane expression needs milliseconds for a megabyte, and everything else of ours waits meanwhile."""


class _OverTimeError(Exception):
    pass


@functools.lru_cache(maxsize=4096)
def compiled(expression: str) -> re.Pattern[str]:
    """The expression, compiled once; `re.error` when it is wrong."""
    return re.compile(expression)


def found(expression: str, text: str) -> bool:
    """Whether the expression matches anywhere in the text; `Unknowable` when it takes too long to tell."""
    pattern = compiled(expression)
    if threading.current_thread() is not threading.main_thread():
        return pattern.search(text) is not None  # signals reach the main thread only
    armed = True

    def ring(number: int, frame: FrameType | None) -> None:
        if armed:
            raise _OverTimeError

    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, SEARCH_MAX)
        try:
            return pattern.search(text) is not None
        finally:
            armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _OverTimeError:
        raise Unknowable(
            f"searching the body took longer than {SEARCH_MAX:g} s; simplify the expression {expression!r}", "bug"
        ) from None
    finally:
        signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)
