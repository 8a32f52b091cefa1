"""One row of the page, kept from one view to the next: a look at whether anything changed, and the view if so."""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING, Final

from crisp_status.core.latency import SHORT_SECONDS, unscaled
from crisp_status.core.model import Health, Tally
from crisp_status.core.uptime import node_counts_as
from crisp_status.view.history import is_still, running, until_now
from crisp_status.view.incident_views import public_value
from crisp_status.view.page_view import LOOKS, NO_LATENCY, LatencyView, NodeView, ReplicaView
from crisp_status.view.sanitize import clean, is_private, public_host

if TYPE_CHECKING:
    from crisp_status.core.model import Node, Replica, State
    from crisp_status.core.policy import NodePlan
    from crisp_status.view.history import Past, Sums
    from crisp_status.view.page_view import HistoryView

HOUR: Final = 3600 // SHORT_SECONDS
"""Short slots of response times in an hour."""


class Box:
    """A replica and how it was when its view was made."""

    __slots__ = ("health", "replica", "seen_at", "since", "view")

    def __init__(self, replica: Replica, view: ReplicaView) -> None:
        self.replica, self.view = replica, view
        self.seen_at, self.since, self.health = replica.seen_at, replica.since, replica.health


class Row:
    """A node and how it was when its view was made."""

    __slots__ = (
        "boxes", "health", "label", "latest", "minutes", "name", "names", "node", "numbered", "offline", "past", "plan",
        "position", "short_slot", "since", "still", "sums", "tallied", "today", "unknowns", "unstable", "view", "was",
    )  # fmt: skip

    def __init__(self, plan: NodePlan, position: int) -> None:
        self.plan, self.position = plan, position
        self.name = self.label = clean(plan.name) or plan.id
        self.names = {r.id: clean(r.name) for r in plan.replicas if r.name and not is_private(r.name)}
        self.node: Node | None = None
        self.numbered = 0
        self.boxes: list[Box] = []
        self.latest = 0.0
        self.past: Past | None = None
        self.sums: Sums | None = None
        self.still = False
        self.tallied = self.since = self.minutes = self.offline = -1.0
        self.health, self.unknowns, self.unstable, self.short_slot = Health.PENDING, 0, False, 0
        self.was: tuple[object, ...] = ()
        self.today = Tally()
        self.view: NodeView | None = None

    def look(self, node: Node) -> bool:
        """Take over what changed about the replicas; whether any of their views did."""
        boxes = self.boxes
        if self.node is not node or self.numbered != node.next_number or len(boxes) != len(node.replicas):
            self.node, self.numbered = node, node.next_number
            replicas = sorted(node.replicas.values(), key=_number)
            self.boxes = [Box(replica, _replica(replica, self)) for replica in replicas]
            self.latest = max((replica.seen_at for replica in replicas), default=0.0)
            return True
        changed = False
        for box in boxes:
            replica = box.replica
            seen_at = replica.seen_at
            if seen_at != box.seen_at or replica.since != box.since or replica.health is not box.health:
                box.seen_at, box.since, box.health = seen_at, replica.since, replica.health
                self.latest = max(self.latest, seen_at)
                view = _replica(replica, self)
                if view != box.view:
                    box.view = view
                    changed = True
        return changed

    def follow(self, past: Past, born: float) -> None:
        """Take over other past days."""
        self.past, self.sums, self.tallied = past, past.of(self.plan.key, born), -1.0

    def is_as_it_was(self, state: State, node: Node, now: float) -> bool:
        """Whether, replicas apart, nothing can have changed: true for nearly all rows nearly always, and quick."""
        return (
            node.ledger.since == self.tallied
            and node.health is self.health
            and (self.still or _minutes(node, now) == self.minutes)
            and not node.maintenance
            and node.unknowns == self.unknowns
            and node.unstable is self.unstable
            and node.short_slot == self.short_slot
            and node.since == self.since
            and state.offline_since == self.offline
        )

    def made(self, state: State, node: Node, until: dict[str, float], now: float, *, changed: bool) -> NodeView:
        """The view, the same as before when nothing in it changed."""
        assert self.past is not None
        assert self.sums is not None
        counts_as = node_counts_as(state, node)
        history = until_now(self.sums, node.ledger, counts_as, now)
        self.today = running(node.ledger, counts_as, now)
        ends = max(until.get(node.key, 0.0), until.get(self.plan.service, 0.0)) if node.maintenance else 0.0
        today = self.past.days[-1] if node.health >= Health.SICK else ""
        was = (node.health, node.since, node.maintenance, node.unstable, ends, node.short_slot, today)
        # The end of announced work is not the node's own, so while that goes on nothing is as it was.
        self.tallied = -1.0 if node.maintenance else node.ledger.since
        self.health, self.since, self.minutes = node.health, node.since, _minutes(node, now)
        self.unknowns, self.unstable, self.short_slot = node.unknowns, node.unstable, node.short_slot
        self.offline = state.offline_since
        self.still = is_still(self.sums, counts_as) and not state.offline_since
        old = self.view
        if old is not None and history == old.history:
            if not changed and was == self.was:
                return old
            history = old.history
        self.was = was
        self.view = _view(node, self, history, ends)
        return self.view


