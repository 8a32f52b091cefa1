"""What time alone brings: silence, the end of waits, reminders, calm, maintenances, the end of hours and days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import (
    absence,
    audience,
    broadcasts,
    holds,
    incidents,
    maintenance_notices,
    notices,
    places,
    uptime,
    work,
)
from crisp_status.core.absence import is_silent
from crisp_status.core.events import SilentReplica, Ticked
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.core.world import due, expected

if TYPE_CHECKING:
    from crisp_status.core.events import Event, NetworkBack
    from crisp_status.core.model import Incident, Node, State
    from crisp_status.core.operator_records import Silence
    from crisp_status.core.policy import NodePlan
    from crisp_status.core.world import World


DEAD_FOR_GOOD: Final = 300.0
"""Seconds after which what flapped and is dead is told to be dead."""


def find_silent(world: World, event: Ticked) -> None:
    """Fill in who fell silent and who is to be forgotten, by the volatile times of the last reports.

    While our own network is gone nobody is: they may report as they like, we do not hear it.
    """
    if world.state.offline_since:
        return
    agents: dict[str, tuple[float, float]] = {}
    for key, replica_id in world.silences.pop(event.at):
        node, plan = world.state.nodes.get(key), world.plans.get(key)
        replica = node.replicas.get(replica_id) if node else None
        if plan is None or replica is None or not replica.interval:
            continue
        deadline = due(plan, replica)
        if plan.mode == "local" and deadline <= event.at and not is_silent(replica):
            if plan.agent not in agents:
                agents[plan.agent] = _agent(world, plan.agent)
            heard_at, last = agents[plan.agent]
            if heard_at <= event.at - plan.silent_dead / 2:  # the agent is gone, not this one: all of it is one notice
                deadline = min(last, deadline + incidents.JOIN_SECONDS)
        if deadline > event.at:
            world.silences.watch((key, replica_id), deadline)
            continue
        forget_at = replica.seen_at + plan.forget_after
        if not is_silent(replica):
            event.silent.append(SilentReplica(key, replica_id, expected(plan, replica.interval, replica.seen_at)))
        if plan.forget_after and not plan.replicas and not plan.heartbeat:
            if forget_at <= event.at:
                event.forgotten.append(SilentReplica(key, replica_id, event.at))
            else:
                world.silences.watch((key, replica_id), forget_at)


def _agent(world: World, agent: str) -> tuple[float, float]:
    """When anything came from this agent, and when the last of its replicas is due. It looks at one after another."""
    heard_at = last = 0.0
    for key, plan in world.plans.items():
        if plan.mode == "local" and plan.agent == agent:
            for replica in world.state.nodes[key].replicas.values():
                if replica.interval:
                    heard_at = max(heard_at, replica.seen_at)
                    last = max(last, due(plan, replica))
    return heard_at, last


def silence_reason(plan: NodePlan) -> Reason:
    """Why a replica that does not report is dead."""
    if plan.mode == "local":
        return Reason(ReasonCode.AGENT_SILENT, "agent silent: nothing came from the agent that watches it")
    return Reason(ReasonCode.SILENT, "it stopped reporting")


def find_looking(world: World, event: Ticked) -> None:
    """Fill in which nodes have neighbours that are being looked at, as far as a notice may wait for that."""
    over = [key for key, until in world.looking.items() if until <= event.at]
    for key in over:
        del world.looking[key]
    event.looked = world.looked or bool(over)
    world.looked = False
    affected = {key for incident in world.state.open.values() if incident.settle_at for key in incident.nodes}
    event.looking = sorted({node for node, _ in world.looking if node in affected})


def _awaits_looks(world: World, incident: Incident, event: Ticked) -> bool:
    """Whether looks beside what is bad are under way, so that one notice can say it all: at most as long as one takes."""
    if incident.closed_at:
        return False
    budgets = [
        world.plans[key].verdict_seconds for key in event.looking if key in incident.nodes and key in world.plans
    ]
    return event.at < incident.settle_at + max(budgets, default=0.0)


def _hooks_await_looks(world: World, event: Ticked) -> bool:
    """The same for web hooks: these do not wait to group, only so that a hook names all that is known to be bad."""
    budgets = [world.plans[key].verdict_seconds for key in event.looking if key in world.plans]
    return world.state.health.bad and event.at < world.state.hooked.settle_at + max(budgets, default=0.0)


def tick(world: World, event: Ticked) -> bool:
    """Do all that is due at its time; whether anything durable changed."""
    state, at = world.state, event.at
    changed = uptime.close_periods(state, at)
    changed |= _lift_silences(state, at)
    changed |= work.follow(state, at, lambda: _tell_what_is_over(world, at))
    changed |= maintenance_notices.follow(world, at)
    changed |= work.conclude_late(world, at)
    changed |= _calm(world, at)
    changed |= incidents.prune(state, at)
    if state.hooked.settle_at and at >= state.hooked.settle_at and not _hooks_await_looks(world, event):
        notices.settle_hooks(world, at)
        changed = True
    for incident in list(state.open.values()):
        due_now = event.looked or _time_to_recheck(incident.settle_at, at)
        if incident.settle_at and at >= incident.settle_at and due_now and not _awaits_looks(world, incident, event):
            changed |= notices.settle(world, incident, at)
        if incident.remind_at and at >= incident.remind_at and not incident.closed_at:
            changed |= notices.remind(world, incident, at)
    changed |= audience.follow(world, at)
    return changed


def _tell_what_is_over(world: World, at: float) -> None:
    """Settle incidents that ended, before announced work begins: they are no part of it."""
    for incident in [i for i in world.state.open.values() if i.closed_at and i.settle_at and at >= i.settle_at]:
        notices.settle(world, incident, at)


def network_lost(world: World, event: Event) -> bool:
    """Hold everything: what is tallied stops here."""
    if world.state.offline_since:
        return False
    uptime.accrue_all(world.state, event.at)
    world.state.offline_since = event.at
    places.network_lost(world, event.at)
    return True


def network_back(world: World, event: NetworkBack) -> bool:
    """Go on, and tell the team."""
    if not world.state.offline_since:
        return False
    uptime.accrue_all(world.state, event.at)
    broadcasts.network_back(world, event.at)
    absence.pass_over(world, world.state.offline_since, event.at, event.missed, event.at)
    places.pass_over(world, world.state.offline_since, event.at, event.at)
    world.state.offline_since = 0.0
    broadcasts.missed(world, absence.told_of(world, event.missed), event.at)
    return True


def _time_to_recheck(settle_at: float, at: float) -> bool:
    """At once when the wait ends; what is still held back then, every few seconds."""
    return at - settle_at < 1.5 or int(at) % int(holds.RECHECK) == 0


def _calm(world: World, at: float) -> bool:
    """End the damping of nodes that are dead for good, or whose replicas changed rarely enough of late."""
    state, notify = world.state, world.state.plan.notify
    over = []
    for key in list(state.unstable):
        node = state.nodes[key]
        flips = [sum(f > at - notify.flap_window for f in r.flips) for r in node.replicas.values()]
        calm = max(flips, default=0) <= notify.flap_changes // 2
        if node.health is Health.DEAD and not (calm or _stays_dead(node, at, notify.flap_window)):
            continue
        if node.health is Health.DEAD or calm:
            over.append(node)
    for node in over:
        node.unstable = False
        state.unstable.remove(node.key)
        if node.health is Health.DEAD:
            for replica in node.replicas.values():
                replica.flips.clear()  # its next recovery is told, too
            notices.dead_for_good(world, node, at)
        else:
            notices.calm(world, node, at)
    for incident in list(state.open.values()) if over else []:
        incidents.close_if_over(state, incident, at)
    return bool(over)


def _stays_dead(node: Node, at: float, window: float) -> bool:
    """Whether nothing changed for five minutes, and for longer than any of its dead replicas was ever well in between."""
    quiet = at - max((r.flips[-1] for r in node.replicas.values() if r.flips), default=0.0)
    well = [
        r.flips[n] - r.flips[n - 1]
        for r in node.replicas.values()
        if r.health is Health.DEAD
        for n in range(len(r.flips) - 1, 0, -2)
    ]
    return quiet >= DEAD_FOR_GOOD and quiet > min(max(well, default=0.0), window)


def _lift_silences(state: State, at: float) -> bool:
    over = [s.id for s in state.silences.values() if (s.until and s.until <= at) or (not s.until and _well(state, s))]
    for key in over:
        del state.silences[key]
    return bool(over)


def _well(state: State, silence: Silence) -> bool:
    if not silence.scope:
        return not state.health.bad
    node, service = state.nodes.get(silence.scope), state.services.get(silence.scope)
    found = node or service
    return found is None or not found.health.bad
