"""What every dialect checks in the same way: tokens, ids, numbers, modes, and how many replicas a node may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec

from crisp_status.core.events import Reported
from crisp_status.core.model import FINE, Health, Reason, ReasonCode
from crisp_status.core.policy import NodePlan
from crisp_status.core.verdict import REASONS
from crisp_status.reports import Refusal, ReportAnswer, ReportCall, ReportScope

ID_MAX: Final = 200
"""Characters of a replica id: the longest sensible address; ids are kept in memory and shown to operators."""
TEXT_MAX: Final = 500
"""Characters of a reason: two long sentences."""
INTERVAL_MAX: Final = 366 * 86400.0
"""A yearly job is the rarest that makes sense; more is a slip of the unit."""
INTERVAL_MIN: Final = 1.0
"""A client that announces less, even 0, is taken at one second: silence needs a measure."""
LOAD_MAX: Final = 1e6
"""Load averages go to thousands on machines in trouble; more is not a ratio."""
LATENCY_MAX_MS: Final = 86_400_000
"""A day: whoever looks has given up long before; more is a slip of the unit."""

ADMITTED_MAX: Final = 1000
"""Spellings of right tokens that are remembered; the user name may be anything."""

CHALLENGE: Final = (("WWW-Authenticate", 'Basic realm="Reporter Token"'),)
HEALTHS: Final = {"healthy": Health.HEALTHY, "sick": Health.SICK, "dead": Health.DEAD}

T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """As msgspec has it."""

    def decode(self, body: bytes, /) -> T_co:
        """The structure in these bytes."""


class LoadFields(msgspec.Struct):
    """CPU and RAM as ratios; either may be missing."""

    cpu: float | None = None
    ram: float | None = None


def admit(call: ReportCall, scope: ReportScope, *, wrong_status: int) -> frozenset[str]:
    """The scopes of the caller's token. Raises Refusal 401 without one, `wrong_status` with a wrong one."""
    header = call.headers.get("Authorization", "")
    known = scope.admitted.get(header)
    if known is not None:
        return known
    token = call.basic()
    if token is None:
        detail = "A report needs Basic authentication with the reporter token as its password."
        raise Refusal(401, "no_token", detail, headers=CHALLENGE)
    scopes = scope.tokens.scopes(token)
    if not scopes:
        challenge = CHALLENGE if wrong_status == 401 else ()
        raise Refusal(wrong_status, "wrong_token", "This token is not known here.", headers=challenge)
    if len(scope.admitted) < ADMITTED_MAX:
        scope.admitted[header] = scopes
    return scopes


def may(scopes: frozenset[str], service: str, node: str) -> None:
    """Raise Refusal 403 when the token is for something else."""
    if "" not in scopes and service not in scopes and f"{service}/{node}" not in scopes:
        raise Refusal(403, "other_scope", f"This token may not report for {shown(service)}/{shown(node)}.")


def admitted(wrong_status: int) -> Callable[[ReportCall, ReportScope], None]:
    """An `admit` for a door that names `{service}` and `{node}` in its path."""

    def check(call: ReportCall, scope: ReportScope) -> None:
        may(admit(call, scope, wrong_status=wrong_status), call.arg("service"), call.arg("node"))

    return check


