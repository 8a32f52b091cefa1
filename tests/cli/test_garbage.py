"""The collector does not hold up the daemon by looking through what lasts."""

import gc
import weakref

from crisp_status.cli import _garbage


def test_what_lasts_is_looked_through_once():
    """A state that grew is kept after the first long collection, and circles are still collected."""
    _garbage.wait()
    assert not gc.isenabled()
    _garbage.keep()
    try:
        before = gc.get_freeze_count()
        state = [[n] for n in range(1_000_000)]
        gc.collect()
        assert gc.get_freeze_count() - before > len(state) // 2

        circle: list[object] = []
        circle.append(circle)
        del circle
        assert gc.collect() >= 1
        assert gc.get_freeze_count() > 0
    finally:
        _garbage.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert not any(type(known).__module__ == _garbage.__name__ for known in gc.callbacks)


def test_circles_that_were_kept_are_found_once_a_day():
    """What was alive at a freeze and was let go later does not stay for ever."""
    _garbage.wait()
    _garbage.keep()
    try:
        circle: list[object] = [weakref.WeakSet()]
        circle.append(circle)
        there = weakref.ref(circle[0])
        gc.freeze()
        del circle
        gc.collect()
        assert there() is not None

        watch = next(known for known in gc.callbacks if type(known).__module__ == _garbage.__name__)
        watch._all_at -= _garbage.ALL_SECONDS + 1
        gc.collect()
        assert there() is None
    finally:
        _garbage.stop()
