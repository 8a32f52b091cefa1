"""From the configuration to the desk of the report dialects: tokens, heartbeats, the list for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from crisp_status.config import plan as planning
from crisp_status.reports import Desk, LocalMap, LocalNode, Target, Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.config.model import Config
    from crisp_status.config.schema import Strict
    from crisp_status.core.model import State
    from crisp_status.core.policy import NodePlan


def desk(config: Config, state: State) -> Desk:
    """The desk for the plan that is in force in `state`."""
    nodes = [(f"{s.id}/{n.id}", n) for s in config.services for n in s.nodes]
    beats = {key: n.heartbeat.get_secret_value() for key, n in nodes if n.heartbeat}
    return Desk(state.plan, state, Tokens(_pairs(config)), beats, _local(config, state))


def _pairs(config: Config) -> Iterator[tuple[str, str]]:
    """(token, scope): a service's token opens its nodes, a node's only itself."""
    scoped = [("", config.server.reporter_token)]
    for service in config.services:
        scoped.append((service.id or "", service.reporter_token))
        scoped += [(f"{service.id}/{node.id}", node.reporter_token) for node in service.nodes]
    for scope, token in scoped:
        if token is not None:
            yield token.get_secret_value(), scope


def _local(config: Config, state: State) -> LocalMap:
    """What agents look at, with the addresses as they really are: an agent needs the passwords in them."""
    targets = planning.targets(config)
    local = config.local
    plans = [n for s in state.plan.services for n in s.nodes if n.mode == "local"]
    nodes = tuple(_node(plan, {r.id: targets[plan.key, r.id] for r in plan.replicas}) for plan in plans)
    return LocalMap(nodes, local.retry, local.delay_dead, local.delay_sick)


def _node(plan: NodePlan, targets: dict[str, planning.Target]) -> LocalNode:
    return LocalNode(
        plan.service,
        plan.id,
        tuple(Target(key, target.url) for key, target in targets.items()),
        plan.agent,
        plan.interval,
        plan.retry,
        plan.retry_wait,
        plan.delay_dead,
        plan.delay_sick,
        {target.kind: _plain(target.options) for target in targets.values()},
    )


def _plain(options: Strict) -> dict[str, Any]:
    """Options with their secrets in the clear, only those that were written."""
    return {name: _open(value) for name, value in options.model_dump(exclude_unset=True).items()}


def _open(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _open(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_open(item) for item in value]
    return value
