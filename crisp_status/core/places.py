"""Several networks that see one replica: who is heard, what each saw last, and the health that they agree on.

Laws
- The health of a replica that is seen from places moves only by what a quorum of them says (vote); else it is held.
- A place that is silent, or that could not look, has no vote. What it said before is gone, and is not taken up again.
  That it is gone moves no health: dead from two and sick from a third stays dead when one of the two is killed.
- This daemon is a place like the others: without its network it has no vote.
- What comes late or twice from a place counts for nothing: batches of a run are taken in order, each once.
- Silence is told once, however many places fell silent together; of a place that comes and goes, once in `flap_window`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core import broadcasts, moves, tree
from crisp_status.core.model import FINE, Health, PlaceState
from crisp_status.core.step_outcome import Durability
from crisp_status.core.vote import Sight, Vote, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.core.events import Observed, PlaceHeard, Ticked, Voted
    from crisp_status.core.model import Node, Replica, State
    from crisp_status.core.world import World

RUNS_KEPT: Final = 8
"""Runs of an agent whose late batches are known to be old: more starts within the life of one request are no runs."""


def heard(world: World, event: PlaceHeard) -> Durability:
    """Something came from a place."""
    place = world.state.places.get(event.place)
    if place is None or not _in_order(place, event):
        return Durability.REFUSED
    place.seen_at = event.at
    if place.heard_since:
        return Durability.VOLATILE
    place.heard_since = event.at
    if place.told:
        sight = Sight(world.state.plan.place_name(event.place), Health.HEALTHY)
        broadcasts.places(world, [sight], place.silent_since, event.at, event.at)
    place.silent_since, place.told = 0.0, False
    return Durability.DURABLE


def voted(world: World, event: Voted) -> Durability:
    """Another place looked at a replica."""
    outcome = heard(world, event)
    plan, node = world.plans.get(event.node), world.state.nodes.get(event.node)
    replica = node.replicas.get(event.replica) if node else None
    if outcome is Durability.REFUSED or plan is None or node is None or replica is None:
        return outcome
    if replica.votes is None or event.place not in plan.places:
        return outcome
    if event.health is None:
        return max(outcome, withdraw(world, node, replica, event.place, event.at))
    vote = Vote(event.health, min(event.since, event.at), event.reason, event.latency_ms, event.at)
    return max(outcome, _cast(world, node, replica, event.place, vote, event.at))


def vote_here(world: World, node: Node, replica: Replica, event: Observed) -> Durability:
    """This daemon looked: its vote, too."""
    here = world.state.plan.here.id
    if here not in world.plans[node.key].places:
        return Durability.REFUSED  # the plan was changed while it looked
    if world.state.offline_since and event.health.bad:
        return withdraw(world, node, replica, here, event.at)
    vote = Vote(event.health, min(event.since, event.at), event.reason, event.latency_ms, event.at)
    return _cast(world, node, replica, here, vote, event.at)


def withdraw(world: World, node: Node, replica: Replica, place: str, at: float) -> Durability:
    """A place could not look: it has no vote until it can."""
    had = replica.votes is not None and replica.votes.pop(place, None) is not None
    outcome = _decide(world, node, replica, at, hold=True)
    return Durability.DURABLE if had else outcome


def find_silent(world: World, event: Ticked) -> None:
    """Fill in which places fell silent. While our own network is gone none is: it may say what it likes, we do not hear it."""
    if world.state.offline_since:
        return
    for plan in world.state.plan.places:
        place = world.state.places[plan.id]
        if place.seen_at and not place.silent_since and place.seen_at + plan.silent_after <= event.at:
            event.silent_places.append(plan.id)


def fell_silent(world: World, silent: list[str], at: float) -> None:
    """These places have no vote any more, and the team hears of it."""
    state, told = world.state, []
    for name in silent:
        place = state.places[name]
        place.silent_since, place.heard_since = at, 0.0
        if not place.told_at or at - place.told_at >= state.plan.notify.flap_window:
            place.told_at, place.told = at, True
            told.append(Sight(state.plan.place_name(name), Health.PENDING))
    _drop(world, frozenset(silent), at)
    if told:
        broadcasts.places(world, told, at, 0.0, at)


def network_lost(world: World, at: float) -> None:
    """What this daemon saw may be its own network's fault."""
    _drop(world, frozenset({world.state.plan.here.id}), at)


