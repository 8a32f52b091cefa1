"""The collector does not hold up the daemon by looking through what lasts."""

import gc

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
    finally:
        _garbage.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert not any(type(known).__module__ == _garbage.__name__ for known in gc.callbacks)
