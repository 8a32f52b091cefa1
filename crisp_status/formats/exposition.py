"""Numbers for Prometheus: those of the page, and those that the loops count.

The client library is an extra (`metrics`); without it there are no metrics, and everything else works.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.core import Metric

    from crisp_status.view.page_view import NodeView, PageView

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

HEALTHS: Final = ("pending", "healthy", "sick", "dead")


@dataclass(slots=True)
class Counters:
    """What the loops count, each in its own field. One value a daemon; plain increments on the event loop."""

    looks: int = 0
    """Finished looks at replicas."""
    looks_failed: int = 0
    """Of these, those that said dead."""
    looks_unknown: int = 0
    """Looks that an error of ours prevented."""
    looks_running: int = 0
    """In flight now."""
    late_ms_total: int = 0
    """How much later than due looks began, added up."""
    late_ms_max: int = 0
    """The worst of the last minute or so."""
    reports: int = 0
    """Reports accepted."""
    reports_refused: int = 0
    wrong_tokens: int = 0
    """Wrong tokens that came with reports or to the manager's doors."""
    events: int = 0
    """Events that the engine took."""
    queue: int = 0
    """Events waiting for the engine now."""
    journal_syncs: int = 0
    snapshots: int = 0
    deliveries: int = 0
    """Messages that a receiver said yes to."""
    deliveries_failed: int = 0
    """Attempts that failed."""
    renders: int = 0
    """Documents made."""
    render_ms_total: int = 0
    requests: int = 0
    """Requests answered, of every kind."""
    requests_fast: int = 0
    """Of these, those answered from ready bytes without the HTTP library."""
    connections: int = 0
    """Open now."""
    connections_refused: int = 0
    """Closed because too many were open."""
    handshakes: int = 0
    """Of TLS, finished."""
    handshakes_failed: int = 0
    """Of TLS: refused, broken off or too slow."""
    orders: int = 0
    """Certificates asked for at authorities."""
    orders_failed: int = 0
    uploads: int = 0
    """Objects put into object storage."""
    uploads_failed: int = 0
    """Changes that could not be put there, and are tried again."""
    certificates: dict[str, float] = field(default_factory=dict)
    """By domain, when the one that is shown ends; epoch seconds."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not delivered, from the state; no part of the public view."""

    waiting: int = 0
    failing: int = 0
    """Of these, tried at least once."""
    refused: int = 0
    """Of these, refused by the receiver at the last attempt."""
    gave_up: int = 0
    """Ever."""
    oldest_seconds: float = 0.0
    """Age of the oldest."""


@dataclass(frozen=True, slots=True)
class PlaceFigures:
    """One place that replicas are seen from, from the state; no part of the public view."""

    id: str
    heard: bool
    votes: tuple[int, int, int, int]
    """Replicas by what it sees; the first is those of which it says nothing."""
    latency_ms: float | None
    """Mean of its last answers; None: there were none."""


@dataclass(frozen=True, slots=True)
class SubscriberFigures:
    """Visitors who are told, from the state."""

    kinds: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    """Who asked and has not confirmed."""
    bulletins: int = 0
    """Under way."""
    sent: int = 0
    failed: int = 0


class NoMetricsError(Exception):
    """The client library is not installed."""

    def __init__(self) -> None:
        super().__init__("metrics need the Prometheus client library: pip install 'crisp-status[metrics]'")


def exposition(
    view: PageView | None,
    counters: Counters,
    backlog: Backlog,
    places: Sequence[PlaceFigures] = (),
    subscribers: SubscriberFigures | None = None,
) -> bytes:
    """Everything in Prometheus' text format. Raises NoMetricsError."""
    try:
        from prometheus_client import generate_latest
        from prometheus_client.registry import Collector, CollectorRegistry
    except ImportError:
        raise NoMetricsError from None

    class Once(Collector):
        def collect(self) -> Iterator[Metric]:
            if view is not None:
                yield from _of_page(view)
            yield from _of_loops(counters, backlog)
            yield from _of_places(places)
            yield from _of_subscribers(subscribers or SubscriberFigures())

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    return generate_latest(registry)


def _of_page(view: PageView) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily as Gauge

    page = Gauge("crisp_status_page_health", "Health of the page: 0 pending, 1 healthy, 2 sick, 3 dead.")
    page.add_metric([], view.health)
    yield page
    offline = Gauge("crisp_status_offline", "1 while our own network is lost and every health is held.")
    offline.add_metric([], 1 if view.offline_since else 0)
    yield offline
    incidents = Gauge("crisp_status_open_incidents", "Incidents that go on.")
    incidents.add_metric([], len(view.open))
    yield incidents
    service = Gauge("crisp_status_service_health", "Health of a service.", labels=["service"])
    for group in view.services:
        service.add_metric([group.id], group.health)
    yield service
    labels = ["service", "node"]
    health = Gauge("crisp_status_node_health", "Health of a node.", labels=labels)
    work = Gauge("crisp_status_node_maintenance", "1 during announced work.", labels=labels)
    uptime = Gauge("crisp_status_node_uptime_ratio", "Uptime over the days that are kept.", labels=labels)
    latency = Gauge("crisp_status_node_latency_seconds", "Mean latency of the last answers.", labels=labels)
    count = Gauge("crisp_status_node_replicas", "Replicas of a node by health.", labels=[*labels, "health"])
    for node in view.nodes.values():
        name = [node.service, node.id]
        health.add_metric(name, node.health)
        work.add_metric(name, 1 if node.look == "work" else 0)
        if node.history.uptime is not None:
            uptime.add_metric(name, node.history.uptime / 100)
        seconds = _latency(node)
        if seconds is not None:
            latency.add_metric(name, seconds)
        for word, number in zip(HEALTHS, node.counts, strict=True):
            count.add_metric([*name, word], number)
    yield from (health, work, uptime, latency, count)


