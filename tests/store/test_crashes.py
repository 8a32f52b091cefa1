"""The power goes at every byte: what `sync` acknowledged comes back, and nothing comes back that was not written."""

from __future__ import annotations

import errno
from contextlib import suppress
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crisp_status.store import StoreError, StoreTrouble
from crisp_status.store.state_folder import StateFolder
from tests.disk import FakeDisk, PowerCut
from tests.store.worlds import SPACE, Life, ids_of, scenario, state_of


def run(disk: FakeDisk) -> Life:
    """The scenario until the power goes."""
    life = Life(disk)
    with suppress(PowerCut):
        scenario(life)
    return life


def check(disk: FakeDisk, life: Life) -> int:
    """Start on what is left; both promises hold; then go on, and the next start finds that too."""
    next_life = Life(disk, life)
    next_life.open()
    found = len(next_life.taken)
    next_life.append(2)
    next_life.sync()
    next_life.store.close()

    last = Life(FakeDisk(disk.after_crash(Random(found)).files()), next_life)
    last.open()
    assert len(last.taken) == found + 2
    return found


def steps_of_scenario() -> int:
    disk = FakeDisk()
    scenario(Life(disk))
    return disk.steps


STEPS = steps_of_scenario()


def test_a_killed_process_loses_nothing_it_wrote():
    """SIGKILL at every byte and every operation: everything that a call had taken is back."""
    for fuse in range(STEPS):
        life = run(FakeDisk(fuse=fuse))
        life.durable = len(life.taken)

        check(life.disk.after_crash(Random(fuse), power=False), life)


def test_a_power_cut_loses_nothing_that_was_acknowledged():
    """At every byte and every operation, with unsynced pages and names torn in any way."""
    for fuse in range(STEPS):
        life = run(FakeDisk(fuse=fuse))

        check(life.disk.after_crash(Random(fuse)), life)


def test_a_power_cut_during_recovery_loses_nothing_either():
    """The second crash comes at every step of the start after the first one, the third start is fine."""
    for first in range(0, STEPS, 197):
        life = run(FakeDisk(fuse=first))
        left = life.disk.after_crash(Random(first))
        fuse = 0
        off = True
        while off:
            second = FakeDisk(left.files(), fuse=fuse)
            again = Life(second, life)
            with suppress(PowerCut):
                again.open()
            off = second.off
            check(second.after_crash(Random(fuse)), again)
            fuse += 1


MOVES = ["append", "append", "sync", "snapshot", "full", "broken", "lossy", "repair", "close", "kill", "cut"]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), moves=st.lists(st.sampled_from(MOVES), max_size=40), fuse=st.integers(0, 9000))
def test_any_life_with_any_trouble_keeps_both_promises(seed: int, moves: list[str], fuse: int):
    """Appends, syncs, snapshots, stops, kills and power cuts in any order, on a disk that is full or broken at times."""
    dice = Random(seed)
    life = Life(FakeDisk(fuse=fuse))
    with suppress(PowerCut):
        life.open()
        for move in moves:
            life = one(life, move, dice)

    check(life.disk.after_crash(dice), life)


def one(life: Life, move: str, dice: Random) -> Life:
    """One move; the operator sees every refusal and nothing else."""
    disk = life.disk
    if move in {"repair", "close", "kill", "cut"}:
        disk.errors = {}
        disk.room = 1 << 40
    match move:
        case "full":
            disk.room = disk.used() + dice.randrange(120)
        case "broken" | "lossy":
            disk.lossy_fsync = move == "lossy"
            broken = dice.sample(["write", "fsync", "truncate", "create", "rename", "remove"], 2)
            disk.errors = dict.fromkeys(broken, errno.EIO)
        case "close":
            life.store.close()
            life.kill()
        case "kill":
            life.kill()
        case "cut":
            life = Life(disk.after_crash(dice), life)
            life.open()
        case "append" | "sync" | "snapshot":
            with suppress(StoreTrouble):
                getattr(life, move)(*([dice.randrange(1, 4)] if move == "append" else []))
    return life


def test_space_that_comes_back_is_used_again():
    """The disk is full in the middle: the call says so, nothing is half written, and the same call works later."""
    disk = FakeDisk()
    life = Life(disk)
    life.open()
    life.append(2)
    life.sync()
    before = disk.files()
    disk.room = disk.used() + 30

    with pytest.raises(StoreTrouble, match="the disk is full; make room"):
        life.append(1)

    assert disk.files() == before

    disk.room = 1 << 40
    life.append(3)
    life.sync()

    assert check(disk.after_crash(Random(1)), life) == 5


def test_half_of_a_failed_write_never_comes_back():
    """Some lines of it are on the disk and could not be taken back: they do not follow what is written instead."""
    disk = FakeDisk()
    life = Life(disk)
    life.open()
    life.append(1)
    disk.errors = {"write": errno.EIO, "truncate": errno.EIO}
    with suppress(StoreTrouble):
        life.append(6)
    disk.errors = {}

    life.append(1)

    assert check(disk.after_crash(Random(1), power=False), life) == 2


