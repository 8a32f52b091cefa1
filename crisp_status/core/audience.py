"""What subscribers hear of: outages that last, the operators' updates, the end; announcements and announced work.

Laws
- Of an outage they hear when it has lasted `after` seconds on what they chose, of the end once that is well again, and of
  nothing twice. Who chose several services hears of the end when all of them are well.
- What belongs together within `group_wait` is one bulletin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import bulletins, calendar, subscribers, tree
from crisp_status.core.model import Health, TimelineKind
from crisp_status.core.subscriber_records import PAGE, OutageStory, WorkTold

if TYPE_CHECKING:
    from crisp_status.core.model import Incident, State
    from crisp_status.core.subscriber_records import Bulletin
    from crisp_status.core.world import World

UPDATED_FOR: Final = 86400.0
"""Seconds after the end of an incident for which updates of it are told."""

AHEAD: Final = 86400.0
"""Announced work is told so long before it begins."""


def follow(world: World, at: float) -> bool:
    """Owe subscribers what is new; whether anything changed."""
    state = world.state
    changed = subscribers.prune(state, at)
    if state.plan.subscribers is None:
        return changed
    changed |= bulletins.expire(state, at)
    for incident in list(state.open.values()):
        changed |= _outage(state, incident, at)
    for number in [n for n in state.audience.stories if n not in state.open]:
        changed |= _over(state, number, at)
    return _announcements(state, at) | changed


def merged(state: State, into: int, notes: int) -> None:
    """So many updates came to an incident from another one; they are old."""
    story = state.audience.stories.get(into)
    if story is not None:
        story.notes += notes


def count_notes(incident: Incident) -> int:
    """How many updates operators wrote to it."""
    return sum(entry.what is TimelineKind.NOTE for entry in incident.timeline)


def _outage(state: State, incident: Incident, at: float) -> bool:
    story = state.audience.stories.get(incident.id)
    if incident.closed_at:
        return False  # it may yet go on; when it is archived, it is over
    worst = _lasting(state, incident, at)
    known = story.told if story else {}
    changed = False
    for level in (Health.DEAD, Health.SICK):
        new = [s for s, health in worst.items() if health >= level > known.get(s, Health.PENDING)]
        if new:
            story = state.audience.stories.setdefault(incident.id, OutageStory())
            known = story.told
            _open(state, incident, story, level, new, at)
            changed = True
    if story is not None and story.told:
        changed |= _ease(state, incident, story, at)
        changed |= _update(state, incident, story, at)
    return changed


def _lasting(state: State, incident: Incident, at: float) -> dict[str, Health]:
    """The services of which there is something to tell, with how bad they have been for long enough."""
    plan = state.plan.subscribers
    after = plan.after if plan else 0.0
    found: dict[str, Health] = {}
    if incident.record.manual:
        names = {tree.service_of(key) for key in incident.nodes} or {PAGE}
        return dict.fromkeys(names, incident.worst)
    for key, affected in incident.nodes.items():
        node = state.nodes.get(key)
        if not affected.bad or node is None or at - affected.outage_at < after:
            continue
        dead = node.health is Health.DEAD and affected.dead_at and at - affected.dead_at >= after
        service = tree.service_of(key)
        found[service] = max(found.get(service, Health.SICK), Health.DEAD if dead else Health.SICK)
    return found


def _open(state: State, incident: Incident, story: OutageStory, level: Health, services: list[str], at: float) -> None:
    waiting = [b for b in bulletins.of(state, incident.id, "opened") if b.level is level and at < b.due_at]
    if waiting:
        waiting[0].services.extend(services)
    else:
        already = [s for s, health in story.told.items() if health >= level]
        made = bulletins.make(
            state, "opened", at, incident=incident.id, level=level, services=services, already=already
        )
        story.openings.append(made.id)
    for service in services:
        story.told[service] = level
    story.notes = max(story.notes, 0 if len(story.openings) > 1 else count_notes(incident))


def _ease(state: State, incident: Incident, story: OutageStory, at: float) -> bool:
    """Tell of services of it that are well again while others are not."""
    if incident.record.manual:
        return False
    bad = {tree.service_of(key) for key, affected in incident.nodes.items() if affected.bad}
    bad |= {tree.service_of(key) for key in state.unstable if key in incident.nodes}
    well = [s for s in story.told if s not in bad]
    wait = state.plan.notify.group_wait
    times = [a.well_at for key, a in incident.nodes.items() if tree.service_of(key) in well]
    if not well or at - max(times, default=0.0) < wait:
        return False
    _end(state, story, incident.id, well, at)
    return True


def _update(state: State, incident: Incident, story: OutageStory, at: float) -> bool:
    notes = count_notes(incident)
    if notes <= story.notes:
        return False
    news, story.notes = notes - story.notes, notes
    for waiting in [b for b in bulletins.of(state, incident.id, "update") if at < b.due_at]:
        news += waiting.news
        del state.audience.bulletins[waiting.id]
    heard = story.heard or bulletins.reach(state, story)
    made = bulletins.make(state, "update", at, incident=incident.id, services=list(story.told), heard=heard)
    made.news = news
    return True


def _over(state: State, number: int, at: float) -> bool:
    """The incident is not open any more: tell its end, and later what operators still write."""
    story, incident = state.audience.stories[number], state.incident(number)
    if not story.over_at:
        story.heard = _end(state, story, number, list(story.told), at, final=True).heard
        story.over_at = at
        if incident is not None:
            story.notes = count_notes(incident)
        return True
    if at - story.over_at < UPDATED_FOR and incident is not None:
        return _update(state, incident, story, at)
    del state.audience.stories[number]
    for bulletin in bulletins.of(state, number, "opened"):
        bulletins.settle(state, bulletin)
    return True


def _end(
    state: State, story: OutageStory, number: int, services: list[str], at: float, *, final: bool = False
) -> Bulletin:
    remaining = [s for s in story.told if s not in services]
    heard = bulletins.reach(state, story)
    for opening in bulletins.of(state, number, "opened"):
        bulletins.close(opening, services, remaining)
        if set(opening.services) == set(opening.over):
            for lane in opening.lanes.values():
                lane.done = True
                lane.lost += lane.deferred
                lane.deferred.clear()
    if final:
        for update in [b for b in bulletins.of(state, number, "update") if at < b.due_at]:
            del state.audience.bulletins[update.id]
    made = bulletins.make(
        state, "ended", at, incident=number, services=services, remaining=remaining, final=final, heard=heard
    )
    made.due_at = at  # that it stays so was waited for
    made.level = max((story.told[s] for s in services), default=Health.PENDING)
    for service in services:
        del story.told[service]
    return made


def _announcements(state: State, at: float) -> bool:
    """Announcements that begin to be shown, and announced work: a day before, at its start, at its end."""
    audience, changed = state.audience, False
    for one in state.announcements.values():
        if one.maintenance:
            changed |= _work(state, one.id, at)
        elif one.id not in audience.announced and one.starts_at <= at and (one.expires_at or at + 1) > at:
            audience.announced[one.id] = at
            bulletins.make(state, "announced", at, announcement=one.id, services=[PAGE])
            changed = True
    for key in [k for k in audience.announced if k not in state.announcements]:
        del audience.announced[key]
        changed = True
    for key, told in list(audience.works.items()):
        if key not in state.announcements or (told.ends_at and told.ends_at <= at):
            del audience.works[key]
            if told.begun:
                _tell_work(state, "work_over", key, told, at)
            changed = True
    return changed


def _work(state: State, key: str, at: float) -> bool:
    one = state.announcements[key]
    window = calendar.window(one, at, state.plan.timezone)
    if window is None or window[0] - at > AHEAD:
        return False
    start, end = window
    told = state.audience.works.get(key)
    if told is not None and told.starts_at != start:
        return False  # the one before is told to be over first
    if told is None:
        services = list(dict.fromkeys(name.partition("/")[0] for name in one.maintenance))
        told = WorkTold(one.title, services, start, 0.0 if end == calendar.FOREVER else end)
        state.audience.works[key] = told
    if start <= at and not told.begun:
        told.begun = True
        _tell_work(state, "work_begun", key, told, at)
        return True
    if start > at and not told.soon:
        told.soon = True
        _tell_work(state, "work_soon", key, told, at)
        return True
    return False


def _tell_work(state: State, kind: str, key: str, told: WorkTold, at: float) -> None:
    for waiting in [b for b in state.audience.bulletins.values() if b.announcement == key and at < b.due_at]:
        del state.audience.bulletins[waiting.id]
    work = WorkTold(told.title, told.services, told.starts_at, told.ends_at)
    bulletins.make(state, kind, at, announcement=key, services=list(told.services), work=work)
