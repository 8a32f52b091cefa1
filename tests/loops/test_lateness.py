"""Figures of trouble that is over come down."""

from crisp_status.loops.lateness import Lateness


def test_the_latest_look_is_forgotten_after_a_minute_or_two() -> None:
    """It counts in its minute and in the next one; what is smaller hides nothing."""
    late = Lateness()
    for now, value, most in (
        (30.0, 5, 5),
        (59.0, 900, 900),
        (61.0, 7, 900),
        (119.0, 3, 900),
        (121.0, 2, 7),
        (185.0, 1, 2),
        (900.0, 4, 4),
    ):
        late.add(value, now)
        assert late.most == most
