"""Time in which nobody could be heard: this daemon was away, asleep or standing still, or had no network.

Laws
- Such time is nobody's silence: the wait for each report goes on where it was, by the length of that time, no longer.
- A report that was due within it may have come or not: the replica is unknown until the next one is due.
- Whether a report was due is read from volatile times, so `core.step.prepare` writes it into the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import tree
from crisp_status.core.events import SilentReplica
from crisp_status.core.model import Health
from crisp_status.core.verdict import UNASKED
from crisp_status.core.world import due, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.core.model import Node, Replica
    from crisp_status.core.policy import NodePlan
    from crisp_status.core.world import World

LONG_INTERVAL: Final = 600.0
"""Seconds from which reports are so rare that each is journaled, so that a crash forgets none of them."""

JITTER: Final = 5.0
"""A frequent report that was due so shortly before the absence may have come in it, as reporters are never exact."""

SHORT_ABSENCE: Final = 60.0
"""A job on a schedule that was late already when we left has missed us only if we were away for longer than this."""


def missed(world: World, begins: float, ends: float, known_at: float = 0.0) -> list[SilentReplica]:
    """Whose report was due between `begins` and `ends`; `since` is when the last one of that time was due.

    `known_at`: until when volatile times are known, 0 for `begins`. After a crash that is the time of the snapshot.
    """
    found = []
    for plan, node, replica in _reporting(world):
        seen_at = _seen_at(plan, replica, begins, known_at)
        next_at = expected(plan, replica.interval, seen_at)
        slack = 0.0
        if plan.schedule:
            slack = plan.delay_dead if ends - begins > SHORT_ABSENCE else 0.0
        elif replica.interval < LONG_INTERVAL:
            slack = JITTER
        if not begins < next_at + slack or next_at > ends or is_silent(replica):
            continue
        while (following := expected(plan, replica.interval, next_at)) <= ends:
            next_at = following
        found.append(SilentReplica(node.key, replica.id, next_at))
    return found


def pass_over(
    world: World, begins: float, ends: float, missed_by: list[SilentReplica], at: float, known_at: float = 0.0
) -> None:
    """Let the time from `begins` to `ends` be nobody's silence, and who is in `missed_by` unknown."""
    last = {(one.node, one.replica): one.since for one in missed_by}
    for plan, node, replica in _reporting(world):
        since = last.get((node.key, replica.id))
        if since is None:
            replica.seen_at = min(_seen_at(plan, replica, begins, known_at) + ends - begins, ends)
            continue
        replica.seen_at = since
        tree.set_unknown(world.state, node, replica, at, unknown=True)


def stand_still(world: World, at: float, seconds: float) -> None:
    """The loop stood still until `at`: what was sent meanwhile is still on its way."""
    for _, _, replica in _reporting(world):
        if replica.seen_at < at - seconds:
            replica.seen_at += seconds


def told_of(world: World, missed_by: list[SilentReplica]) -> list[SilentReplica]:
    """Those that are unknown for so long that the team is told: jobs on a schedule or with a long interval."""
    found = []
    for one in missed_by:
        plan, replica = world.plans[one.node], world.state.nodes[one.node].replicas[one.replica]
        if plan.heartbeat and (plan.schedule or replica.interval >= LONG_INTERVAL):
            found.append(one)
    return found


def is_silent(replica: Replica) -> bool:
    """Whether it is dead because nothing came from it."""
    return replica.health is Health.DEAD and replica.reason.code in UNASKED


def is_rare(plan: NodePlan, interval: float) -> bool:
    """Whether its reports are journaled one by one."""
    return plan.heartbeat or interval >= LONG_INTERVAL


def _seen_at(plan: NodePlan, replica: Replica, begins: float, known_at: float) -> float:
    """When it was last heard of; after a crash, when plain reports were not written, the latest that it may have been."""
    lost = begins - known_at if known_at else 0.0
    if lost > 0.0 and due(plan, replica) < begins:  # it would be dead by now if it had not come after that
        return begins
    if lost <= 0.0 or is_rare(plan, replica.interval):
        return replica.seen_at
    return max(replica.seen_at, min(replica.seen_at + lost, begins))


def _reporting(world: World) -> Iterator[tuple[NodePlan, Node, Replica]]:
    """Every replica that reports by itself and has done so."""
    for key, plan in world.plans.items():
        if plan.mode in {"push", "local"} and key in world.state.nodes:
            node = world.state.nodes[key]
            for replica in node.replicas.values():
                if replica.interval:
                    yield plan, node, replica
