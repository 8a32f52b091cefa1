"""The scope of a configuration: its tokens, its heartbeats, and its list for agents, with the secrets they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from crisp_status.config import plan as plans
from crisp_status.config.redact import secrets_in
from crisp_status.config.strict import Strict
from crisp_status.reports._scope import EVERYTHING, HeartbeatTarget, LocalMap, LocalNode, PlaceMap, ReportScope, Tokens

if TYPE_CHECKING:
    from crisp_status.config.root import Config
    from crisp_status.core.model import State
    from crisp_status.core.policy import NodePlan, Plan


def scope_of(config: Config, state: State) -> ReportScope:
    """What the dialects may know while this configuration, and the plan in `state` made from it, is in force."""
    beats = {f"{s.id}/{n.id}": n.heartbeat.get_secret_value() for s in config.services for n in s.nodes if n.heartbeat}
    tokens = {place.id: place.token.get_secret_value() for place in config.places}
    local = local_map(config, state.plan)
    return ReportScope(state.plan, state, Tokens(_tokens(config)), beats, local, tokens, _seen_from(config, state.plan))


def _seen_from(config: Config, plan: Plan) -> dict[str, PlaceMap]:
    """What each place looks at."""
    if not config.places:
        return {}
    found: dict[str, list[tuple[str, plans.PlannedTarget]]] = {}
    for (key, replica), target in plans.targets(config, {"poll"}).items():
        found.setdefault(key, []).append((replica, target))
    planned = [node for service in plan.services for node in service.nodes if node.places]
    nodes = {node.key: _local_node(node, found.get(node.key, [])) for node in planned}
    secret = {key for key in nodes if any(secrets_in([t.url], t.options) for _, t in found.get(key, []))}
    return {
        place.id: PlaceMap(
            tuple(nodes[node.key] for node in planned if place.id in node.places),
            frozenset(node.key for node in planned if place.id in node.places and node.key in secret),
            place.silent_after,
        )
        for place in config.places
    }


def _tokens(config: Config) -> Iterator[tuple[str, str]]:
    if config.server.reporter_token:
        yield config.server.reporter_token.get_secret_value(), EVERYTHING
    for service in config.services:
        if service.reporter_token:
            yield service.reporter_token.get_secret_value(), str(service.id)
        for node in service.nodes:
            if node.reporter_token:
                yield node.reporter_token.get_secret_value(), f"{service.id}/{node.id}"


def local_map(config: Config, plan: Plan, modes: frozenset[str] = frozenset({"local"})) -> LocalMap:
    """The nodes of these modes as an agent needs them."""
    found: dict[str, list[tuple[str, plans.PlannedTarget]]] = {}
    for (key, replica), target in plans.targets(config, modes).items():
        found.setdefault(key, []).append((replica, target))
    nodes = [n for s in plan.services for n in s.nodes if n.mode in modes]
    return LocalMap(
        tuple(_local_node(node, found.get(node.key, [])) for node in nodes),
        retry=config.local.retry,
        delay_dead=config.local.delay_dead,
        delay_sick=config.local.delay_sick,
    )


def _local_node(node: NodePlan, targets: list[tuple[str, plans.PlannedTarget]]) -> LocalNode:
    shared = {target.kind: target.options for _, target in reversed(targets)}
    return LocalNode(
        service=node.service,
        id=node.id,
        targets=tuple(
            HeartbeatTarget(
                replica,
                target.url,
                target.kind,
                target.limits,
                None if target.options == shared[target.kind] else revealed(target.options),
            )
            for replica, target in targets
        ),
        agent=node.agent or "",
        interval=node.interval,
        retry=node.retry,
        retry_wait=node.retry_wait,
        delay_dead=node.delay_dead,
        delay_sick=node.delay_sick,
        expect_dead=node.expect_dead,
        options={kind: revealed(options) for kind, options in shared.items()},
    )


def revealed(options: Strict) -> dict[str, Any]:
    """Options as they were written, secrets in the clear: the other side makes the same model of them again."""
    fields = type(options).model_fields
    return {fields[name].alias or name: _plain(getattr(options, name)) for name in sorted(options.model_fields_set)}


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Strict):
        return revealed(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
