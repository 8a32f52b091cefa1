"""Stories in which time passes only when told:

    story = tell(node("web/api", replicas=2))
    story.at("12:00:30").seen("web/api/1", DEAD).passes("10 s").then("mail: opened web/api=dead")

Each event goes through the real `prepare` and `step`. What was durable is kept as bytes, and `replays` lets a fresh world
hear only that: it must come to the same.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from crisp_status.core import events
from crisp_status.core.model import Health, Reason, ReasonCode, State
from crisp_status.core.operator_records import Announcement, Silence
from crisp_status.core.policy import NodePlan, NotifierPlan, NotifyPlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import prepare, step
from crisp_status.core.step_outcome import Durability
from crisp_status.core.world import World
from tests.simulation import laws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.core.model import Incident, Message, Node, Replica

PENDING, HEALTHY, SICK, DEAD = Health

MAIL = NotifierPlan("mail", "email")
"""Hears of what is dead and what recovered, as by default."""

START = "2026-11-22 12:00:00"

CHECKED_NODES = 30
"""Up to so many, the laws are checked after each event; with more, when the story is over."""

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def node(key: str, replicas: int = 1, mode: str = "poll", **options: Any) -> NodePlan:
    """A node of `replicas` configured replicas `1`, `2`, …; a push node has none before they report."""
    service, _, name = key.partition("/")
    given = () if mode == "push" else tuple(ReplicaPlan(str(n)) for n in range(1, replicas + 1))
    return NodePlan(service, name, name, mode, given, **options)  # type: ignore[arg-type]


def page(
    *nodes: NodePlan, notifiers: Sequence[NotifierPlan] = (MAIL,), notify: dict[str, Any] | None = None, **more: Any
) -> Plan:
    """A plan of these nodes, grouped by service as they come."""
    services: dict[str, list[NodePlan]] = {}
    for one in nodes:
        services.setdefault(one.service, []).append(one)
    return Plan(
        services=tuple(ServicePlan(key, key, tuple(found)) for key, found in services.items()),
        notifiers=tuple(notifiers),
        notify=NotifyPlan(**(notify or {})),
        **more,
    )


def seconds(length: str) -> float:
    """`10 min`, `1.5 h`, `30 s`, `2 d`."""
    number, _, unit = length.partition(" ")
    return float(number) * SECONDS[unit]


def moment(text: str) -> float:
    """`2026-11-22 12:00:00` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Story:
    """A world and what happened to it."""

    def __init__(self, plan: Plan, start: str = START) -> None:
        self.now = moment(start)
        self.world = World(State())
        self.journal: list[bytes] = []
        self.before: dict[tuple[str, str], float] = {}
        """When each replica was seen last, at the last snapshot."""
        self.known: set[str] = set()
        """Messages that `then` has asked for."""
        self.outcome = Durability.REFUSED
        self.batches = 0
        self.happens(events.Planned(plan=plan, fresh=True))

    @property
    def state(self) -> State:
        return self.world.state

    @property
    def plan(self) -> Plan:
        return self.state.plan

    def node(self, key: str) -> Node:
        return self.state.nodes[key]

    def replica(self, path: str) -> Replica:
        key, _, name = path.rpartition("/")
        return self.state.nodes[key].replicas[name]

    @property
    def incident(self) -> Incident:
        """The one that is open."""
        (found,) = [i for i in self.state.open.values() if not i.closed_at]
        return found

    @property
    def last(self) -> Incident:
        """The newest, open or closed."""
        return max([*self.state.open.values(), *self.state.closed], key=lambda i: i.id)

    def happens(self, *what: events.Event) -> Story:
        """These events, now."""
        for event in what:
            event.at = max(self.now, self.state.at) if not isinstance(event, events.ClockJumped) else event.at
            prepare(self.world, event)
            first = self.state.next_message
            before = msgspec.json.encode(self.state) if isinstance(event, events.Withdrawn | events.Announced) else b""
            self.outcome = step(self.world, event)
            if self.outcome is Durability.DURABLE:
                self.journal.append(msgspec.json.encode(event))
            assert not (before and self.outcome is Durability.REFUSED and before != msgspec.json.encode(self.state))
            laws.check_messages(self.state, first)
            if not isinstance(event, events.Ticked) and len(self.state.nodes) <= CHECKED_NODES:
                laws.check(self.state)
        return self

    def refused(self, event: events.Event) -> Story:
        """This is refused, and the state is as it was."""
        before = msgspec.json.encode(self.state)
        self.happens(event)

        assert self.outcome is Durability.REFUSED
        assert msgspec.json.encode(self.state) == before
        return self

    def passes(self, length: str, tick: float = 1.0) -> Story:
        """Time, with a tick each second."""
        until = self.now + seconds(length)
        while self.now < until:
            self.now = min(until, self.now + tick)
            self.happens(events.Ticked())
        return self

    def at(self, clock: str) -> Story:
        """Until that time of the same day, or of the day that is given."""
        text = clock if " " in clock else f"{datetime.fromtimestamp(self.now, UTC):%Y-%m-%d} {clock}"
        left = moment(text) - self.now
        assert left >= 0, f"it is later than {text}"
        return self.passes(f"{left} s")

    def passes_to(self, text: str) -> Story:
        """Until that day and time, with a tick each minute and one each second of the last."""
        while (left := moment(text) - self.now) > 60.0:
            self.passes(f"{min(left - 60.0, 3600.0)} s", tick=60.0)
        return self.passes(f"{left} s")

    def seen(self, path: str, health: Health, *, ago: str = "0 s", reason: str = "", latency_ms: int = -1) -> Story:
        """A look at one replica, `svc/node/replica`, or at all of them, `svc/node`."""
        names = [path] if path.count("/") == 2 else [f"{path}/{name}" for name in self.node(path).replicas]
        why = Reason(ReasonCode(reason or "no_answer"), "no answer") if health.bad else Reason(ReasonCode.OK)
        for name in names:
            key, _, replica = name.rpartition("/")
            since = self.now - seconds(ago)
            self.happens(
                events.Observed(
                    node=key, replica=replica, health=health, since=since, reason=why, latency_ms=latency_ms
                )
            )
        return self

    def reported(self, path: str, interval: float = 60.0, **more: Any) -> Story:
        """A report of one replica."""
        key, _, replica = path.rpartition("/")
        return self.happens(events.Reported(node=key, replica=replica, interval=interval, **more))

    def votes(
        self, place: str, path: str, health: Health | None, *, ago: str = "0 s", run: str = "", **more: Any
    ) -> Story:
        """What a place saw of one replica; `here` is this daemon. None: it could not look."""
        if place == self.plan.here.id and health is not None:
            return self.seen(path, health, ago=ago, **more)
        key, _, replica = path.rpartition("/")
        if place == self.plan.here.id:
            return self.happens(events.Unknown(node=key, replica=replica, text="no sockets left"))
        why = Reason(ReasonCode.NO_ANSWER, "no answer") if health is not None and health.bad else Reason(ReasonCode.OK)
        since = self.now - seconds(ago)
        return self.hears(place, run).happens(
            events.Voted(
                place=place, run=run or place, batch=self.batches, node=key, replica=replica, health=health, since=since,
                **{"reason": why} | more,
            )
        )  # fmt: skip

    def hears(self, place: str, run: str = "") -> Story:
        """A sign of life."""
        self.batches += 1
        return self.happens(events.PlaceHeard(place=place, run=run or place, batch=self.batches))

    def announced(
        self, id: str = "work", *, begins: str = "0 s", lasts: str = "", maintenance: Sequence[str] = (), **more: Any
    ) -> Story:
        """Words of an operator, by default a maintenance when something is named."""
        starts = self.now + seconds(begins)
        ends = starts + seconds(lasts) if lasts else 0.0
        return self.happens(events.Announced(announcement=Announcement(
            id, "Work", starts_at=starts, expires_at=ends, maintenance=list(maintenance), **more)))  # fmt: skip

    def silenced(self, lasts: str = "", scope: str = "", id: str = "quiet") -> Story:
        """Until then, or until it is well."""
        until = self.now + seconds(lasts) if lasts else 0.0
        return self.happens(events.Silenced(silence=Silence(id, until, self.now, scope=scope)))

    def jumps(self, length: str) -> Story:
        """The wall clock is set."""
        before, self.now = self.now, self.now + seconds(length)
        return self.happens(events.ClockJumped(at=self.now, before=before))

    def stands_still(self, length: str) -> Story:
        """The process is stopped for so long; then it ticks before it can have read anything."""
        self.now += seconds(length)
        return self.happens(events.Ticked(stood_still=seconds(length)))

    def is_killed(self, after: str = "0 s", saved: str = "0 s") -> Story:
        """As `restarts`, but volatile times are as old as the snapshot, which was made so long before."""
        lost = self.now - seconds(saved)
        for one in self.state.nodes.values():
            for replica in one.replicas.values():
                replica.seen_at = min(replica.seen_at, self.before.get((one.key, replica.id), replica.seen_at))
        self.replays()
        self.now += seconds(after)
        self.world = World(msgspec.json.decode(msgspec.json.encode(self.state), type=State))
        self.world.known_at = lost
        return self.happens(events.Planned(plan=self.plan, fresh=True))

    def saves(self) -> Story:
        """A snapshot is made: `is_killed` finds the volatile times of now."""
        self.before = {(one.key, r.id): r.seen_at for one in self.state.nodes.values() for r in one.replicas.values()}
        return self

    def restarts(self, after: str = "0 s", plan: Plan | None = None) -> Story:
        """The process is killed; the next one begins with what was durable, and with the snapshot's volatile fields."""
        self.replays()
        self.now += seconds(after)
        self.world = World(msgspec.json.decode(msgspec.json.encode(self.state), type=State))
        return self.happens(events.Planned(plan=plan or self.plan, fresh=True))

    def reloads(self, plan: Plan) -> Story:
        """Another plan comes into force."""
        return self.happens(events.Planned(plan=plan))

    def owed(self) -> list[Message]:
        """What has been owed since the last time, whether it was delivered or not."""
        messages = {m.id: m for m in [*self.state.outbox.values(), *self.state.sent]}
        new = sorted((m for m in messages.values() if m.id not in self.known), key=lambda m: int(m.id.split("-")[1]))
        self.known.update(m.id for m in new)
        return new

    def then(self, *expected: str) -> Story:
        """Exactly these became owed: `mail: opened web/api=dead`."""
        found = [said(message) for message in self.owed()]

        assert list(expected) == found
        return self

    def is_held(self, reason: str) -> Story:
        """Nobody is told, and this is why."""
        from crisp_status.core.holds import why_held

        self.then()
        reasons = {why for i in self.state.open.values() for _, _, why in why_held(self.world, i, self.state.at)}

        assert {reason} == reasons
        return self

    def replays(self) -> None:
        """Replay equals life: a fresh world that hears only what was durable comes to the same."""
        laws.check(self.state)
        fresh = World(State())
        for line in self.journal:
            step(fresh, msgspec.json.decode(line, type=events.AnyEvent))

        assert [] == laws.differences(self.state, fresh.state)


def said(message: Message) -> str:
    """A message in one line."""
    target = f"@{message.target}" if message.target else ""
    nodes = " ".join(f"{w.node}={w.health.word}" for w in message.nodes if w.node)
    if message.kind == "place":
        nodes = ", ".join(sight.place for words in message.nodes for sight in words.seen_from)
        return f"{message.notifier}: {nodes} {'back' if message.until else 'silent'}"
    about = nodes if message.kind not in {"hook", "startup", "network"} else message.health.word
    return re.sub(r" +$", "", f"{message.notifier}{target}: {message.kind} {about}")
