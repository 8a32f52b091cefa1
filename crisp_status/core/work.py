"""Announced work begins and ends: what breaks within it is nobody's incident, what outlasts it is one from its end.

Laws
- A replica that turns bad while its node is in maintenance opens no incident and joins none.
- When the work is over, what is bad is looked at (or heard of) once before anything is claimed: whoever restarts servers
  until the last minute is not told of an outage that is over. Until then the node counts as in maintenance.
- What is still bad then is an incident that began when the work ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import calendar, incidents, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.core.model import Node, State
    from crisp_status.core.world import World

CONFIRM_MOST: Final = 900.0
"""Seconds that are waited at most for a look or a report after the end of announced work."""

SLACK: Final = 5.0
"""Seconds beyond a look's own time, for its turn to come."""


def follow(state: State, at: float, before: Callable[[], object] = lambda: None) -> bool:
    """Begin and end maintenances that are due, after what is done `before` that; whether anything changed."""
    changed, windows_changed = calendar.keep_windows(state, at)
    if windows_changed:
        before()
        apply(state, at)
    return changed


def apply(state: State, at: float) -> None:
    """Make every node's maintenance what the running windows say."""
    named = {name for i in state.windows if i in state.announcements for name in state.announcements[i].maintenance}
    for node in list(state.nodes.values()):
        within = node.key in named or tree.service_of(node.key) in named
        if within:
            _forget_end(state, node)
            tree.set_maintenance(state, node, at, maintenance=True)
        elif node.maintenance and not node.work_ended_at:
            _end(state, node, at)


def _end(state: State, node: Node, at: float) -> None:
    bad = [replica for replica in node.replicas.values() if replica.health.bad]
    if not bad:
        tree.set_maintenance(state, node, at, maintenance=False)
        return
    node.work_ended_at = at
    state.unconfirmed.append(node.key)
    for replica in bad:
        replica.unconfirmed = True


def _forget_end(state: State, node: Node) -> None:
    if node.key in state.unconfirmed:
        state.unconfirmed.remove(node.key)
    node.work_ended_at = 0.0
    for replica in node.replicas.values():
        replica.unconfirmed = False


def confirm(state: State, node: Node, at: float) -> None:
    """A replica of a node was looked at or heard of: when all were that had to be, its maintenance is over."""
    if node.work_ended_at and not any(replica.unconfirmed for replica in node.replicas.values()):
        _conclude(state, node, at)


def conclude_late(world: World, at: float) -> bool:
    """End maintenances of which nothing came within the time of a look or a report; whether there were any."""
    state = world.state
    if state.offline_since:
        return False
    late = [key for key in state.unconfirmed if at >= state.nodes[key].work_ended_at + _patience(world, key)]
    for key in late:
        _conclude(state, state.nodes[key], at)
    return bool(late)


def _patience(world: World, key: str) -> float:
    plan = world.plans[key]
    if plan.mode in {"push", "local"}:
        replicas = world.state.nodes[key].replicas.values()
        grace = plan.silent_dead if plan.mode == "local" else plan.delay_dead
        return min(max((r.interval for r in replicas), default=0.0) + grace, CONFIRM_MOST)
    return min(max(plan.interval, plan.interval_most) + plan.verdict_seconds + SLACK, CONFIRM_MOST)


def _conclude(state: State, node: Node, at: float) -> None:
    ended_at = node.work_ended_at
    _forget_end(state, node)
    tree.set_maintenance(state, node, ended_at, maintenance=False)
    for replica in node.replicas.values():
        if replica.health.bad and not replica.incident:
            replica.since = max(replica.since, ended_at)
            incidents.worsened(state, node, replica, at)
    if node.health.bad:
        node.since = max(node.since, ended_at)
