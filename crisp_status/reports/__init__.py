"""How others tell us: every file of this room is a dialect, spoken by some published client.

A dialect is `routes() -> tuple[Route, ...]` of plain functions. `admit(call, desk)` answers before the body is read
when the caller may not speak at all; `handle(call, desk)` then says what to answer and which events to submit. Both
see the world only through the `Desk`; neither waits, writes or knows the time but from the call. A client's mistake is
a `Refusal`, raised or returned as an `Answer`; nothing that is sent may raise anything else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from crisp_status.core.events import AnyEvent
from crisp_status.reports._scope import HeartbeatTarget, LocalMap, LocalNode, ReportScope, Tokens
from crisp_status.reports._scope_of_config import local_map, scope_of

__all__ = [
    "ACCEPTED",
    "HeartbeatTarget",
    "LocalMap",
    "LocalNode",
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
QUERY_FIELDS_MAX: Final = 20
"""No dialect knows more than three; clients may add their own, but not make us take thousands apart."""
OURS: Final = "application/vnd.crisp-status+json"
"""Stands in the `Accept` header of our own agent and library: they read answers whole, so that the connection may live
on, and understand more than the published clients."""


class ReportCall(msgspec.Struct):
    """One request, as a dialect sees it; the body comes when the caller is admitted."""

    method: str
    args: Mapping[str, str] = {}
    """The named segments of the path, each decoded by itself."""
    headers: Mapping[str, str] = {}
    """By name, whatever the case."""
    body: bytes = b""
    query_string: str = ""
    now: float = 0.0
    """Epoch seconds."""

    def arg(self, name: str) -> str:
        """A segment of the path."""
        return self.args.get(name, "")

    def query(self) -> dict[str, str]:
        """What stands behind the question mark; of a name that comes twice the last one."""
        try:
            return dict(parse_qsl(self.query_string, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX))
        except ValueError as error:
            raise Refusal(400, "bad_query", f"The query cannot be read: {error}.") from None

    def ours(self) -> bool:
        """Whether our own agent or library calls."""
        return OURS in self.headers.get("Accept", "")

    def basic(self) -> str | None:
        """The password of Basic authentication, whatever the user name (PROTOCOLS section 3); None: there is none."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            _, colon, password = base64.b64decode(value.strip()).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        return password if colon else None

    def bearer(self) -> str:
        """The token of Bearer authentication; "": there is none."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme == "Bearer" else ""


class ReportAnswer(msgspec.Struct, frozen=True):
    """What the client gets, and what happened by its word."""

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
    """What is told a client whose request is not carried out: `{"error": word, "detail": sentence}`."""

    def __init__(self, status: int, error: str, detail: str, *, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.answer = ReportAnswer(status, {"error": error, "detail": detail}, headers, guess=error == "wrong_token")

    @classmethod
    def of(cls, answer: ReportAnswer) -> Refusal:
        """One that is told in the words of another server."""
        refusal = cls(answer.status, "refused", "refused")
        refusal.answer = answer
        return refusal


Handle = Callable[[ReportCall, ReportScope], ReportAnswer]


def everyone(call: ReportCall, desk: ReportScope) -> None:
    """Admits whoever comes: the token stands in the address."""


class ReportRoute(msgspec.Struct, frozen=True):
    """One door: a method (`*` is any), a path of literal and `{named}` segments, and who answers there."""

    method: str
    path: str
    handle: Handle
    admit: Callable[[ReportCall, ReportScope], None] = everyone
    """Raises Refusal before the body is read; `handle` is called only after it."""
    body_max: int = BODY_MAX


def answer(route: ReportRoute, call: ReportCall, desk: ReportScope) -> ReportAnswer:
    """The whole way of one call whose body is there already."""
    try:
        route.admit(call, desk)
        return route.handle(call, desk)
    except Refusal as refusal:
        return refusal.answer