def _of_places(places: Sequence[PlaceFigures]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily as Gauge

    heard = Gauge("crisp_status_place_heard", "1 while a place is heard, 0 when it is silent.", labels=["place"])
    votes = Gauge("crisp_status_place_votes", "Replicas by what a place sees.", labels=["place", "health"])
    latency = Gauge("crisp_status_place_latency_seconds", "Mean latency of its last answers.", labels=["place"])
    for place in places:
        heard.add_metric([place.id], place.heard)
        for word, number in zip(HEALTHS, place.votes, strict=True):
            votes.add_metric([place.id, word], number)
        if place.latency_ms is not None:
            latency.add_metric([place.id], place.latency_ms / 1000)
    yield from (heard, votes, latency)


def _of_subscribers(figures: SubscriberFigures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    known = GaugeMetricFamily("crisp_status_subscribers", "Subscribers by kind.", labels=["kind"])
    for kind, count in figures.kinds.items():
        known.add_metric([kind], count)
    yield known
    for name, help, value in (
        ("pending", "Visitors who asked to be told and have not confirmed.", figures.pending),
        ("bulletins", "What subscribers are being told now.", figures.bulletins),
    ):
        gauge = GaugeMetricFamily(f"crisp_status_subscribers_{name}", help)
        gauge.add_metric([], value)
        yield gauge
    for name, help, value in (
        ("messages", "Messages to subscribers that were taken.", figures.sent),
        ("messages_failed", "Attempts to tell a subscriber that failed.", figures.failed),
    ):
        total = CounterMetricFamily(f"crisp_status_subscribers_{name}", help)
        total.add_metric([], value)
        yield total


def _latency(node: NodeView) -> float | None:
    answers = [r.latency_ms for r in node.replicas if r.latency_ms >= 0]
    return sum(answers) / len(answers) / 1000 if answers else None


def _of_loops(c: Counters, backlog: Backlog) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    totals = (
        ("looks", "Finished looks at replicas.", c.looks),
        ("looks_failed", "Looks that said dead.", c.looks_failed),
        ("looks_unknown", "Looks that an error of ours prevented.", c.looks_unknown),
        ("lateness_seconds", "How much later than due looks began, added up.", c.late_ms_total / 1000),
        ("reports", "Reports accepted.", c.reports),
        ("reports_refused", "Reports refused.", c.reports_refused),
        ("wrong_tokens", "Wrong tokens, of reporters and managers.", c.wrong_tokens),
        ("events", "Events that the engine took.", c.events),
        ("journal_syncs", "Writes of the journal to disk.", c.journal_syncs),
        ("snapshots", "Snapshots written.", c.snapshots),
        ("deliveries", "Messages that a receiver said yes to.", c.deliveries),
        ("deliveries_failed", "Attempts to deliver that failed.", c.deliveries_failed),
        ("deliveries_given_up", "Messages given up.", backlog.gave_up),
        ("uploads", "Objects put into object storage.", c.uploads),
        ("uploads_failed", "Changes that could not be put there.", c.uploads_failed),
        ("renders", "Documents made.", c.renders),
        ("render_seconds", "Time spent making documents.", c.render_ms_total / 1000),
        ("requests", "HTTP requests answered.", c.requests),
        ("requests_fast", "Of these, from ready bytes alone.", c.requests_fast),
        ("connections_refused", "Connections closed because too many were open.", c.connections_refused),
        ("tls_handshakes", "TLS handshakes finished.", c.handshakes),
        ("tls_handshakes_failed", "TLS handshakes refused, broken off or too slow.", c.handshakes_failed),
        ("certificate_orders", "Certificates asked for at authorities.", c.orders),
        ("certificate_orders_failed", "Of these, in vain.", c.orders_failed),
    )
    for name, words, value in totals:
        total = CounterMetricFamily(f"crisp_status_{name}", words)
        total.add_metric([], value)
        yield total
    levels = (
        ("looks_running", "Looks in flight.", c.looks_running),
        ("lateness_max_seconds", "The latest look of the last minute or so.", c.late_ms_max / 1000),
        ("queue", "Events waiting for the engine.", c.queue),
        ("outbox", "Messages not delivered yet.", backlog.waiting),
        ("outbox_failing", "Of these, tried at least once.", backlog.failing),
        ("outbox_refused", "Of these, refused by the receiver.", backlog.refused),
        ("outbox_oldest_seconds", "Age of the oldest of them.", backlog.oldest_seconds),
        ("connections", "HTTP connections open.", c.connections),
    )
    ends = GaugeMetricFamily(
        "crisp_status_certificate_ends_timestamp_seconds", "When the certificate of a domain ends.", labels=["domain"]
    )
    for domain, at in c.certificates.items():
        ends.add_metric([domain], at)
    yield ends
    for name, words, value in levels:
        level = GaugeMetricFamily(f"crisp_status_{name}", words)
        level.add_metric([], value)
        yield level
