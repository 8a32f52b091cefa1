"""When looks are due: soon, level, punctual, for ever."""

from collections import Counter

from crisp_status.core.schedule import FIRST_SPREAD, Schedule

INTERVAL = 120.0


def times(schedule, until, step=0.25):
    """When each key came up."""
    found = {}
    now = 0.0
    while now <= until:
        for key, planned in schedule.pop_due(now):
            found.setdefault(key, []).append(planned)
        now += step
    return found


def many(interval=INTERVAL):
    """A thousand keys."""
    schedule = Schedule()
    for number in range(1000):
        schedule.add(("web/node", f"http://{number}/"), interval, 0.0)
    return schedule


def test_everybody_is_seen_soon():
    """The first looks are within seconds, and no second one is further away than an interval and a moment."""
    for seen in times(many(), 4 * INTERVAL).values():
        assert 0 <= seen[0] <= FIRST_SPREAD
        assert 0 < seen[1] - seen[0] < INTERVAL + 1


def test_then_the_phase_is_kept():
    """From the second look on the period is exactly the interval."""
    for seen in times(many(), 10 * INTERVAL).values():
        gaps = {round(b - a, 6) for a, b in zip(seen[1:], seen[2:], strict=False)}
        assert gaps == {INTERVAL}


def test_the_work_is_level():
    """After the first interval each second has about as much to do as any other."""
    counts = Counter(int(at // 10) for seen in times(many(), 3 * INTERVAL).values() for at in seen if at > INTERVAL)
    full = [counts[n] for n in range(13, 35)]
    assert min(full) > 50
    assert max(full) < 120


def test_short_intervals_are_spread_as_they_are():
    """An interval shorter than the spread has its own width from the start."""
    for seen in times(many(2.0), 20.0).values():
        assert seen[0] <= 2.0
        assert {round(b - a, 6) for a, b in zip(seen, seen[1:], strict=False)} == {2.0}


def test_places_outlive_a_start():
    """Where a key stands depends on the key alone."""
    assert times(many(), INTERVAL) == times(many(), INTERVAL)


def test_what_was_missed_is_not_made_up():
    """After a long stall each key comes up once, and then in its own phase."""
    schedule = Schedule()
    schedule.add("a", 10.0, 0.0)
    [(_, first)] = schedule.pop_due(10.0)
    assert len(schedule.pop_due(1000.0)) == 1
    assert (schedule.next_due() - first) % 10.0 < 1e-6
    assert schedule.next_due() > 1000.0


def test_a_look_out_of_turn_moves_the_phase():
    """Who is looked at now is next due an interval from now."""
    schedule = Schedule()
    schedule.add("a", 60.0, 0.0)
    schedule.advance("a", 3.0)
    assert [key for key, _ in schedule.pop_due(3.0)] == ["a"]
    assert schedule.next_due() == 63.0


def test_the_same_interval_changes_nothing():
    """A reload keeps the phase of what stays; another interval begins anew; what is gone does not come up."""
    schedule = Schedule()
    schedule.add("a", 60.0, 0.0)
    before = schedule.next_due()
    schedule.add("a", 60.0, 5.0)
    assert schedule.next_due() == before
    schedule.add("a", 30.0, 100.0)
    assert schedule.next_due() >= 100.0
    schedule.remove("a")
    assert schedule.next_due() is None
    assert len(schedule) == 0
