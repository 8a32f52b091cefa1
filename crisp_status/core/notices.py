"""Deciding who is told what, and why not.

Laws
- Level-triggered: an incident that holds untold facts stays due until every notifier is told or nothing is left to tell,
  so what was held back by a maintenance or a dependency is told when that ends.
- Everything that can hold a notice back stands in `held`, in order, each with a named reason.
- A notifier hears of the end only of what it heard the beginning of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import incidents, outbox, tree
from crisp_status.core.model import FINE, Entry, Health, Message, NodeWords, Told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.core.model import Incident, Node, State
    from crisp_status.core.policy import NodePlan, NotifierPlan
    from crisp_status.core.world import World

REPLICAS_NAMED: Final = 10
"""Replicas that a notice names before it only counts them."""

NODES_NAMED: Final = 20

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
    if _silenced(state, node.key):
        return "silenced"
    return filtered(notifier, node.key)


def filtered(notifier: NotifierPlan, key: str) -> str:
    """Why this notifier never hears of this node; "" when it does."""
    if not notifier.enabled:
        return "notifier is off"
    if notifier.reminders_only:
        return "notifier gets reminders only"
    if notifier.services and tree.service_of(key) not in notifier.services:
        return "service is not routed to this notifier"
    return ""


def settle(world: World, incident: Incident, at: float) -> bool:
    """The grouping wait is over: tell every notifier what it does not know yet. Whether anything changed."""
    waiting, said = False, False
    for notifier in world.state.plan.notifiers:
        more, spoke = _tell(world, incident, notifier, at)
        waiting, said = waiting or more, said or spoke
    if said:
        incident.settles += 1
    if said and not incident.remind_at and world.state.plan.notify.reminder_interval and not incident.closed_at:
        incident.remind_at = at + world.state.plan.notify.reminder_interval
    if waiting and not incident.closed_at:
        return said
    incident.settle_at = 0.0
    if incident.closed_at:
        incidents.archive(world.state, incident)
    return True


def why_held(world: World, incident: Incident, at: float) -> list[tuple[str, str, str]]:
    """For the operator: (notifier, node, reason) of everything bad in this incident that somebody is not told."""
    found = []
    for notifier in world.state.plan.notifiers:
        told = incident.told.get(notifier.id, Told())
        for key, hurt in incident.nodes.items():
            node = world.state.nodes.get(key)
            if node is None or not hurt.bad or told.nodes.get(key, Health.PENDING) >= node.health:
                continue
            reason = _untellable(notifier, node.health) or held(world, notifier, node, at, hurt.since)
            if not reason and incident.settle_at > at:
                reason = "grouping wait"
            if reason:
                found.append((notifier.id, key, reason))
    return found


def remind(world: World, incident: Incident, at: float) -> bool:
    """A reminder is due: send it unless something holds it back. Whether it was sent."""
    state, notify = world.state, world.state.plan.notify
    dead = [key for key, h in incident.nodes.items() if h.bad and _is_dead(state, key) and not _muted(world, key)]
    if not dead or reminder_held(state, incident):
        return False
    incident.reminders += 1
    power = {"none": 0, "linear": 1, "square": 2, "cubic": 3}[notify.reminder_backoff]
    counter = min(incident.reminders + 1, notify.reminder_backoff_limit)
    incident.remind_at = at + notify.reminder_interval * max(1, counter) ** power
    for notifier in state.plan.notifiers:
        told = incident.told.get(notifier.id)
        known = set(dead) if notifier.reminders_only else set(told.nodes) & set(dead) if told else set()
        keys = [k for k in dead if k in known and _routed(notifier, k)]
        if notifier.enabled and keys and "dead" in notifier.on:
            escalation = incident.reminders if notify.reminder_escalate else 0
            _owe(world, incident, notifier, "reminder", keys, at, escalation=escalation)
    return True


def reminder_held(state: State, incident: Incident) -> str:
    """Why no reminder of this incident is sent; "" when one may be."""
    if incident.acknowledged_at:
        return "acknowledged"
    if any(not s.scope for s in state.silences.values()):
        return "silenced"
    return ""


def unstable(world: World, node: Node, at: float, kind: str) -> None:
    """Say once that a node flaps, or that it is calm again and how it is now."""
    incident = next((i for i in world.state.open.values() if node.key in i.nodes), None)
    for notifier in world.state.plan.notifiers:
        listens = "unstable" in notifier.on or "dead" in notifier.on
        if not listens or filtered(notifier, node.key) or node.maintenance or _silenced(world.state, node.key):
            continue
        if incident is not None:
            told = incident.told.setdefault(notifier.id, Told())
            told.nodes.pop(node.key, None)
            told.level = max(told.level, incident.nodes[node.key].worst)
            if node.health.bad:
                told.nodes[node.key] = node.health
        _owe(world, incident, notifier, kind, [node.key], at)
    if incident is not None:
        incidents.note(incident, Entry(at, kind, node.key))


def announce_start(world: World, at: float) -> None:
    """The daemon started: said when `notify.startup` is on."""
    if world.state.plan.notify.startup:
        _broadcast(world, "startup", at, 0.0)


def network_back(world: World, at: float) -> None:
    """Our own network is back after a time in which nothing could be judged."""
    _broadcast(world, "network", at, world.state.offline_since)


def page_changed(state: State, at: float) -> None:
    """The page's health moved: web hooks are due when the grouping wait ends."""
    hooked = state.hooked
    if not hooked.settle_at:
        hooked.settle_at = at + state.plan.notify.group_wait
        hooked.worst = Health.PENDING
    hooked.worst = max(hooked.worst, state.health)


