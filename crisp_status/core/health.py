"""Worst-of at every level, in constant time: each level counts its children by health.

Laws
- A parent takes the worst of its children; pending counts for nothing, a parent is pending only when all children are.
- A child in maintenance does not count above its node; a parent whose children are all in maintenance is healthy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crisp_status.core.model import Health

if TYPE_CHECKING:
    from crisp_status.core.model import Node, Service

MAINTENANCE: Final = 4
"""Index of the fifth count: children in maintenance."""


def worst(counts: list[int]) -> Health:
    """Worst health among counted children; pending when there are none at all."""
    if counts[Health.DEAD]:
        return Health.DEAD
    if counts[Health.SICK]:
        return Health.SICK
    if counts[Health.HEALTHY]:
        return Health.HEALTHY
    if counts[Health.PENDING]:
        return Health.PENDING
    return Health.HEALTHY if len(counts) > MAINTENANCE and counts[MAINTENANCE] else Health.PENDING


def node_slot(node: Node) -> int:
    """Where the node is counted in its service."""
    return MAINTENANCE if node.maintenance else node.health


def service_slot(service: Service) -> int:
    """Where the service is counted in the page."""
    only_work = service.counts[MAINTENANCE] and not any(service.counts[:MAINTENANCE])
    return MAINTENANCE if only_work else service.health
