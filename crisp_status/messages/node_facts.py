"""What a notice says of one node, as values that its templates only put into sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crisp_status.core.verdict import Health, ReasonCode


@dataclass(frozen=True)
class ReplicaFacts:
    """One affected replica."""

    number: int
    label: str
    """`Paris (tcp://edge-1.acme.example:443)`, or the address alone."""
    reason: str
    """A sentence for the operator."""


@dataclass(frozen=True)
class NodeFacts:
    """One affected node."""

    name: str
    service: str
    health: Health
    before: Health
    """What the receiver was told of it before."""
    code: ReasonCode
    value: str
    """Its detail, ready to be shown."""
    state: str
    """What is the matter: `Error 503 since 14:02 UTC`."""
    reason: str
    """A sentence for the operator; "" when there is nothing to add to the code."""
    since: str
    """`14:02 UTC`, with the date when that is not today."""
    until: str
    """The same as `since` when it was over within that minute."""
    lasted: str
    """`38 minutes`; "" while it lasts."""
    was_dead: bool
    bad: int
    """Replicas that are affected."""
    total: int
    numbers: str
    """`1, 2 and 3`; "" when there are too many, or only one in all."""
    listed: int
    """How many replicas `numbers` names."""
    replicas: tuple[ReplicaFacts, ...]
    more: int
    """Affected replicas beyond those in `replicas`."""
    tries: int
    """Attempts of a look; 0 where we do not look."""
    seen_from: str
    """`dead from Frankfurt and here, healthy from New York`; "" when it is not seen from several places."""
