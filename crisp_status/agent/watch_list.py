"""What an agent looks at: the list of a server in either form, or that of its own file, as jobs for the probes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from crisp_status import kinds
from crisp_status.config.addresses import masked
from crisp_status.config.redact import secrets_in
from crisp_status.core.model import Health, Reason
from crisp_status.log import printable
from crisp_status.look.once import Policy
from crisp_status.loops.poll import Key, PollTarget
from crisp_status.reports import HeartbeatTarget, LocalNode

NEVER_SICK: Final = 86_400.0
"""A list without thresholds never makes a replica sick (PROTOCOLS section 2.5)."""
INTERVAL_MAX: Final = 30 * 86_400.0
RETRY_MAX: Final = 20
WAIT_MAX: Final = 60.0
DEAD_MIN: Final = 0.1
DEAD_MAX: Final = 3600.0
"""What the configuration allows: no server may keep an agent at one look for ever, or hammering."""
PUBLISHED_DEAD: Final = 20.0
PUBLISHED_WAIT: Final = 0.2
"""Seconds between attempts, as the published agent has it."""


class WatchList(msgspec.Struct, frozen=True):
    """A list, and whether its server takes reports in batches: only our own does."""

    nodes: tuple[LocalNode, ...]
    batch: bool
    date: int | None = None
    silent_after: float = 0.0
    """Of a place: how long it may say nothing."""
    withheld: tuple[str, ...] = ()
    """Of a place: nodes with secrets, which do not travel over plain HTTP."""
    answer: bytes = b""
    """What the server said, to be kept."""


class AgentReading(msgspec.Struct, frozen=True):
    """The last word on one replica."""

    key: Key
    interval: float
    health: Health | None
    """None, of a place: it could not look, by an error of its own."""
    reason: Reason
    since: float
    """Monotonic: since when it was seen so."""
    latency_ms: int
    looked_at: float = 0.0
    """Monotonic: when the last look was over."""


class _Http(msgspec.Struct):
    status: dict[str, int] | None = None
    body: dict[str, str] | None = None


class _Node(msgspec.Struct):
    id: str
    replicas: list[str] | None = None
    http: _Http | None = None


class _Service(msgspec.Struct):
    id: str
    nodes: list[_Node]


class _Thresholds(msgspec.Struct):
    retry: int
    delay_dead: float
    delay_sick: float


class _Metrics(msgspec.Struct):
    local: _Thresholds


class _Data(msgspec.Struct):
    date: int | None = None
    nodes: list[LocalNode] | None = None
    silent_after: float = 0.0
    withheld: list[str] = []
    services: list[_Service] | None = None
    metrics: _Metrics | None = None


class _Body(msgspec.Struct):
    data: _Data


_DECODER: Final = msgspec.json.Decoder(_Body)


def parsed(body: bytes, interval: float) -> WatchList:
    """The answer to GET /v1/probes/local. Raises ValueError with a sentence."""
    try:
        data = _DECODER.decode(body).data
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the answer is not a list: {error}") from None
    if data.nodes is not None:
        return WatchList(
            tuple(data.nodes),
            batch=True,
            date=data.date,
            silent_after=_within(data.silent_after, 0.0, INTERVAL_MAX),
            withheld=tuple(data.withheld),
        )
    if data.services is None:
        raise ValueError("the answer is not a list: it has no services")
    limits = data.metrics.local if data.metrics else _Thresholds(2, PUBLISHED_DEAD, NEVER_SICK)
    nodes = (_published(service.id, node, limits, interval) for service in data.services for node in service.nodes)
    return WatchList(tuple(nodes), batch=False, date=data.date)


def _published(service: str, node: _Node, limits: _Thresholds, interval: float) -> LocalNode:
    """A node of a server other than ours, in our form; its body matches are plain text (PROTOCOLS section 2.5)."""
    options: dict[str, Any] = {}
    if node.http:
        options = {**(node.http.status or {}), **{k: re.escape(v) for k, v in (node.http.body or {}).items()}}
    return LocalNode(
        service=service,
        id=node.id,
        targets=tuple(HeartbeatTarget(address, address) for address in node.replicas or ()),
        interval=interval,
        retry=limits.retry,
        retry_wait=PUBLISHED_WAIT,
        delay_dead=limits.delay_dead,
        delay_sick=limits.delay_sick,
        options={"http": options},
    )


def jobs(nodes: Iterable[LocalNode], *, scripts: bool) -> tuple[dict[Key, PollTarget], dict[Key, str]]:
    """What to do for these nodes, and why some of it cannot be done here."""
    wanted: dict[Key, PollTarget] = {}
    refused: dict[Key, str] = {}
    for node in nodes:
        for target in node.targets:
            key = f"{node.service}/{node.id}", target.id
            try:
                wanted[key] = _job(node, target, scripts=scripts)
            except ValueError as error:
                refused[key] = printable(str(error))
    return wanted, refused


def _job(node: LocalNode, target: HeartbeatTarget, *, scripts: bool) -> PollTarget:
    kind = target.kind or kinds.scheme_owner().get(target.address.partition("://")[0].lower(), "")
    if kind == "script" and not scripts:
        raise ValueError("scripts are off here; set enabled = true under [script] in the agent's own file")
    if kind not in kinds.probes():
        raise ValueError(f"this agent cannot look at {masked(target.address)}; it may be older than the server")
    try:
        options = kinds.probes()[kind].Options.model_validate(
            node.options.get(kind, {}) if target.options is None else target.options
        )
    except ValidationError as error:
        wrong = ", ".join(
            ".".join(map(str, fault["loc"])) or fault["msg"] for fault in error.errors(include_input=False)
        )
        raise ValueError(
            f"this agent does not understand the options {wrong}; it may be older than the server"
        ) from None
    given = Policy(node.retry, node.retry_wait, node.delay_dead, node.delay_sick, node.expect_dead).limited(
        target.limits
    )
    policy = Policy(
        retry=int(_within(given.retry, 0, RETRY_MAX)),
        retry_wait=_within(given.retry_wait, 0.0, WAIT_MAX),
        delay_dead=_within(given.delay_dead, DEAD_MIN, DEAD_MAX),
        delay_sick=_within(given.delay_sick, 0.0, NEVER_SICK),
        expect_dead=bool(given.expect_dead),
    )
    interval = target.limits.get("interval", node.interval)
    return PollTarget(kind, target.address, options, _within(interval, 1.0, INTERVAL_MAX), policy)


def secrets(nodes: Iterable[LocalNode], wanted: Iterable[PollTarget]) -> set[str]:
    """What the log must not show of a list: passwords in addresses, header fields and bodies that are sent."""
    return secrets_in([target.address for node in nodes for target in node.targets], [job.options for job in wanted])


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