def settle_hooks(world: World, at: float) -> None:
    """Tell the web hooks of the page's health; an outage shorter than the wait is told as both its changes."""
    state, hooked = world.state, world.state.hooked
    hooked.settle_at = 0.0
    first = hooked.health is Health.PENDING
    steps = [state.health]
    if hooked.worst > max(state.health, hooked.health) and hooked.worst is not state.health:
        steps.insert(0, hooked.worst)
    for health in steps:
        if health in {hooked.health, Health.PENDING}:
            continue
        hooked.health, hooked.since = health, at
        if first and health is Health.HEALTHY:
            continue
        keys = [k for i in state.open.values() for k, h in i.nodes.items() if h.bad or health is not state.health]
        nodes = _words(world, keys, at) if health.bad else []
        for hook in state.plan.webhooks:
            message = Message(outbox.new_id(state, 0, hook), hook, "hook", at, at, health=health, nodes=nodes)
            outbox.put(state, message)


def _tell(world: World, incident: Incident, notifier: NotifierPlan, at: float) -> tuple[bool, bool]:
    """Tell one notifier; (something waits, something was said)."""
    state = world.state
    told = incident.told.get(notifier.id) or Told()
    fresh, waits = _fresh(world, incident, notifier, told, at)
    better = [k for k in told.nodes if not incident.nodes[k].bad and not _unstable(state, k)]
    kind, keys = "", fresh
    if incident.closed_at:
        kind, keys = ("recovered", list(told.nodes) or fresh) if told.nodes or fresh else ("", [])
        waits = False
    elif fresh:
        kind = "grew" if told.level else "opened"
    elif better and "recovered" in notifier.on:
        kind, keys = "partly", better
    for key in better:
        told.nodes.pop(key)
    if not kind or (kind == "recovered" and told.level and "recovered" not in notifier.on):
        return waits, bool(better)
    for key in fresh:
        told.nodes[key] = max(_health(state, key), told.nodes.get(key, Health.PENDING))
        told.level = max(told.level, told.nodes[key])
    incident.told[notifier.id] = told
    _owe(world, incident, notifier, kind, keys, at)
    return waits, True


def _fresh(world: World, incident: Incident, notifier: NotifierPlan, told: Told, at: float) -> tuple[list[str], bool]:
    """Nodes of which this notifier does not know how bad they are, and whether others are held back for now.

    Of an incident that is over already, those that it never heard of: a short outage is told too.
    """
    fresh, waits = [], False
    for key, hurt in incident.nodes.items():
        node = world.state.nodes.get(key)
        if node is None:
            continue
        over = bool(incident.closed_at)
        level = hurt.worst if over else node.health
        known = told.nodes.get(key, Health.PENDING)
        if (not over and not hurt.bad) or known >= level or (over and told.level):
            continue
        if _untellable(notifier, level):
            continue
        reason = held(world, notifier, node, at, hurt.since, over=over)
        if not reason:
            fresh.append(key)
        elif not filtered(notifier, key):
            waits = True
    return fresh, waits


