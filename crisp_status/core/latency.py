"""How fast replicas answer: a day in slots of five minutes, ninety in slots of six hours.

A slot that is over is two bytes a replica, the 50th and 95th percentile on a logarithmic scale. What came in an open slot
is counted by these bytes, so that memory does not grow with looks, and is volatile. A slot is written down once, in the
tick that closes it (`Ticked.latency`), so that a replay has the same; what a crash cuts off is missing from one slot.

At most 576 + 720 bytes a replica stand in the state, and some 300 while slots are open.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Final

from crisp_status.core.events import ClosedLatency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.core.events import Ticked
    from crisp_status.core.model import Node, Replica
    from crisp_status.core.world import World

SHORT_SECONDS: Final = 300
SHORT_SLOTS: Final = 288
"""A day."""

LONG_SECONDS: Final = 21_600
LONG_SLOTS: Final = 360
"""Ninety days."""

SLOWEST_MS: Final = 600_000
"""Ten minutes: the end of the scale. No look takes longer."""

SAMPLES_MAX: Final = 300
"""Of one replica in one short slot: a look each second. Beyond it the oldest is replaced."""

NODES_AT_ONCE: Final = 500
"""Nodes whose slots are closed in one tick: a millisecond or two. A page of 30,000 nodes is through after a minute."""

_STEPS: Final = 254 / log(SLOWEST_MS)
_TIMES: Final = (0, *(round(exp(step / _STEPS)) for step in range(255)))


def scaled(milliseconds: int) -> int:
    """A time as one byte from 1; 0 is left for "nothing known". One step is 5 %."""
    return 1 + min(254, round(log(max(1, milliseconds)) * _STEPS))


def unscaled(byte: int) -> int:
    """The milliseconds that such a byte stands for, within 3 %."""
    return _TIMES[byte]


def seen(node: Node, replica: Replica, at: float, milliseconds: int) -> None:
    """Count one answer in its open slots."""
    slot = int(at // SHORT_SECONDS)
    if not node.slot:
        node.slot = slot
    samples, value = replica.samples, scaled(milliseconds)
    if len(samples) < SAMPLES_MAX:
        samples.append(value)
    else:
        samples[int(at) % SAMPLES_MAX] = value


def find_closed(world: World, event: Ticked) -> None:
    """Fill in the slots that are over, by what was counted in them; called before `step`, never at replay."""
    slot = int(event.at // SHORT_SECONDS)
    if slot != world.latency_slot:
        world.latency_slot = slot
        world.latency_nodes = [node.key for node in world.state.nodes.values() if node.slot or node.long_open]
    for _ in range(min(NODES_AT_ONCE, len(world.latency_nodes))):
        node = world.state.nodes.get(world.latency_nodes.pop())
        if node is None:
            continue
        if 0 < node.slot < slot:
            event.latency.append(_closed(node, slot))
        elif not node.slot and 0 < node.long_open < _long(slot):
            event.latency.append(ClosedLatency(node.key, 0, b"", node.long_open, _ended(node)))


def _closed(node: Node, now: int) -> ClosedLatency:
    """What is over of a node; what was counted in it is empty afterwards."""
    long_slot, long = 0, b""
    opened = _long(node.slot)
    if node.long_open and node.long_open != opened:  # the clock was set, or it was not seen for hours
        long_slot, long = node.long_open, _ended(node)
    short = b"".join([_percentiles(sorted(replica.samples)) for replica in node.replicas.values()])
    for replica in node.replicas.values():
        replica.samples_long = _counted(replica.samples_long, replica.samples)
        replica.samples = bytearray()
    node.long_open = opened
    if not long_slot and _long(now) > opened:
        long_slot, long = opened, _ended(node)
    slot, node.slot = node.slot, 0
    return ClosedLatency(node.key, slot, short, long_slot, long)


def _ended(node: Node) -> bytes:
    """The long slot of all replicas; it is empty afterwards."""
    made, node.long_open = b"", 0
    for replica in node.replicas.values():
        made += _percentiles([value for value, times in _counts(replica.samples_long) for _ in range(times)])
        replica.samples_long = b""
    return made


def _counts(counted: bytes) -> list[tuple[int, int]]:
    """Each byte with how often it came, in order."""
    return [(counted[n], int.from_bytes(counted[n + 1 : n + 3], "big")) for n in range(0, len(counted), 3)]


def _counted(counted: bytes, samples: bytearray) -> bytes:
    """The same with more of them. A dictionary would take ten times the memory."""
    found = dict(_counts(counted))
    for value in samples:
        found[value] = min(found.get(value, 0) + 1, 65_535)
    return b"".join([bytes((value, *found[value].to_bytes(2, "big"))) for value in sorted(found)])


def _percentiles(ordered: list[int]) -> bytes:
    if not ordered:
        return b"\0\0"
    count = len(ordered)
    return bytes((ordered[(count - 1) // 2], ordered[-(-count * 95 // 100) - 1]))


def _long(slot: int) -> int:
    return slot * SHORT_SECONDS // LONG_SECONDS


def close(node: Node, closed: ClosedLatency) -> None:
    """Write a slot down. One that is not newer than the last, because the clock was set back, is left out."""
    if 0 < node.slot <= closed.slot:  # at replay: what the snapshot counted is in it
        node.slot = 0
        for replica in node.replicas.values():
            replica.samples = bytearray()
    if closed.slot > node.short_slot:
        for replica, pair in _pairs(node, closed.short):
            replica.short = _appended(replica.short, pair, closed.slot - node.short_slot - 1, SHORT_SLOTS)
        node.short_slot = closed.slot
    if closed.long_slot > node.long_slot:
        for replica, pair in _pairs(node, closed.long):
            replica.long = _appended(replica.long, pair, closed.long_slot - node.long_slot - 1, LONG_SLOTS)
        node.long_slot = closed.long_slot


def _pairs(node: Node, values: bytes) -> Iterator[tuple[Replica, bytes]]:
    """Each replica with its two bytes; one that came after the slot has none."""
    for place, replica in enumerate(node.replicas.values()):
        yield replica, values[2 * place : 2 * place + 2] or b"\0\0"


def _appended(kept: bytes, pair: bytes, gap: int, slots: int) -> bytes:
    """With one more slot at its end, after `gap` in which nothing was seen; at most `slots`."""
    if not kept:
        return pair if any(pair) else b""
    return (kept + b"\0\0" * min(gap, slots) + pair)[-2 * slots :]
