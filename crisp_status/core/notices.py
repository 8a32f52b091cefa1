"""Deciding who is told what, and why not.

Laws
- Level-triggered: an incident that holds untold facts stays due until every notifier is told or nothing is left to tell,
  so what was held back by a maintenance or a dependency is told when that ends.
- Everything that can hold a notice back stands in `holds`, in order, each with a named reason.
- A notifier hears of the end of what it heard the beginning of; of an outage that was over before anybody was told it
  hears once, when it is over.
- What got worse is told like what is new, and once: that a sick node is dead, that a partly dead one is wholly dead.
- What a message says agrees with the state it was made from: nothing is "not everything" when nothing is bad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status.core import holds, incidents, outbox
from crisp_status.core.incident_records import TimelineKind
from crisp_status.core.model import (
    FINE,
    Health,
    Message,
    NoticeNode,
    NotifierProgress,
    TimelineEntry,
)
from crisp_status.core.outbox_records import MESSAGES, MessageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.core.model import Incident, Node, Replica, State
    from crisp_status.core.policy import NotifierPlan
    from crisp_status.core.vote import Sight
    from crisp_status.core.world import World

REPLICAS_NAMED: Final = 10
"""Replicas that a notice names before it only counts them."""

NODES_NAMED: Final = 20
"""Nodes that a notice describes; nobody reads a longer list in a message, and the page has them all."""


def settle(world: World, incident: Incident, at: float) -> bool:
    """The grouping wait is over: tell every notifier what it does not know yet. Whether anything changed."""
    notifiers = world.state.plan.notifiers
    waiting, said, changed = False, False, False
    for notifier in notifiers:
        news = _news(world, incident, notifier, at)
        waiting |= news.waits
        changed |= bool(news.better or news.dropped)
        said |= _owe_news(world, incident, notifier, news, at)
    if said:
        incident.settles += 1
    if said or any(n.reminders_only and n.enabled for n in notifiers):
        changed |= _begin_reminders(world.state, incident, at)
    if waiting and not incident.closed_at:
        incident.settled_at = at if said or changed else incident.settled_at
        return said or changed
    incident.settle_at, incident.settled_at = 0.0, at
    if incident.closed_at:
        incidents.archive(world.state, incident)
    return True


def _begin_reminders(state: State, incident: Incident, at: float) -> bool:
    """The first one is due an interval from now, unless they have begun or nothing was dead; whether they begin."""
    interval = state.plan.notify.reminder_interval
    if incident.remind_at or incident.closed_at or not interval or incident.worst is not Health.DEAD:
        return False
    incident.remind_at = at + interval
    return True


def remind(world: World, incident: Incident, at: float) -> bool:
    """A reminder is due: send it unless something holds it back, or nobody was told of a death. Whether it was its time."""
    state, notify = world.state, world.state.plan.notify
    dead = [
        key
        for key, affected in incident.nodes.items()
        if affected.bad and _is_dead(state, key) and not holds.muted(world, key)
        if state.nodes[key].level > affected.acknowledged
    ]
    if not dead or holds.reminder_held(state, incident):
        return False
    due = [(n, keys) for n in state.plan.notifiers if (keys := _reminded(incident, n, dead))]
    incident.reminders += bool(due)
    power = {"none": 0, "linear": 1, "square": 2, "cubic": 3}[notify.reminder_backoff]
    counter = min(incident.reminders + 1, notify.reminder_backoff_limit)
    incident.remind_at = at + notify.reminder_interval * max(1, counter) ** power
    escalation = incident.reminders if notify.reminder_escalate else 0
    for notifier, keys in due:
        _owe(world, incident, notifier, MessageKind.REMINDER, keys, at, escalation=escalation)
        progress = incident.told.setdefault(notifier.id, NotifierProgress())
        for key in keys:
            if notifier.reminders_only:  # for this notifier the reminder is the beginning, so it hears of the end
                _learn(progress, key, state.nodes[key])
            elif state.nodes[key].wholly_dead:
                progress.partly.pop(key, None)
    return True


def _reminded(incident: Incident, notifier: NotifierPlan, dead: list[str]) -> list[str]:
    """Dead nodes of which this notifier is reminded: those that it was told to be dead."""
    if not notifier.enabled or "dead" not in notifier.on:
        return []
    told = incident.told.get(notifier.id) or NotifierProgress()
    known = [k for k in dead if notifier.reminders_only or told.nodes.get(k) is Health.DEAD]
    return [k for k in known if holds.routed(notifier, k)]


def unstable(world: World, node: Node, at: float) -> None:
    """Say once that a node flaps."""
    listeners = [n for n in world.state.plan.notifiers if not holds.unstable_held(world, n, node)]
    node.unstable_told = [n.id for n in listeners]
    _flapping(world, node, listeners, TimelineKind.UNSTABLE, at)


def dead_for_good(world: World, node: Node, at: float) -> None:
    """What flapped is dead and stays so: the damping ends, and its death is told like any other, after the wait."""
    incident = incidents.of_flapping(world.state, node)
    for notifier_id in node.unstable_told:
        progress = incident.told.setdefault(notifier_id, NotifierProgress())
        progress.nodes.pop(node.key, None)
        progress.partly.pop(node.key, None)
    node.unstable_told = []
    incidents.wait(world.state, incident, at)


def calm(world: World, node: Node, at: float) -> None:
    """Say that it is calm again and how it is now, to those who heard that it flapped."""
    known, node.unstable_told = node.unstable_told, []
    notifiers = world.state.plan.notifiers
    incident = _flapping(world, node, [n for n in notifiers if n.id in known and n.enabled], TimelineKind.CALM, at)
    if node.health.bad:
        incident.remind_at = 0.0
        _begin_reminders(world.state, incident, at)
        return
    for notifier in notifiers:
        if notifier.id in known or not holds.hears_flapping(notifier, node.key):
            continue
        told = incident.told.setdefault(notifier.id, NotifierProgress())
        if not told.nodes.get(node.key, Health.PENDING).bad:  # who heard of an outage before will hear of its end
            told.nodes[node.key] = Health.HEALTHY


def _flapping(world: World, node: Node, listeners: list[NotifierPlan], kind: TimelineKind, at: float) -> Incident:
    """What flaps is in an incident, which does not end before it is calm."""
    incident = incidents.of_flapping(world.state, node)
    for notifier in listeners:
        told = incident.told.setdefault(notifier.id, NotifierProgress())
        _owe(world, incident, notifier, MessageKind(kind.value), [node.key], at)
        _learn(told, node.key, node)
        told.level = max(told.level, incident.nodes[node.key].worst)
    incidents.note(incident, TimelineEntry(at, kind, node.key))
    return incident


def page_changed(state: State, at: float) -> None:
    """The page's health moved: web hooks are due at the next tick. Programs need no grouping."""
    hooked = state.hooked
    if not hooked.settle_at:
        hooked.settle_at = at
        hooked.worst = Health.PENDING
    hooked.worst = max(hooked.worst, state.health)