def stand_still(world: World, at: float, seconds: float) -> None:
    """The loop stood still until `at`: what was sent meanwhile is still on its way."""
    for place in world.state.places.values():
        if place.seen_at and place.seen_at <= at - seconds:
            place.seen_at += seconds


def pass_over(world: World, begins: float, ends: float, at: float) -> None:
    """Nobody could be heard from `begins` to `ends`: nobody was silent then, but what is older than that may be stale."""
    plan, stale = world.state.plan, set()
    for known in (*plan.places, plan.here):
        place = world.state.places.get(known.id)
        if place is not None and place.seen_at and not place.silent_since:
            place.seen_at = ends
        if ends - begins > known.silent_after:
            stale.add(known.id)
            if place is not None:
                place.heard_since = 0.0
    _drop(world, stale, at)


def move_back(state: State, delta: float) -> None:
    """The clock was set back by -`delta`: what was seen stays as old as it was."""
    for place in state.places.values():
        for name in ("heard_since", "silent_since", "told_at", "seen_at"):
            if found := getattr(place, name):
                setattr(place, name, found + delta)
    for node in state.nodes.values():
        for replica in node.replicas.values():
            for vote in (replica.votes or {}).values():
                vote.since += delta
                vote.seen_at += delta


def follow(world: World, at: float) -> None:
    """A plan came into force: who is gone has no vote, and a quorum may be another one."""
    state = world.state
    state.places = {plan.id: state.places.get(plan.id) or PlaceState() for plan in state.plan.places}
    for key, plan in world.plans.items():
        node = state.nodes[key]
        if node.latency_from is not None:
            node.latency_from = {name: ring for name, ring in node.latency_from.items() if name in plan.places} or None
        for replica in node.replicas.values():
            if not plan.places:
                replica.votes = None
                continue
            votes = replica.votes or {}
            replica.votes = {name: votes[name] for name in plan.places if name in votes}
            _decide(world, node, replica, at)


def _in_order(place: PlaceState, event: PlaceHeard) -> bool:
    """Whether this is of the batch that is being taken, or a newer one; the batch of an older run never is."""
    if event.run in place.runs:
        if event.run != place.runs[-1] or event.batch < place.batch:
            return False
    else:
        place.runs = [*place.runs[1 - RUNS_KEPT :], event.run]
    place.batch = event.batch
    return True


def _cast(world: World, node: Node, replica: Replica, place: str, vote: Vote, at: float) -> Durability:
    """Take the vote of a place; only one that says something new is news."""
    votes = replica.votes = replica.votes or {}
    before = votes.get(place)
    moves.seen(node, replica, at, vote.latency_ms, place)
    if vote.health.bad:
        name = world.state.plan.place_name(place) or "here"
        moves.failed(replica, at, f"{name}: {vote.reason.text or vote.reason.code}")
    if before is not None and before.health is vote.health:
        vote.since = before.since
        if vote.reason.same_as(before.reason) and not replica.unconfirmed:
            before.latency_ms, before.seen_at = vote.latency_ms, vote.seen_at
            return _decide(world, node, replica, at) if replica.unknown else Durability.VOLATILE
    votes[place] = vote
    _decide(world, node, replica, at)
    return Durability.DURABLE


def _decide(world: World, node: Node, replica: Replica, at: float, *, hold: bool = False) -> Durability:
    """Let the quorum move the health; without one it is held, and the time is nobody's.

    `hold`: a vote is gone, which moves no health. What is left may say something else, once somebody looks again.
    """
    plan = world.plans[node.key]
    found = judge(replica.votes or {}, plan.places, plan.quorum)
    if found is None or (hold and found.health is not replica.health):
        news = tree.set_unknown(world.state, node, replica, at, unknown=True)
        return Durability.DURABLE if news else Durability.VOLATILE
    reason = found.reason if found.health.bad else FINE
    return moves.move(world, node, replica, found.health, found.since or at, at, reason)


def _drop(world: World, gone: frozenset[str] | set[str], at: float) -> None:
    """Take these places' votes away, and see what is left."""
    for node, replica in _seen_from(world, gone):
        had = [name for name in gone if replica.votes is not None and replica.votes.pop(name, None) is not None]
        if had:
            _decide(world, node, replica, at, hold=True)


def _seen_from(world: World, places: frozenset[str] | set[str]) -> Iterator[tuple[Node, Replica]]:
    for key, plan in world.plans.items():
        if not places.isdisjoint(plan.places):
            node = world.state.nodes[key]
            for replica in node.replicas.values():
                yield node, replica
