"""Who is looked at because a neighbour failed: bounded, fair, without a clock."""

from __future__ import annotations

from crisp_status.loops.beside import AT_ONCE, GAP_MIN, Beside, Key

FAILED: Key = ("s/failed", "0")


def crowd(count: int) -> Beside:
    """So many replicas on one host, and one more that fails."""
    beside = Beside()
    for number in range(count):
        beside.add((f"s{number}/n", "0"), "a", ())
    beside.add(FAILED, "a", ())
    return beside


def failed(beside: Beside, *, began: float = 100.0, now: float = 100.0, interval: float = 120.0) -> list[Key]:
    return beside.after_failure(FAILED, "a", "192.0.2.1", (), interval=interval, began=began, now=now)


def test_a_failure_asks_for_so_many_looks_at_most() -> None:
    """The rest is found by the next failure, as they fail themselves."""
    assert len(failed(crowd(AT_ONCE + 50))) == AT_ONCE


def test_only_as_many_are_taken_as_there_is_room() -> None:
    """In the order in which they were asked for; each once."""
    beside = crowd(5)
    found = failed(beside)
    taken = [beside.take(2), beside.take(0), beside.take(-3), beside.take(99)]

    assert [key for part in taken for key in part] == found
    assert not beside.waiting


def test_a_replica_gets_such_a_look_once_in_a_quarter_of_the_interval() -> None:
    """However often its neighbours fail."""
    beside = crowd(1)
    assert len(failed(beside)) == 1
    assert failed(beside, now=129.0) == []
    assert len(failed(beside, now=130.0)) == 1
    assert failed(beside, now=130.0 + GAP_MIN - 0.1, interval=1.0) == []
    assert len(failed(beside, now=130.0 + GAP_MIN, interval=1.0)) == 1


def test_a_look_in_flight_counts_when_it_began_after_the_one_that_failed() -> None:
    """Else it is repeated when it is over, and not before."""
    beside = crowd(2)
    early, late = ("s0/n", "0"), ("s1/n", "0")
    beside.began(early, 99.0)
    beside.began(late, 101.0)
    assert set(failed(beside)) == {early, late}
    assert not beside.waiting

    beside.ended(late)
    assert not beside.waiting
    beside.ended(early)
    assert beside.take(9) == [early]


def test_targets_by_name_are_neighbours_by_their_address() -> None:
    """As long as the name leads there."""
    beside = Beside()
    by_name, by_address = ("x/n", "0"), ("y/n", "0")
    beside.add(by_name, "web.example", ())
    beside.add(by_address, "192.0.2.9", ())
    beside.add(FAILED, "api.example", ())

    def neighbours(now: float) -> set[Key]:
        return set(beside.after_failure(FAILED, "api.example", "192.0.2.9", (), interval=1.0, began=now, now=now))

    assert neighbours(100.0) == {by_address}
    beside.located(by_name, "192.0.2.9")
    beside.located(by_name, "192.0.2.9")
    assert neighbours(200.0) == {by_name, by_address}
    beside.located(by_name, "192.0.2.10")
    assert neighbours(300.0) == {by_address}
