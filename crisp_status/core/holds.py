"""What can hold a notice back: all of it, in one order, each with a named reason that the operator can read.

1. grouping wait: facts younger than it are not offered at all (incidents)
2. maintenance
3. dependency: what it depends on is dead, or may turn out to be
4. flapping
5. silence on its node or service
6. the notifier's own filter: off, reminders only, other services, other healths
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import tree
from crisp_status.core.model import Health, NotifierProgress

if TYPE_CHECKING:
    from crisp_status.core.model import Incident, Node, State
    from crisp_status.core.policy import NodePlan, NotifierPlan
    from crisp_status.core.world import World

RECHECK: Final = 5.0
"""What is held back is looked at again this often."""


def held(world: World, notifier: NotifierPlan, node: Node, at: float, since: float, *, over: bool = False) -> str:
    """Why nothing is said of `node` to `notifier` now; "" when it may be said.

    The grouping wait is kept by the caller: facts younger than it are not offered here. `over`: it is well again.
    """
    state = world.state
    plan = world.plans[node.key]
    if node.maintenance:
        return "maintenance"
    if upstream := _dependency(world, plan, at, since, over=over):
        return f"depends on {upstream}"
    if node.unstable:
        return "flapping"
    if silenced(state, node.key):
        return "silenced"
    return filtered(notifier, node.key)


def news(told: NotifierProgress, node: Node) -> bool:
    """Whether a bad node is worse than was told: not told at all, dead and not sick, or wholly dead and not partly."""
    return told.nodes.get(node.key, Health.PENDING) < node.health or (node.key in told.partly and node.wholly_dead)


def filtered(notifier: NotifierPlan, key: str) -> str:
    """Why this notifier never hears of this node; "" when it does."""
    if not notifier.enabled:
        return "notifier is off"
    if notifier.reminders_only:
        return "notifier gets reminders only"
    if notifier.services and tree.service_of(key) not in notifier.services:
        return "service is not routed to this notifier"
    return ""


def untellable(notifier: NotifierPlan, health: Health) -> str:
    """Why this notifier never hears of a health; "" when it does."""
    if health is Health.DEAD and "dead" in notifier.on:
        return ""
    if health >= Health.SICK and "sick" in notifier.on:
        return ""
    return f"notifier is not told of {health.word}"


def why_held(world: World, incident: Incident, at: float) -> list[tuple[str, str, str]]:
    """For the operator: (notifier, node, reason) of everything bad in this incident that somebody is not told."""
    found = []
    for notifier in world.state.plan.notifiers:
        told = incident.told.get(notifier.id, NotifierProgress())
        for key, affected in incident.nodes.items():
            node = world.state.nodes.get(key)
            if node is None or not affected.bad or not news(told, node):
                continue
            reason = untellable(notifier, node.health) or held(world, notifier, node, at, affected.outage_at)
            if not reason and incident.settle_at > at:
                reason = "grouping wait"
            if reason:
                found.append((notifier.id, key, reason))
    return found


def all_held(world: World) -> list[tuple[int, str, str, str]]:
    """The same over all open incidents: (incident, notifier, node, reason)."""
    state = world.state
    return [(incident.id, *why) for incident in state.open.values() for why in why_held(world, incident, state.at)]


def reminder_held(state: State, incident: Incident) -> str:
    """Why no reminder of this incident is sent; "" when one may be."""
    if incident.acknowledged_at:
        return "acknowledged"
    if any(not s.scope for s in state.silences.values()):
        return "silenced"
    return ""


def _dependency(world: World, plan: NodePlan, at: float, since: float, *, over: bool) -> str:
    """The node or service that explains this failure, or might: it is given the time of one verdict."""
    for key in plan.depends_on:
        for upstream in world.nodes_of(key):
            verdict = world.plans[upstream.key].verdict_seconds + RECHECK
            if upstream.health is Health.DEAD or (
                upstream.since > since and at - upstream.since < plan.interval + verdict
            ):
                return key
            if not over and at - since < plan.verdict_seconds + verdict:
                return key
    return ""


def unstable_held(world: World, notifier: NotifierPlan, node: Node) -> str:
    """Why this notifier is not told that `node` flaps; "" when it is. What it depends on may be the one that flaps.

    In a maintenance nothing counts as flapping.
    """
    for key in world.plans[node.key].depends_on:
        if any(n.health is Health.DEAD or n.unstable for n in world.nodes_of(key)):
            return f"depends on {key}"
    if silenced(world.state, node.key):
        return "silenced"
    return "" if hears_flapping(notifier, node.key) else "notifier is not told of it"


def hears_flapping(notifier: NotifierPlan, key: str) -> bool:
    """Whether this notifier is ever told that the node flaps: those of deaths are, and those who asked."""
    return ("unstable" in notifier.on or "dead" in notifier.on) and not filtered(notifier, key)


def muted(world: World, key: str) -> bool:
    """Whether no reminder tells of this node now."""
    node = world.state.nodes[key]
    upstream = [n for k in world.plans[key].depends_on for n in world.nodes_of(k)]
    quiet = node.maintenance or node.unstable or silenced(world.state, key)
    return quiet or any(n.health is Health.DEAD for n in upstream)


def silenced(state: State, key: str) -> bool:
    """Whether an operator wants to hear nothing of this node, or of its service."""
    return any(s.scope in (key, tree.service_of(key)) for s in state.silences.values() if s.scope)


def routed(notifier: NotifierPlan, key: str) -> bool:
    """Whether this notifier is told of the node's service."""
    return not notifier.services or tree.service_of(key) in notifier.services
