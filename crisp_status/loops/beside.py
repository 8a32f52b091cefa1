"""Who stands beside whom, and who is looked at next because an attempt at a neighbour failed. No clock, no network.

Bounded: a failure asks for at most `AT_ONCE` looks, and a replica gets at most one such look in a quarter of the interval.
Fair: the loop takes from here only what its schedule leaves room for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[str, str]
"""Node key and replica id."""

AT_ONCE: Final = 1000
"""Looks that one failure asks for."""

GAP_MIN: Final = 5.0
"""Seconds between two such looks at one replica, at least."""


class Beside:
    """Neighbours share a host or an address, a service, or something that they depend on. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._groups: dict[int, list[Key]] = {}
        """By the checksum of what the members share: shorter than the words, and a collision costs one look."""
        self._address: dict[Key, int] = {}
        """Group of the address of a target that is configured by name."""
        self._began: dict[Key, float] = {}
        """Looks in flight."""
        self._last: dict[Key, float] = {}
        """When a replica was last looked at because of a neighbour."""
        self._queue: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._after: set[Key] = set()
        """To be looked at as soon as the look in flight has ended, because that one began before the failure."""

    @property
    def waiting(self) -> bool:
        """Whether `take` has something."""
        return bool(self._queue)

    def add(self, key: Key, host: str, depends_on: Iterable[str]) -> None:
        """There is such a replica."""
        for group in shared(key, host, depends_on):
            self._groups.setdefault(group, []).append(key)

    def located(self, key: Key, ip: str) -> None:
        """A target that is configured by name was found at that address."""
        group = crc32(f"host {ip}".encode())
        before = self._address.get(key)
        if before == group:
            return
        if before is not None:
            self._groups[before].remove(key)
        self._address[key] = group
        self._groups.setdefault(group, []).append(key)

    def began(self, key: Key, at: float) -> None:
        """A look at it begins."""
        self._began[key] = at

    def ended(self, key: Key) -> None:
        """The look at it is over."""
        self._began.pop(key, None)
        if key in self._after:
            self._after.discard(key)
            self._put(key)

    def after_failure(
        self, key: Key, host: str, ip: str, depends_on: Iterable[str], *, interval: float, began: float, now: float
    ) -> list[Key]:
        """An attempt at `key`, of a look that began at `began`, failed: its neighbours that are looked at now.

        Those are left out that such a look was given to a moment ago, and those whose look in flight began later than the
        one that failed: it will show the same.
        """
        gap = max(GAP_MIN, interval / 4)
        self._last[key] = now  # the neighbours fail in their turn, and must not ask for it again
        found: dict[Key, None] = {}
        for group in (*shared(key, host, depends_on), crc32(f"host {ip}".encode())):
            for other in self._groups.get(group, ()):
                if len(found) >= AT_ONCE:
                    return list(found)
                if other != key and other not in found and self._ask(other, began, now, gap):
                    found[other] = None
        return list(found)

    def _ask(self, key: Key, began: float, now: float, gap: float) -> bool:
        if now - self._last.get(key, now - gap) < gap:
            return False
        in_flight = self._began.get(key)
        if in_flight is None:
            self._put(key)
        elif in_flight < began:
            self._after.add(key)
        self._last[key] = now
        return True

    def all_again(self, keys: Iterable[Key]) -> None:
        """Look at all of these as soon as there is room."""
        for key in keys:
            if key not in self._began:
                self._put(key)

    def take(self, most: int) -> list[Key]:
        """Whom to look at now, first come first served."""
        taken = [self._queue.popleft() for _ in range(min(max(0, most), len(self._queue)))]
        self._queued.difference_update(taken)
        return taken

    def _put(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._queue.append(key)


def shared(key: Key, host: str, depends_on: Iterable[str]) -> list[int]:
    """The groups of a replica. What it depends on is in the group as well, be it a node or a service."""
    service = key[0].partition("/")[0]
    words = [f"host {host}", f"service {service}", f"below {service}", f"below {key[0]}"]
    return [crc32(word.encode()) for word in (*words, *(f"below {name}" for name in depends_on))]
