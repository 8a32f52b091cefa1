"""State to `PageView`, on the event loop: so it must be quick, and cost what changed.

Each node keeps its last view. A replica whose last look, health and time are what they were keeps its own too, so that
a pass over 30,000 quiet replicas is a few milliseconds of comparing.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from struct import unpack
from typing import TYPE_CHECKING

from crisp_status.core.model import LATENCY_SLOT_SECONDS, LATENCY_SLOTS, Health
from crisp_status.core.uptime import day_of, node_counts_as, parent_counts_as
from crisp_status.page.history import Past, mark, until_now
from crisp_status.page.plain import MAX_LINE, clean, is_private, public_host
from crisp_status.page.told import Incidents, Names, announcements, maintenances, public_value
from crisp_status.page.view import LOOKS, NodeView, PageView, ReplicaView, ServiceView

if TYPE_CHECKING:
    from crisp_status.core.model import Ledger, Node, Replica, Service, State
    from crisp_status.core.policy import NodePlan, Plan
    from crisp_status.page.history import Sums
    from crisp_status.page.info import PageInfo
    from crisp_status.page.view import HistoryView, Look, MaintenanceView

_EMPTY = bytes(2 * LATENCY_SLOTS)


class _Box:
    """A replica and how it was when its view was made."""

    __slots__ = ("health", "replica", "seen_at", "since", "view")

    def __init__(self, replica: Replica, view: ReplicaView) -> None:
        self.replica, self.view = replica, view
        self.seen_at, self.since, self.health = replica.seen_at, replica.since, replica.health


class _Row:
    """A node and how it was when its view was made."""

    __slots__ = (
        "boxes", "label", "name", "names", "node", "numbered", "past", "plan", "position", "sums", "view", "was",
    )  # fmt: skip

    def __init__(self, plan: NodePlan, label: str, position: int) -> None:
        self.plan, self.label, self.position = plan, label, position
        self.name = clean(plan.name) or plan.id
        self.names = {r.id: clean(r.name) for r in plan.replicas if r.name and not is_private(r.name)}
        self.node: Node | None = None
        self.numbered = 0
        self.boxes: list[_Box] = []
        self.past: Past | None = None
        self.sums: Sums | None = None
        self.was: tuple[object, ...] = ()
        self.view: NodeView | None = None


class ViewCache:
    """What is kept from one view to the next. One for one state, used by one task."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.rows: dict[str, _Row] = {}
        self.services: dict[str, ServiceView] = {}
        self.sums: dict[str, tuple[float, Sums]] = {}
        self.names = Names({}, {})
        self.past: Past | None = None
        self.shortest = 0.0
        self.incidents = Incidents()

    def follow(self, plan: Plan) -> None:
        """Take over a new plan; nothing of the old one is reused but what was observed."""
        self.plan = plan
        nodes = [n for s in plan.services for n in s.nodes]
        services = {s.id: clean(s.name) or s.id for s in plan.services}
        names = {n.key: clean(n.name) or n.id for n in nodes}
        times = Counter(names.values())
        labels = {
            n.key: f"{services[n.service]} {names[n.key]}" if times[names[n.key]] > 1 else names[n.key] for n in nodes
        }
        self.names = Names(services, labels)
        self.rows = {
            n.key: _Row(n, labels[n.key], place) for s in plan.services for place, n in enumerate(s.nodes, 1)
        }
        self.services, self.sums = {}, {}
        self.shortest = min((n.interval for n in nodes if n.interval > 0), default=0.0)


def build(state: State, info: PageInfo, now: float, cache: ViewCache | None = None) -> PageView:
    """What the world may know of `state` at `now`. With a `cache`, unchanged parts are those of the last view."""
    cache = cache or ViewCache()
    if cache.plan is not state.plan:
        cache.follow(state.plan)
    if cache.past is None or cache.past.mark != mark(state):
        cache.past = Past(state, now)
        cache.sums = {}
    coming = maintenances(state, now, cache.names)
    until = _ends(coming)
    counts: dict[Look, int] = dict.fromkeys(("ok", "sick", "dead", "work", "pend"), 0)
    nodes: dict[str, NodeView] = {}
    checked_at = 0.0
    for key, row in cache.rows.items():
        node = state.nodes.get(key)
        if node is None:
            continue
        view, seen_at = _node(state, node, row, cache.past, until, now)
        nodes[key] = view
        counts[view.look] += 1
        checked_at = max(checked_at, seen_at)
    incidents, going = cache.incidents.views(state, cache.names)
    past = cache.past
    page = _history(cache, "", state.ledger, parent_counts_as(state, state), now)
    return PageView(
        info=info,
        at=now,
        health=state.health,
        look=_look(state.health, counts["work"]),
        since=state.since,
        dead_since=state.dead_since,
        offline_since=state.offline_since,
        checked_at=checked_at,
        next_at=checked_at + cache.shortest if checked_at and cache.shortest else 0.0,
        history=page,
        days=past.days,
        months=_months(past.days[-1], state),
        services=_services(state, cache, nodes, now),
        nodes=nodes,
        counts=counts,
        incidents=incidents,
        open=going,
        announcements=announcements(state, now),
        maintenances=coming,
    )


def _look(health: Health, working: int) -> Look:
    return "work" if working and health < Health.SICK else LOOKS[health]


def _ends(coming: tuple[MaintenanceView, ...]) -> dict[str, float]:
    """By service or node: until when announced work goes on there."""
    ends: dict[str, float] = {}
    for work in coming:
        if work.running:
            for key in work.keys:
                ends[key] = max(ends.get(key, 0.0), work.ends_at)
    return ends


