"""What an event was, as `core.step` answers."""

from enum import IntEnum


class Durability(IntEnum):
    """What an event was."""

    REFUSED = 0
    VOLATILE = 1
    DURABLE = 2
