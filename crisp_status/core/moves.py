"""A replica gets its health, by a look, a report, silence or a vote: everything that follows from that for all alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import incidents, latency, notices, tree, work
from crisp_status.core.model import FAILURES_KEPT, LATENCY_SLOT_SECONDS, LATENCY_SLOTS, FailedLook, Health, PlaceLatency
from crisp_status.core.step_outcome import Durability

if TYPE_CHECKING:
    from crisp_status.core.model import Node, Reason, Replica
    from crisp_status.core.world import World


def move(
    world: World, node: Node, replica: Replica, health: Health, since: float, at: float, reason: Reason
) -> Durability:
    """Give `replica` its health, with everything that follows from a change."""
    state = world.state
    known = tree.set_unknown(state, node, replica, at, unknown=False)
    if replica.unconfirmed:
        replica.unconfirmed = False
        _change(world, node, replica, health, since, at, reason)
        work.confirm(state, node, at)
        return Durability.DURABLE
    changed = _change(world, node, replica, health, since, at, reason)
    return Durability.DURABLE if known or changed else Durability.VOLATILE


def _change(
    world: World, node: Node, replica: Replica, health: Health, since: float, at: float, reason: Reason
) -> bool:
    """Whether the health or the reason is another one."""
    state = world.state
    if health is replica.health:
        if reason.same_as(replica.reason):
            return False
        replica.reason = reason
        return True
    old = replica.health
    replica.reason = reason
    tree.set_health(state, node, replica, health, max(since, replica.since if old.bad else 0.0))
    flaps = Health.PENDING not in (old, health) and not node.maintenance and _flaps(world, node, replica, at)
    if health.bad and (replica.incident or not node.maintenance):
        incidents.worsened(state, node, replica, at)
    elif replica.incident:
        incidents.recovered(state, node, replica, at)
    if flaps:
        world.flapping.append(node)
    return True


def tell_flapping(world: World, at: float) -> None:
    """Say of nodes that began to flap that they do: when all that happened to them at this moment is known."""
    while world.flapping:
        notices.unstable(world, world.flapping.pop(0), at)


def _flaps(world: World, node: Node, replica: Replica, at: float) -> bool:
    notify = world.state.plan.notify
    replica.flips.append(at)
    del replica.flips[: max(0, len(replica.flips) - notify.flap_changes - 1)]
    if node.unstable or not notify.flap_changes or len(replica.flips) <= notify.flap_changes:
        return False
    if at - replica.flips[0] > notify.flap_window:
        return False
    node.unstable = True
    world.state.unstable.append(node.key)
    return True


def seen(node: Node, replica: Replica, at: float, latency_ms: int, place: str = "") -> None:
    """Refresh what every look brings; `place`: from where, of a node that is seen from several places."""
    replica.seen_at = at
    replica.latency_ms = latency_ms
    if latency_ms < 0:
        return
    latency.seen(node, replica, at, latency_ms)
    if place:
        if node.latency_from is None:
            node.latency_from = {}
        _average(node.latency_from.setdefault(place, PlaceLatency()), at, latency_ms)


def _average(ring: PlaceLatency, at: float, latency_ms: int) -> None:
    slot = int(at // LATENCY_SLOT_SECONDS)
    if slot != ring.latency_at:
        _turn(ring, slot)
    ring.latency_sum += latency_ms
    ring.latency_n += 1


def _turn(ring: PlaceLatency, slot: int) -> None:
    """Write the mean of the half hour that is over into the ring; clear those in which nothing was seen."""
    if ring.latency_n:
        mean = max(1, min(65535, ring.latency_sum // ring.latency_n))
        place = 2 * (ring.latency_at % LATENCY_SLOTS)
        ring.latency[place : place + 2] = mean.to_bytes(2, "little")
    for gone in range(max(ring.latency_at + 1, slot - LATENCY_SLOTS + 1), slot + 1):
        place = 2 * (gone % LATENCY_SLOTS)
        ring.latency[place : place + 2] = b"\0\0"
    ring.latency_at, ring.latency_sum, ring.latency_n = slot, 0, 0


def failed(replica: Replica, at: float, text: str) -> None:
    """Keep the story of a look that failed."""
    replica.failures.append(FailedLook(at, text[:500]))
    del replica.failures[: max(0, len(replica.failures) - FAILURES_KEPT)]