def _untellable(notifier: NotifierPlan, health: Health) -> str:
    if health is Health.DEAD and "dead" in notifier.on:
        return ""
    if health >= Health.SICK and "sick" in notifier.on:
        return ""
    return f"notifier is not told of {health.word}"


def _owe(
    world: World,
    incident: Incident | None,
    notifier: NotifierPlan,
    kind: str,
    keys: list[str],
    at: float,
    escalation: int = 0,
) -> None:
    state = world.state
    number = incident.id if incident else 0
    since, until = at, 0.0
    if incident is not None:
        hurts = [incident.nodes[k] for k in keys if k in incident.nodes]
        since = min((h.dead_at or h.since for h in hurts), default=incident.opened_at)
        until = max((h.well_at for h in hurts), default=at) if kind in {"recovered", "partly"} else 0.0
    nodes = _words(world, keys, at, incident)
    healths = [w.health for w in nodes]
    for target in _targets(state, notifier, at):
        message = Message(
            outbox.new_id(state, number, notifier.id),
            notifier.id,
            kind,
            at,
            at,
            incident=number,
            target=target,
            health=max(healths, default=state.health),
            nodes=nodes,
            more=max(0, len(keys) - len(nodes)),
            since=since,
            until=until,
            escalation=escalation,
            next_reminder_at=_next_reminder(state, incident, at, kind),
        )
        outbox.put(state, message)


def _next_reminder(state: State, incident: Incident | None, at: float, kind: str) -> float:
    interval = state.plan.notify.reminder_interval
    if incident is None or incident.closed_at or not interval or kind in {"recovered", "calm"}:
        return 0.0
    return incident.remind_at or at + interval


def _broadcast(world: World, kind: str, at: float, since: float) -> None:
    state = world.state
    for notifier in state.plan.notifiers:
        if not notifier.enabled or notifier.reminders_only or "dead" not in notifier.on:
            continue
        for target in _targets(state, notifier, at):
            key = outbox.new_id(state, 0, notifier.id)
            message = Message(
                key,
                notifier.id,
                kind,
                at,
                at,
                target=target,
                health=state.health,
                since=since,
                until=at if since else 0.0,
            )
            outbox.put(state, message)


def _targets(state: State, notifier: NotifierPlan, _at: float) -> list[str]:
    if notifier.kind != "push":
        return [""]
    return [s.id for s in state.subscriptions.values() if s.operator in notifier.operators]


def _words(world: World, keys: Iterable[str], _at: float, incident: Incident | None = None) -> list[NodeWords]:
    """The facts of the first nodes, worst first, with at most ten replica ids in all."""
    state = world.state
    nodes = sorted((state.nodes[k] for k in keys if k in state.nodes), key=lambda n: (-n.health, n.since, n.key))
    words, left = [], REPLICAS_NAMED
    for node in nodes[:NODES_NAMED]:
        bad = [r for r in node.replicas.values() if r.health is node.health] if node.health.bad else []
        named = bad[:left]
        left -= len(named)
        hurt = incident.nodes.get(node.key) if incident else None
        since = (hurt.dead_at or hurt.since) if hurt else min((r.since for r in bad), default=node.since)
        words.append(
            NodeWords(
                node.key,
                node.health,
                since,
                bad[0].reason if bad else FINE,
                [r.id for r in named],
                [r.number for r in named],
                len(bad) - len(named),
                len(node.replicas),
                hurt.well_at if hurt else 0.0,
            )
        )
    return words


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


def _muted(world: World, key: str) -> bool:
    node = world.state.nodes[key]
    return node.maintenance or node.unstable or _silenced(world.state, key) or bool(_dead_upstream(world, key))


def _dead_upstream(world: World, key: str) -> str:
    for upstream in world.plans[key].depends_on:
        if any(n.health is Health.DEAD for n in world.nodes_of(upstream)):
            return upstream
    return ""


def _silenced(state: State, key: str) -> bool:
    return any(s.scope in (key, tree.service_of(key)) for s in state.silences.values() if s.scope)


def _routed(notifier: NotifierPlan, key: str) -> bool:
    return not notifier.services or tree.service_of(key) in notifier.services


def _is_dead(state: State, key: str) -> bool:
    return _health(state, key) is Health.DEAD


def _health(state: State, key: str) -> Health:
    node = state.nodes.get(key)
    return node.health if node else Health.PENDING


def _unstable(state: State, key: str) -> bool:
    return key in state.unstable
