"""What dialects may see of the world: the plan, the replicas that exist, the tokens, the list for agents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from crisp_status.core.model import Replica, State
from crisp_status.core.policy import NodePlan, Plan

EVERYTHING: Final = ""
"""The scope of the page's own `reporter_token`."""


def digest(token: str) -> bytes:
    """What tokens are found by, so that the time of a look-up says nothing about how much of a guess was right."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Tokens:
    """Who may report what: (token, scope) pairs, a scope being "" for all, a service, or `service/node`.

    They are found by their digest: what the time of a look-up tells is of no use without knowing the token already.
    An empty token opens nothing.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._scopes: dict[bytes, frozenset[str]] = {}
        for token, scope in pairs:
            if token:
                key = digest(token)
                self._scopes[key] = self._scopes.get(key, frozenset()) | {scope}

    def scopes(self, token: str) -> frozenset[str]:
        """What this token may touch; empty: the token is unknown."""
        return self._scopes.get(digest(token), frozenset())


class HeartbeatTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replica that an agent looks at: its id here, and its address with whatever secrets that has."""

    id: str
    address: str
    """Of a script its text."""
    kind: str = ""
    """Probe kind."""
    limits: dict[str, float] = {}
    """Its own values in place of the node's, by their names there."""
    options: dict[str, Any] | None = None
    """Its own in place of the node's, as they stand there."""


class LocalNode(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node on a private network, as an agent needs it. Seconds."""

    service: str
    id: str
    targets: tuple[HeartbeatTarget, ...] = ()
    agent: str = ""
    """Which agent looks; "" any."""
    interval: float = 120.0
    retry: int = 2
    retry_wait: float = 0.5
    delay_dead: float = 10.0
    delay_sick: float = 5.0
    expect_dead: bool = False
    options: dict[str, dict[str, Any]] = {}
    """By probe kind, as in the configuration; secrets in the clear, as the probe needs them."""


class LocalMap(msgspec.Struct, frozen=True):
    """All of them, with the thresholds that the published agent gets for its whole list."""

    nodes: tuple[LocalNode, ...] = ()
    retry: int = 2
    delay_dead: float = 10.0
    delay_sick: float = 5.0


class PlaceMap(msgspec.Struct, frozen=True):
    """What one place looks at."""

    nodes: tuple[LocalNode, ...] = ()
    secret: frozenset[str] = frozenset()
    """Keys of those that hold header values, bodies or passwords."""
    silent_after: float = 60.0


class ReportScope:
    """Looks things up for dialects. One is made for each plan; `state` is what is known now."""

    def __init__(
        self,
        plan: Plan,
        state: State,
        tokens: Tokens,
        heartbeats: Mapping[str, str] | None = None,
        local: LocalMap | None = None,
        places: Mapping[str, str] | None = None,
        seen_from: Mapping[str, PlaceMap] | None = None,
    ) -> None:
        """`heartbeats` has the token of a node by its key (`service/node`), `places` and `seen_from` go by id of place."""
        self.seen_from = seen_from or {}
        self._places = {digest(token): place for place, token in (places or {}).items() if token}
        self.state = state
        self.tokens = tokens
        self.local = local or LocalMap()
        self.admitted: dict[str, frozenset[str]] = {}
        """`Authorization` headers that were right before: an application sends the same one for months."""
        self._nodes = {node.key: node for service in plan.services for node in service.nodes}
        self._beats = {digest(token): key for key, token in (heartbeats or {}).items() if token}
        self._ids = {
            f"{node.service}/{node.id}": {target.address: target.id for target in node.targets}
            for node in self.local.nodes
        }
        self._external = {external_key(key): key for key in heartbeats or {}}

    def node(self, service: str, node: str) -> NodePlan | None:
        """The plan of a node."""
        return self._nodes.get(f"{service}/{node}")

    def heartbeat(self, token: str) -> NodePlan | None:
        """The node whose heartbeat token this is."""
        key = self._beats.get(digest(token)) if token else None
        return self._nodes.get(key) if key is not None else None

    def place(self, token: str) -> str | None:
        """The place whose token this is."""
        return self._places.get(digest(token)) if token else None

    def external(self, key: str) -> NodePlan | None:
        """The heartbeat node of this key in the form that Gatus makes of group and name (PROTOCOLS section 8.3)."""
        found = self._external.get(key.lower())
        return self._nodes.get(found) if found is not None else None

    def replica(self, node: NodePlan, replica: str) -> Replica | None:
        """A replica that exists now."""
        known = self.state.nodes.get(node.key)
        return known.replicas.get(replica) if known is not None else None

    def replicas(self, node: NodePlan) -> int:
        """How many there are."""
        known = self.state.nodes.get(node.key)
        return len(known.replicas) if known is not None else 0

    def replica_id(self, node: NodePlan, given: str) -> str:
        """Our id for what an agent calls a replica: it may use the address from its list, which may hold a password."""
        return self._ids.get(node.key, {}).get(given, given)


_EXTERNAL: Final = str.maketrans(dict.fromkeys("/_.,# +&", "-"))


def external_key(node_key: str) -> str:
    """`service/node` as Gatus would name it: group, underscore, name, with a dash for what it replaces."""
    group, _, name = node_key.partition("/")
    return "_".join(part.strip().lower().translate(_EXTERNAL) for part in (group, name))
