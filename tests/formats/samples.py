"""States for every look of the page, built by hand: the twelve nodes of the visual specification, on 22 November 2025."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from crisp_status.core.health import node_slot, service_slot, worst
from crisp_status.core.incident_records import TimelineKind
from crisp_status.core.latency import LONG_SECONDS, LONG_SLOTS, SHORT_SECONDS, SHORT_SLOTS, scaled
from crisp_status.core.model import (
    AffectedNode,
    Announcement,
    Health,
    Incident,
    Ledger,
    Node,
    Period,
    Reason,
    Replica,
    Service,
    State,
    Tally,
    TimelineEntry,
)
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.verdict import ReasonCode
from crisp_status.view.assets import asset
from crisp_status.view.page_info import PageInfo, make_info

NOW = datetime(2025, 11, 22, 14, 40, tzinfo=UTC).timestamp()
TODAY = datetime(2025, 11, 22, tzinfo=UTC).timestamp()
DAY = 86400.0

BAD_DAYS = {
    "data/search": {53: ("sick", 26), 54: ("sick", 9)},
    "api/rt": {28: ("sick", 14), 53: ("sick", 26)},
    "pay/checkout": {75: ("dead", 12)},
    "web/dash": {81: ("sick", 31)},
    "": {28: ("sick", 14), 53: ("sick", 26), 54: ("sick", 9), 75: ("dead", 12), 81: ("sick", 31)},
    "pay": {75: ("dead", 12)},
}

NODES: dict[str, tuple[str, dict[str, tuple[str, str, list[int]]]]] = {
    "web": ("Websites", {
        "landing": ("Landing page", "poll", [41, 38, 44]),
        "help": ("Help centre", "poll", [62, 59]),
        "dash": ("Dashboard", "poll", [88, 91, 84]),
    }),
    "api": ("API", {
        "rest": ("REST API", "poll", [23, 25, 22, 27]),
        "rt": ("Realtime gateway", "push", [31, 28, 35]),
        "hooks": ("Webhooks", "poll", [47, 52]),
    }),
    "pay": ("Payments", {"checkout": ("Checkout", "poll", [71, 69, 75]), "invoice": ("Invoicing", "poll", [112])}),
    "mail": ("E-mail", {"in": ("Incoming mail", "poll", [18, 19]), "out": ("Outgoing mail", "poll", [21, 17, 20])}),
    "data": ("Data", {
        "db": ("Primary database", "local", [2, 2]),
        "search": ("Search", "push", [44, 39, 47]),
    }),
}  # fmt: skip


def at(hour: int, minute: int, day: int = 22, month: int = 11) -> float:
    """A moment of that autumn, in UTC."""
    return datetime(2025, month, day, hour, minute, tzinfo=UTC).timestamp()


LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="128" height="32" viewBox="0 0 128 32" fill="none" stroke="{0}"'
    ' stroke-width="3.4" stroke-linecap="round" stroke-linejoin="round"><path d="M2.5 27 13 5.5 23.5 27"/>'
    '<circle cx="13" cy="22.6" r="3.1" fill="{0}" stroke="none"/><circle cx="44" cy="19" r="7.6"/>'
    '<path d="M51.6 11.4v15.2M74.2 13.6a7.6 7.6 0 1 0 0 10.8M82 26.6V11.4M82 18a5.6 5.6 0 0 1 11.2 0v8.6M93.2 18a5.6 5.6'
    ' 0 0 1 11.2 0v8.6M110.4 18.6h14.8a7.4 7.4 0 1 0-2.6 5.8"/></svg>'
)
WAVES = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 96 96" fill="none" stroke="{}"'
    ' stroke-opacity=".08" stroke-width="2"><path d="M0 16A16 16 0 0 0 16 0M0 32A32 32 0 0 0 32 0M0 48A48 48 0 0 0 48 0'
    "M96 80A16 16 0 0 0 80 96M96 64A32 32 0 0 0 64 96M96 48A48 48 0 0 0 48 96M0 64A64 64 0 0 0 27.7 58.1M64 0A64 64 0 0 1"
    ' 58.1 27.7M96 32A64 64 0 0 0 68.3 37.9M32 96A64 64 0 0 1 37.9 68.3"/></svg>'
)


def acme(color: str = "#2f4fe0", **more: object) -> PageInfo:
    """The page of Acme, with logos and pattern."""
    values: dict[str, object] = {
        "name": "Acme Status",
        "url": "https://status.acme.example/",
        "company": "Acme",
        "website_url": "https://acme.example/",
        "support_url": "https://acme.example/support",
        "description": "Is Acme working?",
        "header_logo": asset("logo-light", LOGO.format("#fff").encode()),
        "footer_logo": asset("logo-dark", LOGO.format("#141822").encode()),
        "pattern": asset("pattern", WAVES.format("#fff").encode()),
    }
    return make_info(color=color, **(values | more))  # type: ignore[arg-type]


@cache
def answers(usual: int, slots: int, salt: int) -> bytes:
    """Response times of a replica that usually answers in `usual` milliseconds."""
    made = bytearray()
    for slot in range(slots):
        median = usual * (100 + (slot * slot * 7 + salt * 11) % 31 + slot % 7) // 100
        made += bytes((scaled(median), scaled(median * (150 + (slot * slot * 5 + salt) % 40) // 100)))
    return bytes(made)


class Sample:
    """A state that is changed by name, then settled."""

    def __init__(self, *services: str, days: int = 89) -> None:
        chosen = services or tuple(NODES)
        self.plans: dict[str, list[NodePlan]] = {}
        self.names = {s: NODES[s][0] for s in chosen}
        self.state = State(at=NOW, alive_at=NOW, since=TODAY - 20 * DAY, day_ends_at=TODAY + DAY)
        born = TODAY - days * DAY
        self.state.ledger = Ledger(born, NOW, Tally(healthy=NOW - TODAY))
        for service in chosen:
            for node, (name, mode, figures) in NODES[service][1].items():
                self.add(service, node, name, mode, figures, born=born)
        self._fill_days(days)

    def add(
        self, service: str, node: str, name: str, mode: str, figures: list[int], *, born: float, **more: object
    ) -> NodePlan:
        """One more node, healthy; figures are milliseconds, or per cents of processor for a push node."""
        addresses = tuple(ReplicaPlan(f"https://10.0.0.{i}/{node}") for i in range(1, len(figures) + 1))
        plan = NodePlan(service, node, name, mode, addresses if mode != "push" else (), **more)  # type: ignore[arg-type]
        self.plans.setdefault(service, []).append(plan)
        made = Node(plan.key, Ledger(born, NOW, Tally(healthy=NOW - TODAY)), since=born)
        for number, figure in enumerate(figures, 1):
            replica = Replica(
                f"r{number}", number, Health.HEALTHY, born, seen_at=NOW - 7, interval=30 if mode == "push" else 60
            )
            if mode == "push":
                replica.cpu, replica.ram = figure / 100, 0.5
            else:
                replica.latency_ms = figure
            made.replicas[f"r{number}"] = replica
        if mode != "push":
            made.short_slot = int(NOW // SHORT_SECONDS) - 1
            made.long_slot = int(NOW // LONG_SECONDS) - 1
            for place, replica in enumerate(made.replicas.values()):
                replica.short = answers(figures[place], SHORT_SLOTS, len(name))
                replica.long = answers(figures[place], LONG_SLOTS, len(name))
        self.state.nodes[plan.key] = made
        return plan

    def _fill_days(self, days: int) -> None:
        for index in range(89 - days, 89):
            day = datetime.fromtimestamp(TODAY, UTC) - timedelta(days=89 - index)
            others: dict[str, Tally | None] = {}
            for key, bad in BAD_DAYS.items():
                if index in bad and (key == "" or key in self.state.nodes or key in self.names):
                    what, minutes = bad[index]
                    tally = Tally(healthy=DAY - minutes * 60)
                    setattr(tally, what, minutes * 60.0)
                    others[key] = tally
            self.state.days.append(Period(f"{day:%Y-%m-%d}", day.timestamp() + DAY, Tally(healthy=DAY), others))

    def hurt(
        self, key: str, numbers: list[int], health: Health, since: float, reason: Reason, **figures: float
    ) -> None:
        """Make replicas sick or dead."""
        node = self.state.nodes[key]
        for number in numbers:
            replica = node.replicas[f"r{number}"]
            replica.health, replica.since, replica.reason = health, since, reason
            replica.latency_ms = int(figures.get("latency_ms", -1))
            replica.cpu = figures.get("cpu", replica.cpu)
        node.since = min(since, node.since) if node.since > TODAY else since
        word = health.word
        for ledger in (node.ledger, self.state.ledger):
            ledger.day = Tally(healthy=since - TODAY, **{word: NOW - since})

    def settle(self) -> State:
        """Count everything up the tree; the state."""
        state = self.state
        state.plan = Plan(services=tuple(ServicePlan(s, self.names[s], tuple(n)) for s, n in self.plans.items()))
        state.counts = [0, 0, 0, 0, 0]
        for service in self.plans:
            nodes = [n for n in state.nodes.values() if n.key.startswith(service + "/")]
            known = state.services.get(service)
            ledger = known.ledger if known else Ledger(state.ledger.born, NOW, Tally(healthy=NOW - TODAY))
            made = state.services[service] = Service(service, ledger)
            for node in nodes:
                node.next_number = len(node.replicas) + 1
                node.counts = [sum(r.health == h for r in node.replicas.values()) for h in Health]
                node.health = worst(node.counts)
                made.counts[node_slot(node)] += 1
                if node.health.bad and not node.maintenance:
                    made.ledger.day = node.ledger.day
            made.health = worst(made.counts)
            state.counts[service_slot(made)] += 1
        state.health = worst(state.counts)
        state.dead_since = state.since if state.health is Health.DEAD else 0.0
        return state


NO_ANSWER = Reason(ReasonCode.NO_ANSWER, "no answer within 10 s from 10.0.0.1:443")


def healthy() -> State:
    """Everything is working."""
    sample = Sample()
    _past_incidents(sample.state)
    return sample.settle()


def sick() -> State:
    """Search has an overloaded replica."""
    sample = Sample()
    sample.hurt("data/search", [2], Health.SICK, at(14, 22), Reason(ReasonCode.CPU, "cpu 0.97", "0.9"), cpu=0.97)
    sample.state.open[9] = Incident(
        9, at(14, 22), at(14, 22), nodes={"data/search": AffectedNode(at(14, 22), Health.SICK, bad=1)}, bad=1,
        timeline=[TimelineEntry(at(14, 22), TimelineKind.SICK, "data/search", [2], reason=Reason(ReasonCode.CPU))],
    )  # fmt: skip
    return sample.settle()


def dead() -> State:
    """Checkout and Invoicing are down, REST API has a slow replica; the team knows."""
    sample = Sample()
    sample.hurt("pay/checkout", [1], Health.DEAD, at(14, 2), NO_ANSWER)
    sample.hurt("pay/checkout", [2, 3], Health.DEAD, at(14, 4), NO_ANSWER)
    sample.hurt(
        "pay/invoice", [1], Health.DEAD, at(14, 2), Reason(ReasonCode.REFUSED, "connection refused by 10.0.0.1:443")
    )
    sample.hurt("api/rest", [4], Health.SICK, at(14, 11), Reason(ReasonCode.SLOW, "1.9 s", "1"), latency_ms=1900)
    sample.state.nodes["pay/checkout"].since = at(14, 2)
    sample.state.nodes["pay/checkout"].ledger.day = Tally(healthy=at(14, 2) - TODAY, dead=NOW - at(14, 2))
    sample.state.ledger.day = Tally(healthy=at(14, 2) - TODAY, dead=NOW - at(14, 2))
    sample.state.open[9] = Incident(
        9, at(14, 2), at(14, 3), worst=Health.DEAD, bad=5, alerted_at=at(14, 4), acknowledged_at=at(14, 9),
        nodes={
            "pay/checkout": AffectedNode(at(14, 2), Health.DEAD, bad=3, dead_at=at(14, 2)),
            "pay/invoice": AffectedNode(at(14, 2), Health.DEAD, bad=1, dead_at=at(14, 2)),
            "api/rest": AffectedNode(at(14, 11), Health.SICK, bad=1),
        },
        timeline=[
            TimelineEntry(at(14, 2), TimelineKind.DEAD, "pay/checkout", [1], reason=NO_ANSWER),
            TimelineEntry(at(14, 2), TimelineKind.DEAD, "pay/invoice", [1], reason=Reason(ReasonCode.REFUSED)),
            TimelineEntry(at(14, 4), TimelineKind.DEAD, "pay/checkout", [2, 3], reason=NO_ANSWER),
            TimelineEntry(at(14, 4), TimelineKind.ALERTED),
            TimelineEntry(at(14, 9), TimelineKind.ACKNOWLEDGED, text="jane@acme.example"),
            TimelineEntry(at(14, 11), TimelineKind.SICK, "api/rest", [4], reason=Reason(ReasonCode.SLOW)),
            TimelineEntry(at(14, 20), TimelineKind.NOTE, text="We **restarted** the payment workers and watch them closely."),
        ],
    )  # fmt: skip
    sample.state.announcements["a1"] = Announcement(
        "a1", "Card payments are failing, please wait before you retry",
        "A network fault at our payment partner blocks new card payments. You will not be charged twice. We expect to be"
        " back before 16:00 UTC and will update this note by 15:00 UTC. More at [our blog](https://acme.example/blog).",
        at(14, 18), at(14, 18), at(18, 0),
    )  # fmt: skip
    _past_incidents(sample.state)
    return sample.settle()


def partly() -> State:
    """One of three replicas is dead."""
    sample = Sample()
    sample.hurt("web/landing", [2], Health.DEAD, at(14, 26), NO_ANSWER)
    return sample.settle()


def pending() -> State:
    """A new page: nothing was looked at."""
    sample = Sample("web", "api", days=0)
    sample.state.days.clear()
    for node in sample.state.nodes.values():
        node.ledger = Ledger(at(14, 39), at(14, 39))
        node.short_slot = node.long_slot = 0
        for replica in node.replicas.values():
            replica.short = replica.long = b""
            replica.health, replica.seen_at, replica.latency_ms, replica.cpu = Health.PENDING, 0.0, -1, -1.0
    sample.state.ledger = Ledger(at(14, 39), at(14, 39))
    for service in sample.names:
        sample.state.services[service] = Service(service, Ledger(at(14, 39), at(14, 39)))
    return sample.settle()


def maintenance() -> State:
    """The database is worked on, as announced; more is planned."""
    sample = Sample()
    node = sample.state.nodes["data/db"]
    node.maintenance = True
    node.ledger.day = Tally(healthy=at(14, 0) - TODAY, maintenance=NOW - at(14, 0))
    sample.state.windows = ["m1"]
    sample.state.announcements["m1"] = Announcement(
        "m1", "Database upgrade",
        "We are moving the primary database to new hardware. Dashboards may be read-only for a few minutes at a time."
        " No data is lost.",
        at(9, 0), at(14, 0), at(15, 30), ["data/db"],
    )  # fmt: skip
    sample.state.announcements["m2"] = Announcement(
        "m2", "Search index rebuild", "Search results may be up to one hour old while the index is rebuilt.",
        at(9, 0), at(2, 0, 26), at(4, 0, 26), ["data/search"],
    )  # fmt: skip
    return sample.settle()


def offline() -> State:
    """Our own network is lost."""
    sample = Sample()
    sample.state.offline_since = at(14, 31)
    return sample.settle()


def empty() -> State:
    """No services at all."""
    state = State(at=NOW, alive_at=NOW, day_ends_at=TODAY + DAY)
    state.ledger = Ledger(TODAY, NOW)
    return state


REGIONS = (
    "Frankfurt", "Paris", "London", "Dublin", "New York", "San Francisco", "São Paulo", "Singapore", "Tokyo", "Sydney",
)  # fmt: skip
KINDS = (
    "Edge network", "REST API", "Realtime gateway", "Object storage", "Databases", "Search", "E-mail relays",
    "Background jobs", "Payments", "Observability",
)  # fmt: skip


def many(services: int, nodes: int, replicas: int = 3) -> Sample:
    """Services with nodes of equal names in each."""
    sample = Sample("web")
    sample.plans.clear()
    sample.names.clear()
    sample.state.nodes.clear()
    for i in range(services):
        sample.names[f"v{i}"] = KINDS[i % 10] if i < 10 else f"{KINDS[i % 10]} {i // 10 + 1}"
        for j in range(nodes):
            name = REGIONS[j % 10] if j < 10 else f"{REGIONS[j % 10]} {j // 10 + 1}"
            figures = [20 + (i * 31 + j * 17 + k * 7) % 83 for k in range(replicas)]
            sample.add(f"v{i}", f"n{j}", name, "poll", figures, born=TODAY - 89 * DAY)
    return sample


def thirty() -> State:
    """30 nodes with 3 replicas each, healthy: the page that must fit one congestion window."""
    return many(10, 3).settle()


def large() -> State:
    """100 nodes with 3 replicas each; one is partly down, two are slow, one waits."""
    return _trouble(many(10, 10)).settle()


def thousand() -> State:
    """1,000 nodes."""
    return _trouble(many(40, 25)).settle()


def _trouble(sample: Sample) -> Sample:
    sample.hurt("v3/n7", [2], Health.DEAD, at(14, 26), NO_ANSWER)
    sample.hurt("v5/n4", [1], Health.SICK, at(14, 31), Reason(ReasonCode.SLOW, "", "1"), latency_ms=2400)
    sample.hurt("v8/n2", [3], Health.SICK, at(14, 35), Reason(ReasonCode.SLOW, "", "1"), latency_ms=1600)
    for replica in sample.state.nodes["v9/n9"].replicas.values():
        replica.health, replica.latency_ms, replica.seen_at = Health.PENDING, -1, 0.0
    return sample


def _past_incidents(state: State) -> None:
    def closed(number: int, start: float, end: float, worst: Health, lines: list[TimelineEntry], *keys: str) -> None:
        nodes = {key: AffectedNode(start, worst, end, dead_at=start if worst is Health.DEAD else 0.0) for key in keys}
        told = start + 120 if worst is Health.DEAD else 0.0
        state.closed.append(Incident(number, start, start + 60, end, worst, nodes, timeline=lines, alerted_at=told))

    slow, cpu = Reason(ReasonCode.SLOW, "", "3.1"), Reason(ReasonCode.CPU)
    start, end = at(19, 40, 22, 9), at(19, 54, 22, 9)
    closed(
        3,
        start,
        end,
        Health.SICK,
        [
            TimelineEntry(start, TimelineKind.SICK, "api/rt", [1], reason=cpu),
            TimelineEntry(end, TimelineKind.HEALTHY, "api/rt", [1]),
        ],
        "api/rt",
    )
    start, end = at(8, 2, 17, 10), at(8, 28, 17, 10)
    closed(
        4, start, end, Health.SICK,
        [
            TimelineEntry(start, TimelineKind.SICK, "api/rt", [1], reason=cpu), TimelineEntry(start, TimelineKind.SICK, "data/search", [2], reason=cpu),
            TimelineEntry(end, TimelineKind.HEALTHY, "api/rt", [1]), TimelineEntry(end, TimelineKind.HEALTHY, "data/search", [2]),
        ],
        "api/rt", "data/search",
    )  # fmt: skip
    start, end = at(11, 15, 18, 10), at(11, 24, 18, 10)
    closed(
        5,
        start,
        end,
        Health.SICK,
        [
            TimelineEntry(start, TimelineKind.SICK, "data/search", [3], reason=cpu),
            TimelineEntry(end, TimelineKind.HEALTHY, "data/search", [3]),
        ],
        "data/search",
    )
    start, end = at(3, 20, 8), at(3, 32, 8)
    closed(
        6, start, end, Health.DEAD,
        [
            TimelineEntry(start, TimelineKind.DEAD, "pay/checkout", [1, 2, 3], reason=NO_ANSWER), TimelineEntry(start + 120, TimelineKind.ALERTED),
            TimelineEntry(at(3, 29, 8), TimelineKind.NOTE, text="We restarted the payment workers and watch them closely."),
            TimelineEntry(end, TimelineKind.HEALTHY, "pay/checkout", [1, 2, 3]),
        ],
        "pay/checkout",
    )  # fmt: skip
    start, end = at(10, 12, 14), at(10, 43, 14)
    closed(
        7,
        start,
        end,
        Health.SICK,
        [
            TimelineEntry(start, TimelineKind.SICK, "web/dash", [2], reason=slow),
            TimelineEntry(end, TimelineKind.HEALTHY, "web/dash", [2]),
        ],
        "web/dash",
    )
    state.next_incident = 9


ALL: dict[str, Callable[[], State]] = {
    "healthy": healthy,
    "sick": sick,
    "dead": dead,
    "partly": partly,
    "pending": pending,
    "maintenance": maintenance,
    "offline": offline,
    "empty": empty,
    "thirty": thirty,
    "large": large,
}
