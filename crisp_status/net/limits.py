"""How much may be open at once: the soft file limit is raised at the start, and looks get a share of it."""

from __future__ import annotations

import resource

FILES_WANTED = 65_536
"""Soft limit to reach for. Far more makes programs that close "all" descriptors slow, ours among them: scripts."""

FILES_RESERVED = 256
"""Kept for visitors, reports, journal and libraries, at least; a quarter of a larger limit."""

SOCKETS_MAX = 20_000
"""A look holds a local port; Linux has 28,232 of them by default for one target."""

SOCKETS_MIN = 16
"""Whatever the limit says: fewer would not watch anything in time."""


def raise_file_limit() -> int:
    """Raise the soft limit of open files as far as allowed and useful; returns the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = FILES_WANTED if hard == unlimited else min(hard, FILES_WANTED)
    if soft == unlimited or soft >= wanted:
        return FILES_WANTED if soft == unlimited else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def sockets_allowed(files: int) -> int:
    """How many sockets looks may hold together under that limit of open files."""
    spare = files - max(FILES_RESERVED, files // 4)
    return max(SOCKETS_MIN, min(spare, SOCKETS_MAX))
