"""What the stories of the store share: short events, states that know how many events they hold, and a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core.events import Withdrawn
from crisp_status.core.model import State
from crisp_status.store.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.store import Recovered
    from tests.disk import FakeDisk


SPACE = 90
"""Bytes of the space probe; few, because the power goes at every one of them."""


def event(number: int, tag: str = "") -> Withdrawn:
    """An event that knows its place in the sequence; the tag tells two for the same place apart."""
    return Withdrawn(at=float(number), id=f"{number}{tag}")


def state_of(ids: list[str]) -> State:
    """A state that names every event in it."""
    return State(at=float(len(ids)), windows=list(ids))


def ids_of(found: Recovered) -> list[str]:
    """The events that came back, those in the snapshot first; checks that their numbers have no gap."""
    ids = list(found.state.windows) if found.state is not None else []
    for number, read in found.events:
        assert isinstance(read, Withdrawn)
        assert number == len(ids) + 1
        assert read.at == float(number)
        ids.append(read.id)
    return ids


class Life:
    """A store in use that remembers what was promised."""

    def __init__(self, disk: FakeDisk, before: Life | None = None) -> None:
        self.disk = disk
        self.store = StateFolder(disk, SPACE)
        self.taken: list[str] = list(before.taken) if before else []
        """Ids of the events that the store took."""
        self.durable: int = before.durable if before else 0
        """So many of them must come back."""
        self.tried: list[list[str]] = [list(tried) for tried in before.tried] if before else []
        """What else may come back behind them: a call that failed or never returned has perhaps left it on the disk."""
        self.tags: int = before.tags + 1000 if before else 0

    def open(self) -> None:
        """Start; what comes back is the truth from now on."""
        self.taken = self.check(self.store.open())
        self.durable = len(self.taken)
        self.tried = []

    def check(self, found: Recovered) -> list[str]:
        """Both promises: what was durable is there, and nothing is there that was not written."""
        ids = ids_of(found)
        assert ids[: self.durable] == self.taken[: self.durable]
        assert any(ids == line[: len(ids)] for line in [self.taken, *(self.taken + tried for tried in self.tried)])
        return ids

    def append(self, count: int) -> None:
        self.tags += 1
        start = len(self.taken)
        new = [event(number, f"+{self.tags}") for number in range(start + 1, start + count + 1)]
        self.tried.append([one.id for one in new])
        self.store.append(new)
        self.taken += self.tried[-1]
        self.tried = []

    def sync(self) -> None:
        self.store.sync()
        self.acknowledged()

    def acknowledged(self) -> None:
        self.durable = len(self.taken)
        self.tried = []

    def snapshot(self) -> None:
        snapshot = self.store.begin_snapshot()
        self.acknowledged()
        assert snapshot.sequence == len(self.taken) + 1
        state = state_of(self.taken)
        self.append(1)  # the world goes on while it is written
        snapshot.write(self.store.encode(state))

    def kill(self) -> None:
        """The process dies, the machine stays; another one starts."""
        self.disk.held = False
        self.store = StateFolder(self.disk, SPACE)
        self.open()


def scenario(life: Life) -> None:
    """Everything that a daemon does: start, journal, three generations, stop."""
    life.open()
    life.append(2)
    life.sync()
    life.append(1)
    for _ in range(3):
        life.snapshot()
        life.append(2)
        life.sync()
        life.append(1)
    life.sync()
    life.append(1)
    life.store.close()


def refuse(call: Callable[[], object], error: type[Exception]) -> str:
    """The sentence with which a call refuses."""
    try:
        call()
    except error as refused:
        return str(refused)
    raise AssertionError("it was not refused")