def _minutes(node: Node, now: float) -> float:
    """Whole minutes of the running stretch: all that `until_now` takes of the present."""
    return max(0.0, now - node.ledger.since) // 60.0


def _number(replica: Replica) -> int:
    return replica.number


def _view(node: Node, row: Row, history: HistoryView, until: float) -> NodeView:
    plan = row.plan
    return NodeView(
        key=node.key,
        service=plan.service,
        id=plan.id,
        name=row.name,
        label=row.label,
        position=row.position,
        health=node.health,
        look="work" if node.maintenance else LOOKS[node.health],
        since=node.since,
        until=until,
        mode=plan.mode,
        interval=_interval(node, plan),
        sick_above=plan.delay_sick,
        cpu_above=plan.cpu_sick_above,
        ram_above=plan.ram_sick_above,
        born=node.ledger.born,
        unstable=node.unstable,
        replicas=tuple([box.view for box in row.boxes]),
        counts=(node.counts[0], node.counts[1], node.counts[2], node.counts[3]),
        history=history,
        latency=_latency(node),
        typical_ms=_typical(node),
        link_url=plan.link_url,
        link_label=clean(plan.link_label) if plan.link_label else "",
    )


def _interval(node: Node, plan: NodePlan) -> float:
    """How often it is looked at, or says that it reports; 0: it never said."""
    if plan.mode in ("poll", "script") or plan.heartbeat:
        return plan.interval
    said = max((r.interval for r in node.replicas.values()), default=0.0)
    return said or (plan.interval if plan.mode == "local" else 0.0)


def _replica(replica: Replica, row: Row) -> ReplicaView:
    name = ""
    if row.plan.reveal_replicas:
        name = row.names.get(replica.id) or public_host(replica.id)
    reason = replica.reason
    return ReplicaView(
        replica.number,
        replica.health,
        replica.since,
        reason.code,
        public_value(reason),
        name,
        replica.seen_at // 60.0 * 60.0,
        replica.latency_ms,
        round(replica.cpu, 2),
        round(replica.ram, 2),
    )


def _latency(node: Node) -> LatencyView:
    """What is kept of its response times; nothing is copied."""
    if not node.short_slot:
        return NO_LATENCY
    replicas = node.replicas.values()
    return LatencyView(
        node.short_slot, tuple([r.short for r in replicas]), node.long_slot, tuple([r.long for r in replicas])
    )


def _typical(node: Node) -> int:
    """Milliseconds: the median of the last hour; before the first five minutes are over, of the last answers."""
    seen = [byte for r in node.replicas.values() for byte in r.short[-2 * HOUR :: 2] if byte]
    if seen:
        return unscaled(median_low(seen))
    last = [r.latency_ms for r in node.replicas.values() if r.latency_ms > 0]
    return median_low(last) if last else 0