def settle_hooks(world: World, at: float) -> None:
    """Tell the web hooks of the page's health; an outage shorter than the wait is told as both its changes."""
    state, hooked = world.state, world.state.hooked
    hooked.settle_at = 0.0
    steps = [state.health]
    if hooked.worst > max(state.health, hooked.health) and hooked.worst is not state.health:
        steps.insert(0, hooked.worst)
    for health in steps:
        if health in {hooked.health, Health.PENDING}:
            continue
        first, hooked.health, hooked.since = hooked.health is Health.PENDING, health, at
        if first and health is Health.HEALTHY:
            continue
        seen = [i for i in state.open.values() if not i.record.manual]
        keys = [k for i in seen for k, h in i.nodes.items() if h.bad or health is not state.health]
        nodes = _node_facts(world, keys) if health.bad else []
        for hook in _health_hooks(state):
            message = Message(outbox.new_id(state, 0, hook), hook, MessageKind.HOOK, at, at, health=health, nodes=nodes)
            outbox.put(state, message)


def _health_hooks(state: State) -> list[str]:
    """Web hooks that hear of the page's health: all, unless they say otherwise."""
    plan = state.plan
    silent = {hook for hook, on in zip(plan.webhooks, plan.hooks_on, strict=False) if "health" not in on}
    return [hook for hook in plan.webhooks if hook not in silent]


class _News(NamedTuple):
    """What one notifier does not know of an incident: nodes by key."""

    worse: list[str]
    """Worse than it was told, or not told at all."""
    better: list[str]
    """Well again, told to be bad."""
    missed: list[str]
    """Well again, never told."""
    dropped: list[str]
    """The same, but something held it back: it stays untold."""
    waits: bool
    """Whether something else is held back for now."""


def _news(world: World, incident: Incident, notifier: NotifierPlan, at: float) -> _News:
    progress = incident.told.get(notifier.id) or NotifierProgress()
    news = _News([], [], [], [], waits=False)
    waits = False
    for key, affected in incident.nodes.items():
        bad = affected.bad > 0
        node, known = world.state.nodes.get(key), progress.nodes.get(key, Health.PENDING)
        if not notifier.enabled or (node is not None and node.unstable and not bad):
            continue
        if known.bad and not bad:
            news.better.append(key)
        level = node.health if node is not None and bad else affected.outage_worst
        if node is None or holds.untellable(notifier, level) or (not holds.news(progress, node) if bad else known):
            continue
        reason = holds.held(world, notifier, node, at, affected.outage_at, over=not bad)
        if not reason:
            (news.worse if bad else news.missed).append(key)
        elif holds.filtered(notifier, key):
            continue
        elif bad:
            waits = True
        else:
            news.dropped.append(key)
    return news._replace(waits=waits)


