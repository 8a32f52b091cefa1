"""Dialects of reports: every file in this room understands what some published client sends.

A dialect offers `routes() -> tuple[ReportRoute, ...]` (see `Dialect`). `admit(call, scope)` refuses callers without
permission before their body is read; `handle(call, scope)` returns the answer and the events to submit. Both see the
plan and the state only through `ReportScope`; they do no I/O and take the time from the call. A mistake of the client
raises `Refusal`; no input may raise anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from crisp_status.core.events import AnyEvent
from crisp_status.net.authorization import credentials
from crisp_status.reports._query import query_values
from crisp_status.reports._scope import HeartbeatTarget, LocalMap, LocalNode, PlaceMap, ReportScope, Tokens
from crisp_status.reports._scope_of_config import local_map, scope_of

__all__ = [
    "ACCEPTED",
    "HeartbeatTarget",
    "LocalMap",
    "LocalNode",
    "PlaceMap",
    "Refusal",
    "ReportAnswer",
    "ReportCall",
    "ReportRoute",
    "ReportScope",
    "Tokens",
    "answer",
    "local_map",
    "scope_of",
]

BODY_MAX: Final = 64 * 1024
"""Bytes of a report, which has about 150; more is a mistake or an attack."""
BATCH_MAX: Final = 1024 * 1024
"""Bytes of a batch of reports: ten thousand short ones."""
OURS: Final = "application/vnd.crisp-status+json"
"""Stands in the `Accept` header of our own agent and library: they read answers whole, so that the connection may live
on, and understand more than the published clients."""


class ReportCall(msgspec.Struct):
    """One request, as a dialect sees it. The body is empty until the caller is admitted."""

    method: str
    args: Mapping[str, str] = {}
    """The named segments of the path, each decoded by itself."""
    headers: Mapping[str, str] = {}
    """By name, whatever the case."""
    body: bytes = b""
    body_lost: bool = False
    """The body was too slow, broke off, or is compressed in a way that cannot be read; `body` has what could be."""
    query_string: str = ""
    now: float = 0.0
    """Epoch seconds."""
    protected: bool = False
    """Whether nobody on the way can read the answer: it goes over HTTPS, or over the loopback."""

    def arg(self, name: str) -> str:
        """A segment of the path."""
        return self.args.get(name, "")

    def query(self, *names: str) -> dict[str, str]:
        """These parameters of the query; of a name that comes twice the last value, "" when it does not come."""
        return {name: values[-1] if values else "" for name, values in self.query_all(*names).items()}

    def query_all(self, *names: str) -> dict[str, list[str]]:
        """Every value of these parameters of the query (see `query_values`)."""
        return query_values(self.query_string, *names)

    def ours(self) -> bool:
        """Whether our own agent or library calls."""
        return OURS in self.headers.get("Accept", "")

    def basic(self) -> str | None:
        """The password of Basic authentication, whatever the user name (PROTOCOLS section 3); None: there is none."""
        header = self.headers.get("Authorization", "")
        if header[:6].lower() != "basic ":
            return None
        found = credentials(header)
        return None if found is None else found.decode("utf-8", "surrogateescape")

    def bearer(self) -> str:
        """The token of Bearer authentication; "": there is none."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""


class ReportAnswer(msgspec.Struct, frozen=True):
    """What the client gets, and the events that its report causes."""

    status: int = 200
    body: Any = b""
    """Bytes as they are; anything else becomes JSON."""
    headers: tuple[tuple[str, str], ...] = ()
    events: tuple[AnyEvent, ...] = ()
    """To submit, in this order, before the answer goes out."""
    wait: bool = False
    """Whether the events must be durable first."""
    guess: bool = False
    """A token was wrong: to be counted, and slowed down."""


ACCEPTED: Final = ReportAnswer()


class Refusal(Exception):
    """A request that is not carried out. The client gets `{"error": error, "detail": detail}`."""

    def __init__(self, status: int, error: str, detail: str, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.answer = ReportAnswer(status, {"error": error, "detail": detail}, headers, guess=error == "wrong_token")

    @classmethod
    def of(cls, answer: ReportAnswer) -> Refusal:
        """A refusal with exactly this answer, where a published client expects the wording of another server."""
        refusal = cls(answer.status, "refused", "refused")
        refusal.answer = answer
        return refusal


Handle = Callable[[ReportCall, ReportScope], ReportAnswer]
Admit = Callable[[ReportCall, ReportScope], None]


def everyone(call: ReportCall, scope: ReportScope) -> None:
    """Admit every caller: the route checks the token in its address by itself."""


class ReportRoute(msgspec.Struct, frozen=True):
    """A method (`*`: any), a path of literal and `{named}` segments, and the function that answers there."""

    method: str
    path: str
    handle: Handle
    admit: Admit = everyone
    """Raises Refusal before the body is read; `handle` is called only after it."""
    body_max: int = BODY_MAX
    """Bytes of the body that `handle` gets, unpacked."""
    body_optional: bool = False
    """The signal stands in the address: a body that is longer than `body_max`, or cannot be read, is cut, not refused."""


class Dialect(Protocol):
    """What every file in this room offers; mypy compares each with it."""

    def routes(self) -> tuple[ReportRoute, ...]:
        """The routes of this dialect."""


def answer(route: ReportRoute, call: ReportCall, scope: ReportScope) -> ReportAnswer:
    """Answer a call whose body has been read."""
    try:
        route.admit(call, scope)
        return route.handle(call, scope)
    except Refusal as refusal:
        return refusal.answer
