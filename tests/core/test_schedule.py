"""When to look at whom: phases, spread, no drift. DESIGN section 6, poll."""

from itertools import pairwise

from crisp_status.core.schedule import FIRST_SPREAD, Schedule, WakeTimes


def filled(count, interval=120.0):
    """So many keys."""
    schedule = Schedule()
    for number in range(count):
        schedule.add(f"web/n{number}", interval, 100.0)
    return schedule


def test_first_looks_are_spread_over_seconds():
    """Within `min(interval, 10 s)`, evenly enough that no second has more than a fifth of a thousand."""
    due = filled(1000).pop_due(100.0 + FIRST_SPREAD)
    seconds = [int(planned - 100.0) for _, planned in due]

    assert len(due) == 1000
    assert max(seconds.count(s) for s in range(10)) < 200
    assert len(filled(50, 2.0).pop_due(102.0)) == 50


def test_looks_are_spread_over_the_interval_soon():
    """No waves: from the sixth interval on every second of two minutes has its share. On the way there nobody waits longer
    than an interval and a quarter, and nobody is looked at twice within an interval.
    """
    schedule = filled(2400)
    looks: dict[str, list[float]] = {}
    for second in range(100, 1200):
        for key, planned in schedule.pop_due(float(second)):
            looks.setdefault(key, []).append(planned)
    seconds = [int(times[5]) for times in looks.values()]

    assert all(120.0 <= b - a <= 150.0 for times in looks.values() for a, b in pairwise(times))
    assert max(seconds.count(s) for s in set(seconds)) < 60


def test_nobody_is_looked_at_twice_within_the_first_interval():
    """Whatever the interval is, also where it is shorter than the spread of first looks."""
    for interval in (2.0, 10.0, 30.0, 120.0, 3600.0):
        schedule = filled(200, interval)
        looks = [key for key, _ in schedule.pop_due(100.0 + interval - 0.001)]
        assert len(looks) == 200


def test_each_keeps_its_phase_for_ever():
    """Once it has its place, however late it is asked: the next time is counted from the planned one."""
    schedule = filled(1)
    for _ in range(6):
        schedule.pop_due(schedule.next_due())
    first = schedule.next_due()
    schedule.pop_due(first)
    planned = []
    for round_ in range(1, 200):
        planned += [at for _, at in schedule.pop_due(first + round_ * 120.0 + round_ % 7)]

    assert planned == [first + 120.0 * n for n in range(1, 200)]


def test_a_place_depends_on_the_key_alone():
    """The same after a restart, whatever else is there."""
    one, many = filled(1), filled(100)

    assert one.pop_due(200.0)[0] in many.pop_due(200.0)


def test_missed_periods_are_skipped():
    """After a stall each is looked at once, and the phase stays."""
    schedule = filled(1)
    for _ in range(6):
        schedule.pop_due(schedule.next_due())
    due = schedule.next_due()

    assert len(schedule.pop_due(due + 1000.0)) == 1
    assert schedule.next_due() == due + 1080.0


def test_a_key_that_is_there_keeps_its_phase():
    """Added again with the same interval; another interval begins anew."""
    schedule = filled(1)
    schedule.pop_due(110.0)
    due = schedule.next_due()
    schedule.add("web/n0", 120.0, 150.0)
    assert (len(schedule), schedule.next_due()) == (1, due)

    schedule.add("web/n0", 30.0, 150.0)
    assert 150.0 <= schedule.next_due() <= 160.0
    assert len(schedule.pop_due(160.0)) == 1


def test_a_removed_key_is_never_due():
    """Its old entries are passed over; unknown ones are fine."""
    schedule = filled(2)
    schedule.remove("web/n0")
    schedule.remove("web/gone")

    assert ("web/n0" in schedule, "web/n1" in schedule) == (False, True)
    assert [key for key, _ in schedule.pop_due(500.0)] == ["web/n1"]
    schedule.remove("web/n1")
    assert schedule.next_due() is None


def test_a_look_that_is_wanted_now_moves_the_phase():
    """From there on; of an unknown key nothing happens."""
    schedule = filled(1)
    schedule.pop_due(115.0)
    schedule.advance("web/n0", 150.0)
    schedule.advance("web/gone", 150.0)

    assert schedule.pop_due(150.0) == [("web/n0", 150.0)]
    assert schedule.next_due() == 270.0


def test_only_so_many_at_once():
    """The rest stays due."""
    schedule = filled(10)

    assert (len(schedule.pop_due(200.0, 3)), len(schedule.pop_due(200.0))) == (3, 7)


def test_deadlines_come_up_once():
    """A key that is watched is not watched twice; it comes up at its first deadline, and then may be watched again."""
    deadlines = WakeTimes()
    deadlines.watch("a", 10.0)
    deadlines.watch("a", 99.0)
    deadlines.watch("b", 20.0)

    assert [deadlines.pop(9.9), deadlines.pop(10.0), deadlines.pop(30.0)] == [[], ["a"], ["b"]]
    deadlines.watch("a", 40.0)
    assert deadlines.pop(40.0) == ["a"]