def _owe_news(world: World, incident: Incident, notifier: NotifierPlan, news: _News, at: float) -> bool:
    """Tell one notifier its news; whether anything was said."""
    if not (news.worse or news.better or news.missed or news.dropped):
        return False
    progress = incident.told.setdefault(notifier.id, NotifierProgress())
    well = [*(news.better if "recovered" in notifier.on else ()), *news.missed]
    if news.worse:
        _owe(world, incident, notifier, MessageKind.GREW if progress.level else MessageKind.OPENED, news.worse, at)
    if well:
        _owe(world, incident, notifier, MessageKind.PARTLY if incident.bad else MessageKind.RECOVERED, well, at)
    for key in (*news.better, *news.missed, *news.dropped):
        _learn(progress, key, None)
    for key in news.worse:
        _learn(progress, key, world.state.nodes[key])
    for key in (*news.worse, *news.missed):
        progress.level = max(progress.level, progress.nodes[key], incident.nodes[key].outage_worst)
    if well and not incident.bad:  # it was told that all is over, so what comes next is a beginning again
        progress.level = Health.PENDING
    return bool(news.worse or well)


def _learn(progress: NotifierProgress, key: str, node: Node | None) -> None:
    """What is told of a node now: how it is; None: that it is well again, or nothing any more."""
    progress.partly.pop(key, None)
    progress.nodes[key] = max(node.health, Health.HEALTHY) if node else Health.HEALTHY
    if node and node.health is Health.DEAD and not node.wholly_dead:
        progress.partly[key] = node.counts[Health.DEAD]


def _known_others(state: State, incident: Incident, progress: NotifierProgress, keys: list[str]) -> int:
    """Nodes not of `keys` that are as bad as the worst of these, and of which the receiver knows it."""
    worst, listed = max(_health(state, key) for key in keys), set(keys)
    return sum(
        known >= worst and key not in listed and incident.nodes[key].bad > 0 and _health(state, key) >= worst
        for key, known in progress.nodes.items()
    )


def _owe(
    world: World,
    incident: Incident,
    notifier: NotifierPlan,
    kind: MessageKind,
    keys: list[str],
    at: float,
    escalation: int = 0,
) -> None:
    state = world.state
    affected = [incident.nodes[k] for k in keys]
    progress = incident.told.get(notifier.id) or NotifierProgress()
    nodes = _node_facts(world, keys, incident, progress)
    for target in outbox.targets(state, notifier):
        message = Message(
            outbox.new_id(state, incident.id, notifier.id),
            notifier.id,
            kind,
            at,
            at,
            incident=incident.id,
            target=target,
            health=max(w.health for w in nodes),
            nodes=nodes,
            more=len(keys) - len(nodes),
            others=_known_others(state, incident, progress, keys),
            since=min(a.told_since for a in affected),
            until=max(a.well_at for a in affected) if kind in {MessageKind.RECOVERED, MessageKind.PARTLY} else 0.0,
            escalation=escalation,
            next_reminder_at=_next_reminder(state, incident, at, kind),
        )
        outbox.put(state, message)


def _next_reminder(state: State, incident: Incident, at: float, kind: MessageKind) -> float:
    interval = state.plan.notify.reminder_interval
    if incident.closed_at or not interval or MESSAGES[kind].ends:
        return 0.0
    return incident.remind_at or at + interval


def _node_facts(
    world: World, keys: Sequence[str], incident: Incident | None = None, told: NotifierProgress | None = None
) -> list[NoticeNode]:
    """The facts of the first nodes, worst first, with at most ten replica ids in all; last those that are gone."""
    state = world.state
    nodes = sorted((state.nodes[k] for k in keys if k in state.nodes), key=lambda n: (-n.health, n.since, n.key))
    words, left = [], REPLICAS_NAMED
    for node in nodes[:NODES_NAMED]:
        affected = incident.nodes.get(node.key) if incident else None
        health = node.health
        if (
            affected and not affected.bad
        ):  # what is bad nevertheless is so by announced work, and no part of the incident
            health = min(health, Health.HEALTHY)
        bad = [r for r in node.replicas.values() if r.health is health] if health.bad else []
        named = bad[:left]
        left -= len(named)
        since = affected.told_since if affected else min((r.since for r in bad), default=node.since)
        words.append(
            NoticeNode(
                node.key,
                health,
                since,
                bad[0].reason if bad else FINE,
                [r.id for r in named],
                [r.number for r in named],
                len(bad) - len(named),
                len(node.replicas),
                affected.well_at if affected else 0.0,
                told.nodes.get(node.key, Health.PENDING) if told else Health.PENDING,
                _seen_alike(state, bad),
            )
        )
    for key in keys:
        gone = incident.nodes.get(key) if incident and key not in state.nodes else None
        if gone is not None and len(words) < NODES_NAMED:
            words.append(NoticeNode(key, Health.PENDING, gone.told_since, until=gone.well_at))
    return words


def _seen_alike(state: State, bad: list[Replica]) -> list[Sight]:
    """From which place these replicas look how; [] where that is not the same of all."""
    first = incidents.seen_from(state.plan, bad[0]) if bad else []
    return first if first and all(incidents.seen_from(state.plan, r) == first for r in bad) else []


def _is_dead(state: State, key: str) -> bool:
    return _health(state, key) is Health.DEAD


def _health(state: State, key: str) -> Health:
    node = state.nodes.get(key)
    return node.health if node else Health.PENDING
