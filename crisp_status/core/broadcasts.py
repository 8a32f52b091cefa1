"""Messages that belong to no incident: the start, our own network, places, certificates, jobs that nobody could hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.core import holds, outbox
from crisp_status.core.model import Message, MessageKind, NoticeNode, Reason, ReasonCode
from crisp_status.core.notices import NODES_NAMED

if TYPE_CHECKING:
    from crisp_status.core.events import CertificateEnding, SilentReplica
    from crisp_status.core.outbox_records import ReceiverTrouble
    from crisp_status.core.policy import NotifierPlan
    from crisp_status.core.vote import Sight
    from crisp_status.core.world import World


def announce_start(world: World, at: float) -> None:
    """The daemon started: said when `notify.startup` is on."""
    if world.state.plan.notify.startup:
        broadcast(world, MessageKind.STARTUP, at, 0.0)


def network_back(world: World, at: float) -> None:
    """Our own network is back after a time in which nothing could be judged."""
    broadcast(world, MessageKind.NETWORK, at, world.state.offline_since, until=at)


def certificate_ending(world: World, event: CertificateEnding) -> bool:
    """A certificate of ours was not renewed in time: told once for each step nearer to its end."""
    ends_at, urgent = world.state.certificates_told.get(event.domain, (0.0, False))
    if ends_at == event.ends_at and urgent >= event.urgent:
        return False
    world.state.certificates_told[event.domain] = (event.ends_at, event.urgent)
    about = NoticeNode("", world.state.health, event.at, Reason(ReasonCode.CERTIFICATE, event.error, event.domain))
    broadcast(world, MessageKind.CERTIFICATE, event.at, 0.0, until=event.ends_at, about=about)
    return True


def places(world: World, about: list[Sight], since: float, until: float, at: float) -> None:
    """Places are silent, or (`until` is not 0) one is heard again."""
    broadcast(
        world, MessageKind.PLACE, at, since, until=until, about=NoticeNode("", world.state.health, at, seen_from=about)
    )


def missed(world: World, due: list[SilentReplica], at: float) -> None:
    """Reports were due while nothing could be heard: say once that nobody knows of these jobs until their next report."""
    for notifier in world.state.plan.notifiers:
        if not hears_broadcasts(notifier):
            continue
        about = [one for one in due if holds.routed(notifier, one.node)]
        nodes = [NoticeNode(one.node, world.state.nodes[one.node].health, one.since) for one in about[:NODES_NAMED]]
        for target in outbox.targets(world.state, notifier) if nodes else ():
            key = outbox.new_id(world.state, 0, notifier.id)
            message = Message(
                key, notifier.id, MessageKind.MISSED, at, at, target=target, nodes=nodes, since=nodes[0].since
            )
            message.more = len(about) - len(nodes)
            outbox.put(world.state, message)


def hears_broadcasts(notifier: NotifierPlan) -> bool:
    """Whether it is told what concerns the whole page: those that hear of deaths."""
    return notifier.enabled and not notifier.reminders_only and "dead" in notifier.on


def broadcast(
    world: World,
    kind: MessageKind,
    at: float,
    since: float,
    *,
    until: float = 0.0,
    about: NoticeNode | None = None,
    trouble: ReceiverTrouble | None = None,
) -> bool:
    """Owe one message to all that hear of the whole page, but nothing of its own `trouble` to the receiver in question.

    Whether there is anybody.
    """
    told = False
    state = world.state
    for notifier in state.plan.notifiers:
        if not hears_broadcasts(notifier) or (trouble and notifier.id == trouble.receiver):
            continue
        for target in outbox.targets(state, notifier):
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
                until=until,
                nodes=[about] if about else [],
                trouble=trouble,
            )
            outbox.put(state, message)
            told = True
    return told
