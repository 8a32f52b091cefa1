"""Tell those who asked for it when announced work begins and when it is over.

Laws
- What was told to begin is told to be over, once each, whatever becomes of the announcement meanwhile.
- A window that began and ended while we were away is not told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import calendar, holds, outbox
from crisp_status.core.model import Health, Message, MessageKind, NoticeNode
from crisp_status.core.notices import NODES_NAMED
from crisp_status.core.operator_records import RunningWork

if TYPE_CHECKING:
    from crisp_status.core.operator_records import Announcement
    from crisp_status.core.policy import NotifierPlan
    from crisp_status.core.world import World

KIND = "maintenance"
"""Of `on` of notifiers and web hooks."""


def follow(world: World, at: float) -> bool:
    """Owe what is new of announced work; whether anything changed."""
    state = world.state
    if not state.windows and not state.work:
        return False
    now = {key: _running(world, state.announcements[key], at) for key in state.windows if key in state.announcements}
    changed = False
    for key, known in list(state.work.items()):
        if key not in now or (known.until and known.until <= now[key].since):
            del state.work[key]
            _owe(world, MessageKind.WORK_OVER, known, at, min(at, known.until) if known.until else at)
            changed = True
    for key, work in now.items():
        begun = state.work.get(key)
        work.told = begun.told if begun else _listeners(world, work)
        state.work[key] = work
        if begun is None:
            _owe(world, MessageKind.WORK_BEGUN, work, at, work.until)
        changed |= begun != work
    return changed


def _running(world: World, announcement: Announcement, at: float) -> RunningWork:
    found = calendar.window(announcement, at, world.state.plan.timezone)
    since, until = found or (announcement.starts_at, announcement.expires_at)
    ends = until if until < calendar.FOREVER else 0.0
    return RunningWork(announcement.id, announcement.title, since, ends, list(announcement.maintenance))


def _listeners(world: World, work: RunningWork) -> list[str]:
    plan, keys = world.state.plan, [node.key for name in work.scopes for node in world.nodes_of(name)]
    hooks = zip(plan.webhooks, plan.hooks_on, strict=False)  # an older plan does not say
    return [n.id for n in plan.notifiers if _hears(n, keys)] + [hook for hook, on in hooks if KIND in on]


def _hears(notifier: NotifierPlan, keys: list[str]) -> bool:
    if not notifier.enabled or notifier.reminders_only or KIND not in notifier.on:
        return False
    return any(holds.routed(notifier, key) for key in keys)


def _owe(world: World, kind: MessageKind, work: RunningWork, at: float, until: float) -> None:
    state = world.state
    nodes = {node.key: node for name in work.scopes for node in world.nodes_of(name)}
    words = [NoticeNode(key, Health.PENDING, work.since) for key in list(nodes)[:NODES_NAMED]]
    listeners = [(n.id, target) for n in state.plan.notifiers for target in outbox.targets(state, n)]
    listeners += [(hook, "") for hook in state.plan.webhooks]
    for receiver, target in listeners:
        if receiver in work.told:
            message = Message(outbox.new_id(state, 0, receiver), receiver, kind, at, at, target=target, nodes=words)
            message.since, message.until, message.more = work.since, until, max(0, len(nodes) - NODES_NAMED)
            message.work, message.work_title = work.id, work.title
            outbox.put(state, message)
