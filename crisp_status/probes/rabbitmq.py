"""`rabbitmq://user:password@host[:15672]/virtual-host/queue` looks at how full a queue of RabbitMQ is.

The management plugin is asked, as Vigil does it. `rabbitmqs://…` (15671) is the same over HTTPS; %2F is the virtual host `/`.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote

import msgspec
from pydantic import Field, model_validator

from crisp_status.config.hostname import ascii_host
from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.net.target import TargetAddress, apart
from crisp_status.probes import ProbeError, Reading, note
from crisp_status.probes._address import known_address
from crisp_status.probes._api import fetched
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._web_sign_in import basic

SCHEMES = ("rabbitmq", "rabbitmqs")

Count = Annotated[int, Field(ge=0)]


class Options(TlsOptions):
    """The table `[services.nodes.rabbitmq]`. The defaults are those that Vigil's example has."""

    ready_healthy_below: Count = 500
    """From so many messages on that wait to be delivered, it is sick."""
    ready_dead_above: Count = 20_000
    """With more than so many, it is dead."""
    nack_healthy_below: Count = 100
    """From so many messages on that were delivered and not acknowledged, it is sick."""
    nack_dead_above: Count = 1000
    """With more than so many, it is dead."""

    @model_validator(mode="after")
    def _order(self) -> Options:
        for name in ("ready", "nack"):
            if getattr(self, f"{name}_healthy_below") > getattr(self, f"{name}_dead_above"):
                raise ValueError(f"{name}_healthy_below must not be more than {name}_dead_above")
        return self


class _Queue(msgspec.Struct):
    messages_ready: int = 0
    messages_unacknowledged: int = 0


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    address = apart(target, _port(target))
    ascii_host(address.host)
    _names(address)


async def probe(target: str, options: Options) -> Reading:
    """Ask the management plugin for the queue."""
    secure = target.startswith("rabbitmqs:")
    address = known_address(target, _port(target))
    path = "/api/queues/" + "/".join(quote(name, safe="") for name in _names(address))
    signed = {"Authorization": basic(address.user or "guest", address.password or "guest")}
    status, body = await fetched(address, path, secure, options, signed)
    if status != 200:
        raise ProbeError(ReasonCode.ERROR, _refusal(status, path), str(status))
    try:
        queue = msgspec.json.decode(body, type=_Queue)
    except (msgspec.MsgspecError, RecursionError):
        raise ProbeError(ReasonCode.BANNER, "the answer is not that of RabbitMQ's management plugin") from None
    return _judged(queue, options)


def _judged(queue: _Queue, options: Options) -> Reading:
    ready, nack = queue.messages_ready, queue.messages_unacknowledged
    note("{ready} messages are ready, {nack} not acknowledged", ready=ready, nack=nack)
    words = f"{ready} messages wait and {nack} are not acknowledged"
    if ready > options.ready_dead_above or nack > options.nack_dead_above:
        raise ProbeError(
            ReasonCode.ERROR, f"{words}: more than {options.ready_dead_above} or {options.nack_dead_above}"
        )
    if ready >= options.ready_healthy_below or nack >= options.nack_healthy_below:
        text = f"{words}: sick from {options.ready_healthy_below} or {options.nack_healthy_below}"
        return Reading(Health.SICK, Reason(ReasonCode.ERROR, text))
    return Reading(Health.HEALTHY, FINE)


def _refusal(status: int, path: str) -> str:
    return {
        401: "the management plugin refuses the user or password",
        404: f"there is no such queue: {unquote(path.removeprefix('/api/queues/'))}",
    }.get(status, f"the management plugin answers {status}")


def _port(target: str) -> int:
    return 15671 if target.startswith("rabbitmqs:") else 15672


def _names(address: TargetAddress) -> list[str]:
    """Virtual host and queue."""
    names = [unquote(part) for part in address.path.partition("?")[0].strip("/").split("/")]
    if len(names) != 2 or not all(names):
        raise ValueError("expected rabbitmq://user:password@host/virtual-host/queue, with %2F for the virtual host /")
    return names
