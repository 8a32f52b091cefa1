"""What chance brings to a simulated life: a plan, and one thing after another. Everything hangs on one `Random`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from crisp_status.core import events
from crisp_status.core.model import Health, Reason, ReasonCode, Tally
from crisp_status.core.operator_records import Announcement, Silence, Subscription
from crisp_status.core.past import PastDay, PastIncident, PastSpan
from crisp_status.core.policy import (
    NodePlan,
    NotifierPlan,
    NotifyPlan,
    PlacePlan,
    Plan,
    PlannedAnnouncement,
    ReplicaPlan,
    ServicePlan,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from crisp_status.core.events import Event
    from crisp_status.core.model import State

SECRET = "hidden"
"""Stands in every address, reason and name that no visitor may ever see."""

PLACES = ("fra", "nyc")
"""Places besides this daemon."""

VANISHING = "gone"
"""A notifier that the operator takes out of the file and puts back; of it nothing is asked but that no message is lost."""

FIRST_DEVICE = "first"
"""The one device that is there from the beginning and stays."""

ON = (
    ("dead", "recovered"),
    ("dead", "recovered", "maintenance"),
    ("dead", "sick", "recovered"),
    ("dead",),
    ("unstable", "maintenance"),
)


def plan(dice: Random) -> Plan:
    """A page: up to four services of up to four nodes of any mode, some that depend on others, and some notifiers."""
    services: list[ServicePlan] = []
    keys: list[str] = []
    for i in range(dice.randint(1, 4)):
        nodes = []
        for j in range(dice.randint(1, 4)):
            nodes.append(_node(dice, f"s{i}", f"n{j}", keys))
            keys.append(f"s{i}/n{j}")
        services.append(ServicePlan(f"s{i}", "Service", tuple(nodes)))
    return Plan(
        timezone=dice.choice(["UTC", "Europe/Berlin", "America/New_York"]),
        history_days=dice.choice([3, 90]),
        services=tuple(services),
        notify=_notify(dice),
        notifiers=(*(_notifier(dice, i) for i in range(dice.randint(0, 3))), NotifierPlan(VANISHING, "email")),
        webhooks=("hook",) if dice.random() < 0.5 else (),
        hooks_on=(dice.choice([("health",), ("health", "maintenance")]),),
        operators=("jane",),
        announcements=_written(dice, keys),
        places=tuple(PlacePlan(place, silent_after=dice.choice([20.0, 60.0])) for place in PLACES),
    )


def _node(dice: Random, service: str, node: str, before: list[str]) -> NodePlan:
    mode = dice.choice(["poll", "poll", "poll", "script", "push", "push", "local"])
    heartbeat = mode == "push" and dice.random() < 0.3
    count = 0 if mode == "push" or (mode == "local" and dice.random() < 0.3) else dice.randint(1, 3)
    public = count > 0 and dice.random() < 0.3
    name = f"{service}-{node}"
    host = f"edge-{name}.example" if public else f"{SECRET}-{name}.example"
    places = _seen_from(dice) if mode == "poll" else ()
    return NodePlan(
        service=service,
        id=node,
        name="Node",
        mode=mode,
        places=places,
        quorum=dice.randint(1, max(1, len(places))),
        replicas=tuple(ReplicaPlan(f"tcp://{host}:{k}", f"{SECRET} Paris" if not public else "") for k in range(count)),
        interval=dice.choice([30.0, 120.0]),
        retry=dice.choice([0, 2]),
        delay_dead=dice.choice([2.0, 10.0]),
        forget_after=dice.choice([0.0, 600.0]),
        max_replicas=3,
        depends_on=(
            dice.choice(
                [*before, *dict.fromkeys(k.partition("/")[0] for k in before if not k.startswith(f"{service}/"))]
            ),
        )
        if before and dice.random() < 0.3
        else (),
        reveal_replicas=public,
        heartbeat=heartbeat,
    )


def _seen_from(dice: Random) -> tuple[str, ...]:
    """Half of what is polled is seen from here alone; the other half from some or all places."""
    if dice.random() < 0.5:
        return ()
    return dice.choice([("here", *PLACES), ("here", *PLACES), PLACES, ("here", PLACES[0])])


def _notify(dice: Random) -> NotifyPlan:
    return NotifyPlan(
        group_wait=dice.choice([0.0, 10.0, 10.0, 60.0]),
        reminder_interval=dice.choice([0.0, 300.0, 3600.0]),
        reminder_backoff=dice.choice(["none", "linear", "square", "cubic"]),
        reminder_escalate=dice.random() < 0.5,
        flap_changes=dice.choice([0, 4, 6]),
        flap_window=dice.choice([300.0, 300.0, 300.0, 300.0, 3600.0]),
        startup=dice.random() < 0.2,
        give_up_after=dice.choice([1800.0, 259200.0]),
    )


def _notifier(dice: Random, number: int) -> NotifierPlan:
    return NotifierPlan(
        f"m{number}",
        dice.choice(["email", "slack", "push"]),
        on=dice.choice(ON),
        services=dice.choice([(), (), ("s0",)]),
        reminders_only=dice.random() < 0.1,
        enabled=dice.random() < 0.95,
        operators=("jane",),
    )


def _written(dice: Random, keys: list[str]) -> tuple[PlannedAnnouncement, ...]:
    if dice.random() < 0.8:
        return ()
    return (PlannedAnnouncement("file", "Nightly work", maintenance=(dice.choice(keys),), rrule="FREQ=DAILY",
                                starts_at=1_700_000_000.0, expires_at=1_700_003_600.0),)  # fmt: skip


def edited(dice: Random, plan: Plan) -> Plan:
    """The operator has been at the file: services or nodes are gone, modes and replicas are others."""
    services = []
    for service in plan.services:
        if dice.random() < 0.3:
            continue
        nodes = [n for n in service.nodes if dice.random() < 0.8]
        nodes = [
            msgspec.structs.replace(
                n,
                mode="poll",
                places=_seen_from(dice),
                quorum=1,
                heartbeat=False,
                replicas=(ReplicaPlan(f"tcp://{SECRET}-new.example:1"),),
                reveal_replicas=False,
            )
            if dice.random() < 0.2
            else n
            for n in nodes
        ]
        services.append(msgspec.structs.replace(service, nodes=tuple(nodes)))
    notifiers = plan.notifiers if dice.random() < 0.3 else plan.notifiers[:-1]
    zone = dice.choice([plan.timezone, "Asia/Tokyo"])
    return msgspec.structs.replace(plan, services=tuple(services), notifiers=notifiers, timezone=zone)


class Truth:
    """How the watched things really are, so that outages last and hit together, as they do."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.ill: dict[tuple[str, str], Health] = {}

    def look(self, state: State, at: float, keys: list[tuple[str, str]]) -> Iterator[Event]:
        """What whoever watches these replicas would submit now."""
        for key, replica in keys:
            yield self.event(state, at, key, replica)

    def event(self, state: State, at: float, key: str, replica: str) -> Event:
        """One look, or one report."""
        dice = self.dice
        health = self.ill.get((key, replica), Health.HEALTHY)
        reason = (
            Reason(ReasonCode.NO_ANSWER, f"no answer from {SECRET}-{key}", f"{SECRET}")
            if health.bad
            else Reason(ReasonCode.OK)
        )
        mode = next((n.mode for s in state.plan.services for n in s.nodes if n.key == key), "poll")
        if mode in {"push", "local"}:
            by_load = mode == "push" and health is not Health.DEAD
            return events.Reported(
                node=key,
                replica=replica,
                interval=dice.choice([10.0, 10.0, 10.0, 60.0]),
                cpu=0.95 if health is Health.SICK else 0.3,
                ram=0.2,
                health=None if by_load else health,
                reason=reason,
                since=dice.choice([0.0, at - 20.0]),
            )
        late = dice.choice([0.0, 0.5, 5.0, 31.0])
        return events.Observed(
            node=key,
            replica=replica,
            health=health,
            since=at - late,
            reason=reason,
            latency_ms=-1 if health is Health.DEAD else dice.randrange(900),
        )

    def strike(self, state: State, health: Health) -> list[tuple[str, str]]:
        """Something befalls a replica, a node, a service or everything; which replicas it hits."""
        scope = self.dice.random()
        everything = [(k, r) for k, n in state.nodes.items() for r in n.replicas]
        if not everything:
            return []
        key, replica = self.dice.choice(everything)
        if scope < 0.4:
            hit = [(key, replica)]
        elif scope < 0.7:
            hit = [t for t in everything if t[0] == key]
        elif scope < 0.9:
            hit = [t for t in everything if t[0].partition("/")[0] == key.partition("/")[0]]
        else:
            hit = everything
        for target in hit:
            self.ill[target] = health
        return hit


