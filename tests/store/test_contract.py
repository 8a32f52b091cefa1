"""Every store keeps the same promises: the real one on a real folder, the real one in memory, and the fake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crisp_status.core.model import State
from crisp_status.store import Store, StoreBusy, StoreError, UnstorableError
from crisp_status.store.files import FileStore
from tests.disk import FakeDisk
from tests.fakes import FakeStore
from tests.store.worlds import event, ids_of, state_of

Again = Callable[[], Store]


@pytest.fixture(params=["folder", "memory", "fake"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Again:
    """Gives the same store, as each start of a daemon would."""
    if request.param == "folder":
        return lambda: FileStore(tmp_path / "state")
    if request.param == "memory":
        disk = FakeDisk()
        return lambda: FileStore(disk)
    fake = FakeStore()
    return lambda: fake


def test_a_new_store_knows_nothing(again: Again):
    """No state, no events, nothing to tell."""
    store = again()
    found = store.open()

    assert (found.state, found.events, found.notes) == (None, [], [])
    assert store.sequence == 1
    store.close()


def test_events_come_back_in_order(again: Again):
    """With their numbers, over several starts."""
    for number in range(1, 4):
        store = again()
        assert ids_of(store.open()) == [str(n) for n in range(1, number)]
        before = store.journal_bytes
        store.append([event(number)])
        store.sync()
        assert store.sequence == number + 1
        assert store.journal_bytes > before
        store.close()


def test_a_snapshot_takes_the_place_of_its_events(again: Again):
    """Events appended after it was begun are not in it, also when they come before it is written."""
    store = again()
    store.open()
    store.append([event(1), event(2)])
    snapshot = store.begin_snapshot()
    state = store.encode(state_of(["1", "2"]))
    store.append([event(3)])
    snapshot.write(state)
    store.append([event(4)])
    store.close()

    assert snapshot.sequence == 3
    store = again()
    found = store.open()
    assert found.state == state_of(["1", "2"])
    assert [number for number, _ in found.events] == [3, 4]
    store.close()


def test_a_begun_snapshot_that_is_never_written_loses_nothing(again: Again):
    """Recovery runs through what came before and after."""
    store = again()
    store.open()
    store.append([event(1)])
    store.begin_snapshot()
    store.append([event(2)])
    store.close()

    store = again()
    assert ids_of(store.open()) == ["1", "2"]
    store.close()


def test_what_cannot_be_read_back_is_refused(again: Again):
    """An event or a state with a number that is not finite."""
    store = again()
    store.open()
    bad = event(1)
    bad.at = float("nan")
    with pytest.raises(UnstorableError):
        store.append([bad])
    with pytest.raises(UnstorableError):
        store.begin_snapshot().write(store.encode(State(at=float("inf"))))
    store.append([event(1)])
    store.close()

    store = again()
    assert ids_of(store.open()) == ["1"]
    store.close()


def test_one_at_a_time(again: Again):
    """A store that is open cannot be opened; one that is closed takes nothing."""
    store = again()
    store.open()
    with pytest.raises(StoreBusy):
        again().open()
    store.close()
    store.close()

    with pytest.raises(StoreError):
        store.append([event(1)])
