"""Numbers for Prometheus: those of the page, and those that the loops count."""

from __future__ import annotations

from dataclasses import dataclass


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
