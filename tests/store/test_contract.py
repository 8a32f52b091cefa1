"""Every store keeps the same promises: the real one on a real folder, the real one in memory, and the fake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crisp_status.core.model import State
from crisp_status.store import Store, StoreBusy, StoreError, UnstorableError
from crisp_status.store.file_store import FileStore
from crisp_status.store.state_folder import StateFolder
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
        return lambda: FileStore(StateFolder(disk))
    fake = FakeStore()
    return lambda: fake


async def test_a_new_store_knows_nothing(again: Again):
    """No state, no events, nothing to tell."""
    store = again()
    found = await store.open()

    assert (found.state, found.events, found.notes) == (None, [], [])
    assert store.sequence == 1
    await store.close()


async def test_events_come_back_in_order(again: Again):
    """With their numbers, over several starts."""
    for number in range(1, 4):
        store = again()
        assert ids_of(await store.open()) == [str(n) for n in range(1, number)]
        before = store.journal_bytes
        await store.append([event(number)])
        await store.sync()
        assert store.sequence == number + 1
        assert store.journal_bytes > before
        await store.close()


async def test_a_snapshot_takes_the_place_of_its_events(again: Again):
    """Events appended after it was begun are not in it, also when they come before it is written."""
    store = again()
    await store.open()
    await store.append([event(1), event(2)])
    snapshot = await store.begin_snapshot()
    state = store.encode(state_of(["1", "2"]))
    await store.append([event(3)])
    await snapshot.write(state)
    await store.append([event(4)])
    await store.close()

    assert snapshot.sequence == 3
    store = again()
    found = await store.open()
    assert found.state == state_of(["1", "2"])
    assert [number for number, _ in found.events] == [3, 4]
    await store.close()


async def test_a_begun_snapshot_that_is_never_written_loses_nothing(again: Again):
    """Recovery runs through what came before and after."""
    store = again()
    await store.open()
    await store.append([event(1)])
    await store.begin_snapshot()
    await store.append([event(2)])
    await store.close()

    store = again()
    assert ids_of(await store.open()) == ["1", "2"]
    await store.close()


async def test_what_cannot_be_read_back_is_refused(again: Again):
    """An event or a state with a number that is not finite."""
    store = again()
    await store.open()
    bad = event(1)
    bad.at = float("nan")
    with pytest.raises(UnstorableError):
        await store.append([bad])
    with pytest.raises(UnstorableError):
        await (await store.begin_snapshot()).write(store.encode(State(at=float("inf"))))
    await store.append([event(1)])
    await store.close()

    store = again()
    assert ids_of(await store.open()) == ["1"]
    await store.close()


async def test_one_at_a_time(again: Again):
    """A store that is open cannot be opened; one that is closed takes nothing."""
    store = again()
    await store.open()
    with pytest.raises(StoreBusy):
        await again().open()
    await store.close()
    await store.close()

    with pytest.raises(StoreError):
        await store.append([event(1)])


async def test_blobs(again: Again):
    """A blob is what was written last, also for the next start; other files of the store cannot be reached as blobs."""
    store = again()
    await store.open()
    assert await store.read_blob("link.key") is None
    await store.write_blob("link.key", b"first")
    await store.write_blob("link.key", b"second")
    await store.write_blob("tls-account.pem", b"")
    await store.write_blob("tls-acme.example.pem", b"\x00\xff" * 5000)
    await store.close()

    store = again()
    await store.open()
    assert await store.blob_names("tls-") == ["tls-account.pem", "tls-acme.example.pem"]
    assert await store.read_blob("link.key") == b"second"
    assert await store.read_blob("tls-account.pem") == b""
    assert await store.read_blob("tls-acme.example.pem") == b"\x00\xff" * 5000
    await store.remove_blob("link.key")
    await store.remove_blob("link.key")
    assert await store.read_blob("link.key") is None
    assert "lock" not in await store.blob_names()
    await store.close()


@pytest.mark.parametrize(
    "name", ["", "lock", "../x", "a/b", "journal-1.jsonl", "snapshot.broken-1", "x.tmp", "Ümlaut", "-x"]
)
async def test_names_that_no_blob_has(name: str, tmp_path: Path):
    """A blob never stands for another file of the folder, nor for one outside."""
    store = FileStore(tmp_path)
    await store.open()
    for call in (store.read_blob(name), store.write_blob(name, b"x"), store.remove_blob(name)):
        with pytest.raises(ValueError, match="cannot be the name of a blob"):
            await call
    await store.close()