def _node(
    state: State, node: Node, row: _Row, past: Past, until: dict[str, float], now: float
) -> tuple[NodeView, float]:
    boxes, changed, latest = row.boxes, False, 0.0
    if row.node is not node or row.numbered != node.next_number or len(boxes) != len(node.replicas):
        row.node, row.numbered = node, node.next_number
        row.boxes = boxes = []
        for replica in sorted(node.replicas.values(), key=lambda r: r.number):
            boxes.append(_Box(replica, _replica(replica, row)))
            latest = max(latest, replica.seen_at)
        changed = True
    else:
        for box in boxes:
            replica = box.replica
            seen_at = replica.seen_at
            latest = max(latest, seen_at)
            if seen_at != box.seen_at or replica.since != box.since or replica.health is not box.health:
                box.seen_at, box.since, box.health = seen_at, replica.since, replica.health
                view = _replica(replica, row)
                if view != box.view:
                    box.view = view
                    changed = True
    if row.past is not past or row.sums is None:
        row.past, row.sums = past, past.of(node.key, node.ledger.born)
    history = until_now(row.sums, node.ledger, node_counts_as(state, node), now)
    old = row.view
    ends = 0.0
    if node.maintenance:
        ends = max(until.get(node.key, 0.0), until.get(row.plan.service, 0.0))
    today = past.days[-1] if node.health >= Health.SICK else ""
    was = (node.health, node.since, node.maintenance, node.unstable, ends, node.latency_at, today)
    same = old is not None and (history is old.history or history == old.history)
    if old is not None and same and not changed and was == row.was:
        return old, latest
    if old is not None and same:
        history = old.history
    row.was = was
    row.view = _view(node, row, history, ends)
    return row.view, latest


def _view(node: Node, row: _Row, history: HistoryView, until: float) -> NodeView:
    plan = row.plan
    latency, ends_at = _latency(node)
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
        latency=latency,
        latency_until=ends_at,
        link_url=plan.link_url,
        link_label=clean(plan.link_label),
    )


def _interval(node: Node, plan: NodePlan) -> float:
    """How often it is looked at, or says that it reports; 0: it never said."""
    if plan.mode in ("poll", "script") or plan.heartbeat:
        return plan.interval
    said = max((r.interval for r in node.replicas.values()), default=0.0)
    return said or (plan.interval if plan.mode == "local" else 0.0)


def _replica(replica: Replica, row: _Row) -> ReplicaView:
    name = ""
    if row.plan.reveal_replicas:
        name = row.names.get(replica.id) or public_host(replica.id)
    code = replica.reason.code
    return ReplicaView(
        replica.number,
        replica.health,
        replica.since,
        clean(code, MAX_LINE),
        public_value(code, replica.reason.value) if code != "ok" else "",
        name,
        replica.seen_at // 60.0 * 60.0,
        replica.latency_ms,
        round(replica.cpu, 2),
        round(replica.ram, 2),
    )


def _latency(node: Node) -> tuple[tuple[int, ...], float]:
    """The last day from the ring, oldest first; the last one is still being filled."""
    if not node.latency_at or (node.latency == _EMPTY and not node.latency_n):
        return (), 0.0
    ring = unpack(f"<{LATENCY_SLOTS}H", node.latency)
    cut = (node.latency_at + 1) % LATENCY_SLOTS
    means = [*ring[cut:], *ring[:cut]]
    if node.latency_n:
        means[-1] = max(1, node.latency_sum // node.latency_n)
    return tuple(means), (node.latency_at + 1.0) * LATENCY_SLOT_SECONDS


def _history(cache: ViewCache, key: str, ledger: Ledger, counts_as: str | None, now: float) -> HistoryView:
    known = cache.sums.get(key)
    if known is None or known[0] != ledger.born:
        assert cache.past is not None
        known = cache.sums[key] = ledger.born, cache.past.of(key, ledger.born)
    return until_now(known[1], ledger, counts_as, now)


def _services(state: State, cache: ViewCache, nodes: dict[str, NodeView], now: float) -> tuple[ServiceView, ...]:
    assert cache.plan is not None
    views = []
    for position, plan in enumerate(cache.plan.services, 1):
        service = state.services.get(plan.id)
        if service is None:
            continue
        history = _history(cache, plan.id, service.ledger, parent_counts_as(state, service), now)
        rows = tuple([nodes[n.key] for n in plan.nodes if n.key in nodes])
        view = ServiceView(
            plan.id, cache.names.services[plan.id], position, service.health, _service_look(service), service.since,
            history, rows,
        )  # fmt: skip
        old = cache.services.get(plan.id)
        if old is not None and old == view:
            view = old
        cache.services[plan.id] = view
        views.append(view)
    return tuple(views)


def _service_look(service: Service) -> Look:
    return _look(service.health, service.counts[4])


def _months(today: str, state: State) -> tuple[str, ...]:
    """Months that are kept: since the page was born, at most `history_days` back."""
    born = day_of(state.ledger.born or state.at, state.plan.timezone)
    horizon = (date.fromisoformat(today) - timedelta(days=state.plan.history_days - 1)).isoformat()
    oldest = max(min([born, *(p.key for p in state.days[:1])]), horizon)[:7]
    months = []
    year, month = int(today[:4]), int(today[5:7])
    while f"{year:04}-{month:02}" >= oldest:
        months.append(f"{year:04}-{month:02}")
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return tuple(months) or (today[:7],)