BROUGHT = "Brought along"
"""Title of an incident of another program, of which nobody here is told."""


def history(dice: Random, state: State, at: float, serial: int) -> Event:
    """What another program remembered: days, of which some are ours or still to come, and an incident."""
    keys = [*state.nodes, "gone/gone"]
    days = [
        PastDay(
            (datetime.fromtimestamp(at, UTC) + timedelta(days=dice.randrange(-5, 2))).date().isoformat(),
            {dice.choice(keys): Tally(dice.choice([0.0, 3600.0, 80_000.0]), 0.0, dice.choice([0.0, 60.0, 9e9]))},
        )
        for _ in range(dice.randrange(4))
    ]
    began = at - dice.choice([100.0, 9000.0, 1e9])
    span = {dice.choice(keys): PastSpan(began, began + 60.0, dice.choice([Health.SICK, Health.DEAD]))}
    past = PastIncident(began, began + 60.0, span, BROUGHT)
    return events.HistoryImported(source=f"part {serial % 5}", days=days, incidents=[past])


def word(dice: Random, state: State, at: float, serial: int) -> Event:
    """Something an operator says."""
    keys = [*state.nodes, *state.services] or ["s0"]
    incidents = [*state.open, *(i.id for i in state.closed[-2:])] or [1]
    match dice.randrange(17):
        case 16:
            return history(dice, state, at, serial)
        case 12:
            return events.IncidentOpened(
                title="By hand", nodes=[k for k in keys if "/" in k][:2], health=dice.choice(list(Health)), by="Jane"
            )
        case 13:
            resolved = dice.choice(["", "identified", "resolved"])
            return events.Noted(
                incident=dice.choice(incidents),
                text="Ours" if resolved else SECRET,
                internal=not resolved,
                phase=resolved,
            )
        case 14:
            number = dice.choice(incidents)
            known = state.incident(number)
            began, ended = (known.opened_at, known.closed_at) if known else (0.0, 0.0)
            return dice.choice([
                events.IncidentCorrected(incident=number, opened_at=began - 90.0, closed_at=ended - 10.0),
                events.IncidentCorrected(incident=number, opened_at=began + 10.0, closed_at=min(at, ended + 90.0)),
                events.IncidentStruck(incident=number),
                events.IncidentMerged(incident=number, into=dice.choice(incidents)),
            ])  # fmt: skip
        case 15:
            return events.PostmortemWritten(incident=dice.choice(incidents), text="A switch.", by=f"{SECRET} Jane")
        case 0 | 1:
            starts_at = at + dice.choice([-100.0, 0.0, 100.0])
            return events.Announced(announcement=Announcement(
                f"a{dice.randrange(4)}", "Work", "Text", starts_at=starts_at, expires_at=at + dice.choice([0.0, 200.0, 2000.0]),
                maintenance=[dice.choice(keys)] if dice.random() < 0.7 else [], rrule=dice.choice(["", "", "FREQ=DAILY"]),
            ))  # fmt: skip
        case 2:
            return events.Withdrawn(id=f"a{dice.randrange(4)}")
        case 3 | 4:
            until = dice.choice([0.0, at + 500.0])
            scope = dice.choice(["", dice.choice(keys)])
            return events.Silenced(silence=Silence(f"q{serial}", until, at, scope=scope, by=f"{SECRET} Jane"))
        case 5:
            return events.Unsilenced(id=dice.choice(["", *state.silences]))
        case 6 | 7:
            return events.Acknowledged(incident=dice.choice(incidents), by=f"{SECRET} Jane")
        case 8:
            return events.Noted(incident=dice.choice(incidents), text="We are on it", by=f"{SECRET} Jane")
        case 9:
            device = dice.choice("ab")
            return events.Subscribed(subscription=Subscription(
                device, "jane", f"https://push.example/{SECRET}/{device}", "p", "a", 0.0))  # fmt: skip
        case 10:
            return events.Unsubscribed(id=dice.choice("ab"))
        case _:
            notifiers = [n.id for n in state.plan.notifiers]
            return events.Tested(notifier=dice.choice([*notifiers, "hook", "nobody"]))


def meddling(dice: Random, state: State) -> Event | None:
    """An operator at the outbox."""
    owed, sent = list(state.outbox), [m.id for m in state.sent]
    match dice.randrange(5):
        case 0:
            return events.Retried()
        case 4:
            notifiers = [n.id for n in state.plan.notifiers if n.kind != "push" and n.id != VANISHING]
            return events.Retried(to=dice.choice([*notifiers, "hook", "nobody"]))
        case 1 if owed:
            return events.Retried(message=dice.choice(owed))
        case 2 if sent:
            return events.Retried(message=dice.choice(sent))
        case 3 if owed:
            return events.Dropped(message=dice.choice(owed))
    return None
