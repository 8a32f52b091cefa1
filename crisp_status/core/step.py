"""Whatever changes the state is reachable from here: `step(world, event)` is the only way.

Laws
- The same events make the same state. An event carries its time; nothing here reads a clock or draws a number.
- `step` answers what the event was: DURABLE (journal it before anyone may see the change), VOLATILE (it only refreshed
  what the next look brings again) or REFUSED (the state cannot take it, and is as it was).
- A durable decision reads no volatile field: `prepare` copies what it needs into the event, so that replaying the
  journaled events alone gives every durable field again, bit for bit.
- Time only goes forward in here; `ClockJumped` is how it is told that the clock was set.

      event                         what happens
      Planned                       the tree follows the plan (plans)
      Observed, Reported            health moves up the tree (tree), an incident opens, grows or ends (incidents)
      PlaceHeard, Voted             another place lives; the quorum of places decides a health (places, vote)
      Unknown                       nothing moves; the time is nobody's (uptime)
      LooksBegun, LooksEnded        the grouping wait of a node lasts as long as looks at its neighbours
      Ticked                        silence, grouping waits, reminders, calm, maintenances, periods
      Announced … Unsubscribed      an operator's word
      Delivered, NotDelivered …     the outbox shrinks, waits or gives up (outbox)
      SubscriptionRequested …       a visitor's word (subscribers)
      BulletinSent, …Failed …       what subscribers are owed (bulletins)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crisp_status.core import (
    absence,
    broadcasts,
    bulletins,
    clock_jumps,
    commands,
    events,
    history_import,
    incident_edits,
    incidents,
    latency,
    moves,
    notices,
    outbox,
    places,
    replan,
    sessions,
    subscriber_events,
    subscribers,
    ticks,
    tree,
    undelivered,
)
from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.core.step_outcome import Durability
from crisp_status.core.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.core.policy import NodePlan

    Handler = Callable[[World, Any], "Durability"]


def prepare(world: World, event: events.Event) -> None:
    """Fill in what a durable decision needs of the volatile fields; called once, before `step`, never at replay."""
    state = world.state
    if isinstance(event, events.Ticked):
        ticks.find_looking(world, event)
        latency.find_closed(world, event)
    if isinstance(event, events.Ticked) and event.stood_still:
        places.stand_still(world, event.at, event.stood_still)
        absence.stand_still(world, event.at, event.stood_still)  # what was sent meanwhile is read before the next tick
    elif isinstance(event, events.Ticked):
        ticks.find_silent(world, event)
        places.find_silent(world, event)
    elif isinstance(event, events.Planned) and event.fresh:
        event.alive_at, event.known_at = state.alive_at, world.known_at
        if state.alive_at:
            event.missed = absence.missed(world, state.alive_at, event.at, world.known_at)
    elif isinstance(event, events.NetworkBack) and state.offline_since:
        event.missed = absence.missed(world, state.offline_since, event.at)
    elif isinstance(event, events.ClockJumped) and event.before < event.at:
        event.missed = absence.missed(world, event.before, event.at)


def step(world: World, event: events.Event) -> Durability:
    """Let `event` happen."""
    before = world.state.health
    outcome = _TABLE[type(event)](world, event)
    if outcome is Durability.REFUSED:
        return outcome
    moves.tell_flapping(world, event.at)
    world.state.at = max(world.state.at, event.at)
    world.state.alive_at = world.state.at
    if world.state.health is not before:
        notices.page_changed(world.state, event.at)
    return outcome


def judge(plan: NodePlan, event: events.Reported) -> tuple[Health, Reason]:
    """Health of a report: what it says of itself, else its load against the thresholds (strictly above)."""
    if event.health is not None:
        return event.health, event.reason if event.health.bad else FINE
    if event.cpu > plan.cpu_sick_above:
        limit = f"{plan.cpu_sick_above:.0%}"
        return Health.SICK, Reason(
            ReasonCode.CPU, f"processor load {event.cpu:.2f} is above {plan.cpu_sick_above:g}", limit
        )
    if event.ram > plan.ram_sick_above:
        limit = f"{plan.ram_sick_above:.0%}"
        return Health.SICK, Reason(
            ReasonCode.RAM, f"memory use {event.ram:.2f} is above {plan.ram_sick_above:g}", limit
        )
    return Health.HEALTHY, FINE


def _planned(world: World, event: events.Planned) -> Durability:
    replan.apply(world, event)
    for incident in list(world.state.open.values()):
        incidents.close_if_over(world.state, incident, event.at)
    if event.fresh:
        broadcasts.announce_start(world, event.at)
    return Durability.DURABLE


def _observed(world: World, event: events.Observed) -> Durability:
    node = world.state.nodes.get(event.node)
    replica = node.replicas.get(event.replica) if node else None
    if node is None or replica is None:
        return Durability.REFUSED
    if replica.votes is not None:
        return places.vote_here(world, node, replica, event)
    moves.seen(node, replica, event.at, event.latency_ms)
    if event.health.bad:
        moves.failed(replica, event.at, event.reason.text)
    return moves.move(world, node, replica, event.health, min(event.since, event.at), event.at, event.reason)


def _unknown(world: World, event: events.Unknown) -> Durability:
    node = world.state.nodes.get(event.node)
    replica = node.replicas.get(event.replica) if node else None
    if node is None or replica is None:
        return Durability.REFUSED
    moves.failed(replica, event.at, event.text)
    if replica.votes is not None:
        return places.withdraw(world, node, replica, world.state.plan.here.id, event.at)
    news = tree.set_unknown(world.state, node, replica, event.at, unknown=True)
    return Durability.DURABLE if news else Durability.VOLATILE


def _reported(world: World, event: events.Reported) -> Durability:
    node, plan = world.state.nodes.get(event.node), world.plans.get(event.node)
    if node is None or plan is None or plan.mode not in {"push", "local"}:
        return Durability.REFUSED
    replica = node.replicas.get(event.replica)
    news = False
    if replica is None:
        if plan.heartbeat or (plan.mode == "local" and plan.replicas) or len(node.replicas) >= plan.max_replicas:
            return Durability.REFUSED
        replica = tree.add_replica(world.state, node, event.replica, event.at)
        news = True
    if replica.interval != event.interval:
        replica.interval = event.interval
        news = True
    news |= absence.is_rare(plan, event.interval)
    moves.seen(node, replica, event.at, event.latency_ms)
    replica.cpu, replica.ram = event.cpu, event.ram
    world.watch(plan, replica)
    health, reason = judge(plan, event)
    if health.bad:
        moves.failed(replica, event.at, reason.text)
    since = min(event.since or event.at, event.at)
    outcome = moves.move(world, node, replica, health, since, event.at, reason)
    return Durability.DURABLE if news else outcome


def _flushed(world: World, event: events.Flushed) -> Durability:
    node, plan = world.state.nodes.get(event.node), world.plans.get(event.node)
    if node is None or plan is None or plan.mode not in {"push", "local"} or event.replica not in node.replicas:
        return Durability.REFUSED
    if any(r.id == event.replica for r in plan.replicas) or plan.heartbeat:
        replica = node.replicas[event.replica]
        replica.interval = 0.0
        return moves.move(world, node, replica, Health.PENDING, event.at, event.at, FINE)
    replan.forget(world.state, node, event.replica, event.at)
    return Durability.DURABLE


def _ticked(world: World, event: events.Ticked) -> Durability:
    nodes = world.state.nodes  # where an event before this one was damaged on the disk, something may be missing
    for closed in [c for c in event.latency if c.node in nodes]:  # before replicas go: it counts them
        latency.close(nodes[closed.node], closed)
    for silent in [s for s in event.silent if s.node in nodes and s.replica in nodes[s.node].replicas]:
        node = nodes[silent.node]
        reason = ticks.silence_reason(world.plans[silent.node])
        moves.move(world, node, node.replicas[silent.replica], Health.DEAD, silent.since, event.at, reason)
    if event.silent_places:
        places.fell_silent(world, event.silent_places, event.at)
    moves.tell_flapping(world, event.at)
    for forgotten in [f for f in event.forgotten if f.node in nodes and f.replica in nodes[f.node].replicas]:
        replan.forget(world.state, nodes[forgotten.node], forgotten.replica, event.at)
    changed = ticks.tick(world, event)
    said = event.silent or event.forgotten or event.silent_places or event.latency
    return Durability.DURABLE if changed or said else Durability.VOLATILE


def _looks_begun(world: World, event: events.LooksBegun) -> Durability:
    world.looking[event.node, event.replica] = event.until
    return Durability.VOLATILE


def _looks_ended(world: World, event: events.LooksEnded) -> Durability:
    world.looked |= world.looking.pop((event.node, event.replica), None) is not None
    return Durability.VOLATILE


def _retried(world: World, event: events.Retried) -> bool:
    if event.to:
        return outbox.redirect(world.state, event.message, event.to, event.at)
    if event.notifier:
        return outbox.retry_refused(world.state, event.notifier, event.at)
    return outbox.retry(world.state, event.message, event.at)


def _of(handler: Callable[[World, Any], bool]) -> Handler:
    """An operator's word or a receiver's answer: durable, unless refused."""

    def run(world: World, event: Any) -> Durability:
        if not handler(world, event):
            return Durability.REFUSED
        if isinstance(event, events.Command):
            sessions.record(world, event)
        return Durability.DURABLE

    return run


_TABLE: Final[dict[type[events.Event], Handler]] = {
    events.Planned: _planned,
    events.Observed: _observed,
    events.Unknown: _unknown,
    events.PlaceHeard: places.heard,
    events.Voted: places.voted,
    events.Reported: _reported,
    events.Flushed: _flushed,
    events.Ticked: _ticked,
    events.LooksBegun: _looks_begun,
    events.LooksEnded: _looks_ended,
    events.ClockJumped: _of(clock_jumps.clock_jumped),
    events.NetworkLost: _of(ticks.network_lost),
    events.NetworkBack: _of(ticks.network_back),
    events.CertificateEnding: _of(broadcasts.certificate_ending),
    events.Announced: _of(commands.announced),
    events.Withdrawn: _of(commands.withdrawn),
    events.Silenced: _of(commands.silenced),
    events.Unsilenced: _of(commands.unsilenced),
    events.Acknowledged: _of(commands.acknowledged),
    events.Noted: _of(commands.noted),
    events.Subscribed: _of(commands.subscribed),
    events.Unsubscribed: _of(commands.unsubscribed),
    events.Delivered: _of(undelivered.delivered),
    events.NotDelivered: _of(undelivered.not_delivered),
    events.Retried: _of(_retried),
    events.Dropped: _of(lambda world, event: outbox.drop(world.state, event.message, event.at)),
    events.Tested: _of(lambda world, event: outbox.test(world.state, event.notifier, event.at)),
    events.IncidentOpened: _of(incident_edits.opened),
    events.IncidentCorrected: _of(incident_edits.corrected),
    events.IncidentStruck: _of(incident_edits.struck),
    events.IncidentMerged: _of(incident_edits.merged),
    events.PostmortemWritten: _of(incident_edits.explained),
    events.SignedIn: _of(sessions.signed_in),
    events.SignedOut: _of(sessions.signed_out),
    events.PasskeyAdded: _of(sessions.passkey_added),
    events.PasskeyRemoved: _of(sessions.passkey_removed),
    events.HistoryImported: _of(history_import.imported),
    subscriber_events.SubscriptionRequested: _of(subscribers.requested),
    subscriber_events.ConfirmationSent: _of(subscribers.link_sent),
    subscriber_events.SubscriptionConfirmed: _of(subscribers.confirmed),
    subscriber_events.SubscriberAdded: _of(subscribers.added),
    subscriber_events.SubscribersImported: _of(subscribers.imported),
    subscriber_events.SubscriberChanged: _of(subscribers.changed),
    subscriber_events.SubscriberRemoved: _of(subscribers.removed),
    subscriber_events.BulletinSent: _of(bulletins.sent),
    subscriber_events.BulletinFailed: _of(bulletins.failed),
    subscriber_events.BulletinFinished: _of(bulletins.finished),
    subscriber_events.HookOwnerTold: _of(subscribers.owner_told),
}
