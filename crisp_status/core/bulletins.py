"""One thing that subscribers are told: whom it concerns, how far it has come, when it is done.

Laws
- A bulletin is one record, however many are told: a cursor over the subscribers of each kind, in the order of their ids,
  and a short list of those who failed.
- What has an answer is written down before the next one is sent: a kill loses nobody, and repeats one message at most.
- Whom the opening had not reached when the outage ended hears nothing of it. Who subscribed meanwhile has seen it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import subscribers
from crisp_status.core.model import Health
from crisp_status.core.subscriber_records import DOWN, PAGE, SLOW, UPDATES, WORK, Bulletin, Deferred, Lane, Reach

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.core import subscriber_events as events
    from crisp_status.core.model import State
    from crisp_status.core.subscriber_records import OutageStory, Subscriber, WorkTold
    from crisp_status.core.world import World

OLD: Final = 2 * 86400.0
"""A bulletin that is so old is no news: who has not got it by then does not get it."""


def concerns(bulletin: Bulletin, id: int, subscriber: Subscriber) -> bool:
    """Whether this subscriber is to hear that."""
    if subscriber.since > bulletin.at or subscribers.is_stopped(subscriber):
        return False
    if subscriber.once:
        return bulletin.kind == "ended" and bulletin.final and bulletin.incident == subscriber.once
    if bulletin.kind == "opened":
        return _matches(bulletin, subscriber)
    if bulletin.kind in {"update", "ended"}:
        return _follows(bulletin, subscriber) and any(_reached(reach, id, subscriber) for reach in bulletin.heard)
    return bulletin.work is None or (bool(subscriber.wants & WORK) and hits(subscriber.services, bulletin.services))


def _follows(bulletin: Bulletin, subscriber: Subscriber) -> bool:
    """Whether somebody who heard the opening is to hear this update, or this end."""
    if bulletin.kind == "update":
        ours = not bulletin.services or hits(subscriber.services, bulletin.services)
        return ours and bool(subscriber.wants & UPDATES)
    return hits(subscriber.services, bulletin.services) and not hits(subscriber.services, bulletin.remaining)


def hits(chosen: str, services: Iterable[str]) -> bool:
    """Whether any of these services was chosen; "" chooses all."""
    services = list(services)
    return bool(services) and (not chosen or PAGE in services or not set(chosen.split()).isdisjoint(services))


def sent(world: World, event: events.BulletinSent) -> bool:
    """Somebody got it."""
    found = _lane(world.state, event.bulletin, event.kind)
    if found is None:
        return False
    bulletin, lane = found
    known = world.state.subscribers.get(event.subscriber)
    if known is not None and bulletin.kind == "opened":
        _catch_up(world.state, bulletin, event, known)
    subscribers.delivered(world.state, bulletin, lane, event.subscriber)
    settle(world.state, bulletin)
    return True


def failed(world: World, event: events.BulletinFailed) -> bool:
    """Somebody did not get it."""
    found = _lane(world.state, event.bulletin, event.kind)
    if found is None:
        return False
    bulletin, lane = found
    subscribers.not_delivered(world.state, lane, event)
    if bulletin.kind == "opened" and lane.done and _is_over(world.state, bulletin):
        lane.deferred.clear()
    settle(world.state, bulletin)
    return True


def finished(world: World, event: events.BulletinFinished) -> bool:
    """Nobody of that kind is left to be told but those who failed."""
    found = _lane(world.state, event.bulletin, event.kind)
    if found is None or found[1].done:
        return False
    found[1].done = True
    settle(world.state, found[0])
    return True


def move(state: State, delta: float) -> None:
    """The clock was set: what waits, waits as long as before. Set back, the past moves too, so that its order stays."""
    audience = state.audience
    for bulletin in audience.bulletins.values():
        bulletin.due_at += delta
        for lane in bulletin.lanes.values():
            for one in lane.deferred.values():
                one.due_at += delta
    for pending in audience.pending.values():
        pending.due_at = pending.due_at + delta if pending.due_at else 0.0
    if delta < 0:
        _move_past(state, delta)


def _move_past(state: State, delta: float) -> None:
    audience = state.audience
    for subscriber in state.subscribers.values():
        subscriber.since += delta
    for pending in audience.pending.values():
        pending.asked_at += delta
    for times in audience.asked.values():
        times[:] = [at + delta for at in times]
    reaches = [reach for story in audience.stories.values() for reach in story.heard]
    for bulletin in audience.bulletins.values():
        bulletin.at += delta
        reaches += bulletin.heard
    for reach in {id(reach): reach for reach in reaches}.values():  # a story and its bulletins may share one
        reach.at += delta
    for story in audience.stories.values():
        story.over_at = story.over_at + delta if story.over_at else 0.0


def make(
    state: State,
    kind: str,
    at: float,
    *,
    incident: int = 0,
    announcement: str = "",
    level: Health = Health.PENDING,
    services: list[str],
    already: list[str] | None = None,
    remaining: list[str] | None = None,
    final: bool = False,
    heard: list[Reach] | None = None,
    work: WorkTold | None = None,
) -> Bulletin:
    """Owe a new one to everybody whom it concerns."""
    audience = state.audience
    made = Bulletin(
        id=audience.next_bulletin,
        kind=kind,
        at=at,
        due_at=at + state.plan.notify.group_wait,
        incident=incident,
        announcement=announcement,
        level=level,
        services=services,
        already=already or [],
        remaining=remaining or [],
        final=final,
        heard=heard or [],
        lanes={name: Lane() for name, count in sorted(audience.counts.items()) if count},
        work=work,
    )
    audience.next_bulletin += 1
    audience.bulletins[made.id] = made
    return made


def awaited(opening: Bulletin) -> list[str]:
    """The services whose end is still to be told to those who heard an opening."""
    return [*(s for s in opening.services if s not in opening.over), *opening.remaining]


def close(opening: Bulletin, ended: list[str], remaining: list[str]) -> None:
    """The end of some services is told: who heard the opening awaits only that of others that were chosen too."""
    if not set(ended).isdisjoint(s for s in opening.services if s not in opening.over):
        opening.remaining += [s for s in remaining if s not in awaited(opening)]
    opening.over += [s for s in opening.services if s in ended and s not in opening.over]
    opening.remaining = [s for s in opening.remaining if s not in ended]


def reach(state: State, story: OutageStory) -> list[Reach]:
    """Whom the openings of an incident have reached by now."""
    found = []
    for number in story.openings:
        bulletin = state.audience.bulletins[number]  # kept as long as the story
        cursors = {kind: lane.cursor for kind, lane in bulletin.lanes.items()}
        missed = [id for lane in bulletin.lanes.values() for id in (*lane.lost, *lane.deferred)]
        found.append(
            Reach(
                bulletin.at,
                bulletin.level,
                list(bulletin.services),
                list(bulletin.already),
                awaited(bulletin),
                cursors,
                missed,
            )
        )
    return found


def of(state: State, incident: int, kind: str) -> list[Bulletin]:
    """Those of one kind that tell of an incident."""
    return [b for b in state.audience.bulletins.values() if b.incident == incident and b.kind == kind]


def _catch_up(state: State, opening: Bulletin, event: events.BulletinSent, known: Subscriber) -> None:
    """An opening that was under way when the outage went on or ended did arrive: its reader hears the rest as well."""
    for bulletin in state.audience.bulletins.values():
        if bulletin.incident != opening.incident or bulletin.kind not in {"update", "ended"}:
            continue
        if bulletin.id < event.seen or concerns(bulletin, event.subscriber, known):
            continue
        if _follows(bulletin, known):
            lane = bulletin.lanes.setdefault(known.kind, Lane(done=True))
            lane.deferred[event.subscriber] = Deferred(bulletin.due_at)


def _reached(reach: Reach, id: int, subscriber: Subscriber) -> bool:
    if not hits(subscriber.services, reach.bad):
        return False  # it has heard that all of that is over
    if subscriber.since > reach.at:
        return hits(subscriber.services, reach.services)
    if not _matches(reach, subscriber) or id in reach.missed:
        return False
    return id <= reach.cursors.get(subscriber.kind, -1)


def _matches(opening: Bulletin | Reach, subscriber: Subscriber) -> bool:
    """Whether an opening is for that subscriber."""
    wanted = DOWN if opening.level is Health.DEAD else SLOW
    chosen = subscriber.services
    return bool(subscriber.wants & wanted) and hits(chosen, opening.services) and not hits(chosen, opening.already)


def _lane(state: State, bulletin: int, kind: str) -> tuple[Bulletin, Lane] | None:
    found = state.audience.bulletins.get(bulletin)
    lane = found.lanes.get(kind) if found else None
    return (found, lane) if found is not None and lane is not None else None


def _is_over(state: State, opening: Bulletin) -> bool:
    """Whether nothing of what an opening tells goes on."""
    story = state.audience.stories.get(opening.incident)
    return story is None or set(story.told).isdisjoint(opening.services)


def settle(state: State, bulletin: Bulletin) -> None:
    """Forget a bulletin that everybody was told. An opening is kept as long as its incident is told of."""
    if any(not lane.done or lane.deferred for lane in bulletin.lanes.values()):
        return
    if bulletin.kind == "opened" and bulletin.incident in state.audience.stories:
        return
    state.audience.bulletins.pop(bulletin.id, None)
    if bulletin.final:
        waiting = [id for id, known in state.subscribers.items() if known.once == bulletin.incident]
        for id in waiting:
            subscribers.forget(state, id)


def expire(state: State, at: float) -> bool:
    """Give up what is no news any more, and what there is nobody for."""
    over = [
        bulletin
        for bulletin in state.audience.bulletins.values()
        if at - bulletin.at > OLD or (not bulletin.lanes and at >= bulletin.due_at)
    ]
    changed = False
    for bulletin in over:
        for lane in bulletin.lanes.values():
            changed |= not lane.done or bool(lane.deferred)
            lane.done = True
            lane.deferred.clear()
        settle(state, bulletin)
        changed |= bulletin.id not in state.audience.bulletins
    return changed