def test_a_failed_fsync_is_not_believed_afterwards():
    """The system drops dirty pages after a failed fsync and calls them clean: they are written again."""
    for lossy in (False, True):
        disk = FakeDisk()
        life = Life(disk)
        life.open()
        life.append(3)
        disk.errors = {"fsync": errno.EIO}
        disk.lossy_fsync = lossy

        with pytest.raises(StoreTrouble, match="input/output error"):
            life.sync()
        with pytest.raises(StoreTrouble, match="input/output error"):
            life.append(1)
        disk.errors = {}
        life.sync()

        assert check(disk.after_crash(Random(2)), life) == 3


def test_a_restart_does_not_believe_it_either():
    """The fsync failed, the process was killed, the next one reads the lines from memory: it makes them durable."""
    disk = FakeDisk()
    life = Life(disk)
    life.open()
    life.append(3)
    disk.errors = {"fsync": errno.EIO}
    disk.lossy_fsync = True
    with suppress(StoreTrouble):
        life.sync()
    disk.errors = {}

    life.kill()

    assert check(disk.after_crash(Random(2)), life) == 3


def test_a_journal_that_was_given_up_is_not_gone_on_with():
    """Else a power cut takes the unsynced end of the one before, and with it everything behind that gap."""
    for seed in range(20):
        disk = FakeDisk()
        life = Life(disk)
        life.open()
        life.append(2)
        disk.errors = {"fsync_folder": errno.EIO, "remove": errno.EIO}
        with pytest.raises(StoreTrouble):
            life.store.begin_snapshot()
        disk.errors = {}
        life.append(1)
        life.kill()
        life.append(1)
        life.sync()

        assert check(disk.after_crash(Random(seed)), life) == 4


def test_a_snapshot_that_fails_costs_nothing():
    """Each operation of a snapshot fails once; everything is there, the next snapshot works and cleans up."""
    for operation in ("create", "write", "fsync", "rename", "fsync_folder", "remove", "names"):
        disk = FakeDisk()
        life = Life(disk)
        life.open()
        life.append(2)
        life.snapshot()
        life.append(2)
        life.sync()
        disk.errors = {operation: errno.EIO}
        with suppress(StoreTrouble):
            begun = life.store.begin_snapshot()
            begun.write(life.store.encode(state_of(life.taken)))
        disk.errors = {}
        life.sync()
        check(FakeDisk(disk.files()), life)
        for _ in range(2):
            life.append(1)
            life.snapshot()

        assert sorted(name.partition("-")[0] for name in disk.entries) == ["journal"] * 2 + ["snapshot"] * 2
        check(disk.after_crash(Random(3)), life)


def flipped(data: bytes) -> list[bytes]:
    """The data with one bit flipped, for each of its bytes."""
    variants = []
    for position in range(len(data)):
        copy = bytearray(data)
        copy[position] ^= 1 << (position % 8)
        variants.append(bytes(copy))
    return variants


def test_every_flipped_bit_in_a_snapshot_is_noticed():
    """The older generation and two journals give the same."""
    disk = FakeDisk()
    life = Life(disk)
    scenario(life)
    good = disk.files()
    newest = max(name for name in good if name.startswith("snapshot"))
    for data in flipped(good[newest]):
        found = StateFolder(FakeDisk({**good, newest: data}), SPACE).open()

        assert ids_of(found) == life.taken
        assert found.notes[0].startswith(f"{newest} is damaged")
        assert found.notes[-1] == f"{newest} is now snapshot.broken-1"


def test_a_flipped_bit_in_the_journal_never_makes_an_event():
    """What comes back is what was there before it, and the rest is kept aside."""
    disk = FakeDisk()
    life = Life(disk)
    scenario(life)
    good = disk.files()
    newest = max(name for name in good if name.startswith("journal"))
    for data in flipped(good[newest]):
        left = FakeDisk({**good, newest: data})
        found = StateFolder(left, SPACE).open()
        ids = ids_of(found)

        assert ids == life.taken[: len(ids)]
        assert len(ids) < len(life.taken)
        assert found.notes
        assert any(name.startswith("journal.broken-") for name in left.entries)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["snapshot", "journal"]), st.binary(max_size=400), min_size=1), st.booleans())
def test_any_rubbish_is_refused_or_kept_aside(rubbish: dict[str, bytes], whole: bool):
    """Files full of anything: the store opens with what is good or refuses with a sentence, never anything else."""
    disk = FakeDisk()
    scenario(Life(disk))
    good = disk.files()
    for kind, data in rubbish.items():
        name = max(name for name in good if name.startswith(kind))
        good[name] = (good[name][: len(data)] if whole else b"") + data
    with suppress(StoreError):
        StateFolder(FakeDisk(good), SPACE).open()