def decoded(decoder: Decoder[T_co], body: bytes) -> T_co:
    """The body as the dialect's structure. Raises Refusal 400 that says where it is wrong."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
        raise Refusal(400, "bad_body", f"The body is not a report: {error}.") from None


def node_of(scope: ReportScope, service: str, node: str) -> NodePlan:
    """The plan of a node. Raises Refusal 404."""
    found = scope.node(service, node)
    if found is None:
        raise Refusal(404, "unknown_node", f"There is no node {shown(service)}/{shown(node)} on this page.")
    return found


def replica_id(given: str) -> str:
    """A replica id that may be kept. Raises Refusal 400."""
    if not given or len(given) > ID_MAX or not given.isprintable():
        detail = f"A replica id has 1 to {ID_MAX} printable characters; this one has {len(given)}."
        raise Refusal(400, "bad_replica", detail)
    return given


def within(value: float | None, name: str, most: float) -> float:
    """A number from 0 to `most`; -1 for none. Raises Refusal 400, also for NaN."""
    if value is None:
        return -1.0
    if not 0 <= value <= most:
        raise Refusal(400, "bad_number", f"{name} must be from 0 to {most:,.0f}, not {value:g}.")
    return value


def text(given: str) -> str:
    """What a client says in words, as one line that may be kept and shown."""
    given = given[: TEXT_MAX * 2]
    if not given.isprintable():
        given = " ".join("".join(c if c.isprintable() else " " for c in given).split())
    return given[:TEXT_MAX].strip()


def shown(segment: str) -> str:
    """A part of the address, fit for a sentence."""
    return text(segment)[:64]


def health(word: str) -> Health:
    """healthy, sick or dead. Raises Refusal 400."""
    found = HEALTHS.get(word)
    if found is None:
        raise Refusal(400, "bad_health", f'health must be "healthy", "sick" or "dead", not "{shown(word)}".')
    return found


def mismatch(node: NodePlan, sent: str) -> Refusal:
    """The refusal of a report that the node's mode does not take."""
    takes = {"push": "takes reports of applications (load)", "local": "takes what an agent saw (health)"}
    about = (
        f"{takes[node.mode]}, not {sent}" if node.mode in takes else "is looked at by this server; nobody reports it"
    )
    return Refusal(412, "wrong_mode", f"{node.key} has mode {node.mode}: it {about}.")


def every(interval: float) -> float:
    """The seconds between reports that a client announces. Raises Refusal 400."""
    return max(INTERVAL_MIN, within(interval, "interval", INTERVAL_MAX))


def from_application(node: NodePlan, replica: str, interval: float, load: LoadFields | None) -> Reported:
    """A report of an application about itself; no load is alive as well (PROTOCOLS section 1.3)."""
    if node.heartbeat:
        raise Refusal(412, "wrong_mode", f"{node.key} is a heartbeat: it is reported by its own address, /ping/….")
    return Reported(
        node=node.key,
        replica=replica_id(replica),
        interval=every(interval),
        cpu=within(load.cpu, "load.cpu", LOAD_MAX) if load else -1.0,
        ram=within(load.ram, "load.ram", LOAD_MAX) if load else -1.0,
    )


def from_agent(scope: ReportScope, node: NodePlan, replica: str, interval: float, word: str) -> Reported:
    """A report of an agent about what it looked at."""
    seen = health(word)
    name = scope.replica_id(node, replica)
    if node.replicas and not any(known.id == name for known in node.replicas):
        raise Refusal(404, "unknown_replica", f"{node.key} has no replica {shown(name)} (any more).")
    if not node.replicas:
        replica_id(name)
    reason = FINE if seen == Health.HEALTHY else Reason(ReasonCode.REPORTED, f"the agent found it {word}")
    return Reported(node=node.key, replica=name, interval=every(interval), health=seen, reason=reason)


def room_for(scope: ReportScope, node: NodePlan, replica: str, coming: int = 0) -> bool:
    """Whether this replica is new, `coming` others being on their way. Raises Refusal 409 when it is one too many."""
    if scope.replica(node, replica) is not None:
        return False
    if scope.replicas(node) + coming >= node.max_replicas:
        detail = (
            f"{node.key} has {node.max_replicas} replicas already, the most that max_replicas allows. "
            "Use ids that stay the same over restarts, flush old ones, or set forget_after."
        )
        raise Refusal(409, "too_many_replicas", detail)
    return True


def taken(scope: ReportScope, node: NodePlan, event: Reported, body: Any = b"") -> ReportAnswer:
    """The answer to one good report: a replica that is new is durable before the client hears of it."""
    return ReportAnswer(body=body, events=(event,), wait=room_for(scope, node, event.replica))


def agent_code(word: str) -> ReasonCode:
    """The reason code that one of our agents gives; whatever it may not give is only what it reported."""
    code = ReasonCode(word)
    return code if code == word and REASONS[code].agents else ReasonCode.REPORTED
