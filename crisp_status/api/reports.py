"""The doors for reporters and agents: reads what they send within limits, asks the dialect, submits what happened.

Published clients leave an answer unread or wait for its end (PROTOCOLS section 1.3), so that every connection is closed
after it; only our own library and agent, which say so, may send the next report on the same one.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec

from crisp_status import kinds, log
from crisp_status.core.absence import LONG_INTERVAL
from crisp_status.core.events import PlaceHeard, Reported, Voted
from crisp_status.core.step import judge
from crisp_status.engine import EngineTrouble
from crisp_status.http import request_body
from crisp_status.http.aiohttp_private import drained
from crisp_status.http.document_handler import RawResponse
from crisp_status.http.responses import Dater, ReadyBytes
from crisp_status.http.transport_security import secure
from crisp_status.reports import Refusal, ReportAnswer, ReportCall, ReportRoute, ReportScope

if TYPE_CHECKING:
    from aiohttp import web

    from crisp_status.clock import Clock
    from crisp_status.core.events import Event
    from crisp_status.formats.exposition import Counters
    from crisp_status.http.authentication import Failures
    from crisp_status.http.router import Router

CLOSE: Final = b"Connection: close\r\n"
ALWAYS: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
LOST: Final = ReportAnswer(
    409, {"error": "refused", "detail": "The page has changed in this instant and cannot take this report."}
)


class ReportEngine(Protocol):
    """What is needed of the engine."""

    async def submit(self, event: Event) -> None:
        """Queue an event; waits for room."""

    def offer(self, events: Sequence[Event]) -> bool:
        """Queue events, all or none; False: there is no room."""

    async def commit(self, event: Event) -> bool:
        """Queue an event and wait until it is durable; False: refused."""


class Reports:
    """All report dialects behind HTTP. `scope` is replaced when another plan comes into force."""

    def __init__(
        self,
        engine: ReportEngine,
        scope: ReportScope,
        *,
        counters: Counters,
        clock: Clock,
        dater: Dater,
        failures: Failures,
        client: Callable[[web.BaseRequest], str],
        protected: Callable[[web.BaseRequest], bool] = lambda _: False,
        body_seconds: float = request_body.BODY_SECONDS,
    ) -> None:
        """`failures` slows wrong tokens down by address; `client` says whose request it is, behind proxies too, and
        `protected` whether others can read the answer on its way.
        """
        self.scope = scope
        self.guesses = 0
        """Wrong tokens so far."""
        self._engine = engine
        self._counters = counters
        self._clock = clock
        self._dater = dater
        self._failures = failures
        self._client = client
        self._protected = protected
        self._body_seconds = body_seconds
        self._empty = _encoded(ReportAnswer(), head=False)

    def register(self, router: Router) -> None:
        """Open the doors of every dialect."""
        for dialect in kinds.reports().values():
            for route in dialect.routes():
                router.add(route.method, route.path, _Endpoint(self, route))

    def at_once(self, route: ReportRoute, call: ReportCall) -> tuple[ReadyBytes, bool] | None:
        """The answer to a good report that nobody has to wait for; None: take the ordinary way, nothing has happened."""
        scope = self.scope
        call.now = self._clock.now()
        try:
            route.admit(call, scope)
            answer = route.handle(call, scope)
        except Refusal:
            return None
        if answer.guess or answer.status >= 400 or self._waits(answer) or not self._engine.offer(answer.events):
            return None
        self._counters.reports += 1
        return self._encoded(answer, head=False), call.ours()

    def _encoded(self, answer: ReportAnswer, *, head: bool) -> ReadyBytes:
        plain = answer.status == 200 and answer.body == b"" and not answer.headers
        return self._empty if plain else _encoded(answer, head=head)

    async def answer(self, route: ReportRoute, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        """Take one report of any kind."""
        scope = self.scope
        url = request.rel_url
        call = ReportCall(
            request.method,
            args,
            request.headers,
            query_string=url.raw_query_string,
            now=self._clock.now(),
            protected=self._protected(request),
        )
        try:
            route.admit(call, scope)
            if request.body_exists and route.body_optional:
                call.body, whole = await request_body.read_start(request, route.body_max, seconds=self._body_seconds)
                call.body_lost = not whole
            elif request.body_exists:
                call.body = await self._body(request, route.body_max)
            answer = route.handle(call, scope)
            if answer.events and not await self._happen(answer):
                answer = LOST
        except Refusal as refusal:
            answer = refusal.answer
        if answer.guess:
            answer = self._slowed(answer, request)
        if answer.status < 400:
            self._counters.reports += 1
        else:
            self._counters.reports_refused += 1
        ready = self._encoded(answer, head=request.method == "HEAD")
        return cast("web.StreamResponse", _Submission(ready, self._dater, keep=call.ours()))

    async def _body(self, request: web.BaseRequest, limit: int) -> bytes:
        """The body; one that came together with its headers, as reports do, is taken at once."""
        content = request.content
        if content.is_eof() and content.exception() is None and content.total_bytes <= limit:
            return request_body.unpacked(request, content.read_nowait(-1), limit)
        return await request_body.read(request, limit, self._body_seconds)

    async def _happen(self, answer: ReportAnswer) -> bool:
        """Submit the events; the last one is durable only after those before it. False: the state refused it."""
        *first, last = answer.events
        for event in first:
            await self._engine.submit(event)
        if self._waits(answer):
            try:
                return await self._engine.commit(last) or bool(first)
            except EngineTrouble as trouble:
                if not isinstance(last, Reported):
                    raise Refusal(503, "not_saved", f"This cannot be kept now: {trouble}.") from None
                # The disk fails, and watching goes on from memory: so do reports.
        await self._engine.submit(last)
        return True

    def _waits(self, answer: ReportAnswer) -> bool:
        """Whether the answer must wait until the events are on disk: they change something, and a crash would forget it."""
        return answer.wait or not all(self._is_steady(event) for event in answer.events)

    def _is_steady(self, event: Event) -> bool:
        """Whether it says what is known already, often enough that the next one says it again."""
        if isinstance(event, PlaceHeard):
            return self._is_steady_vote(event)
        if not isinstance(event, Reported) or event.interval >= LONG_INTERVAL:
            return False
        plan = self.scope.node(*event.node.split("/", 1))
        replica = self.scope.replica(plan, event.replica) if plan is not None else None
        if plan is None or replica is None or replica.unknown or replica.interval != event.interval:
            return False
        health, reason = judge(plan, event)
        return health is replica.health and reason.same_as(replica.reason)

    def _is_steady_vote(self, event: PlaceHeard) -> bool:
        """Whether a place lives as before, and sees what it saw before."""
        place = self.scope.state.places.get(event.place)
        if place is None or not place.heard_since:
            return False
        if not isinstance(event, Voted):
            return True
        plan = self.scope.node(*event.node.split("/", 1))
        replica = self.scope.replica(plan, event.replica) if plan is not None else None
        vote = (replica.votes or {}).get(event.place) if replica is not None else None
        if replica is None or replica.unconfirmed or vote is None:
            return vote is None and event.health is None
        return vote.health is event.health and event.reason.same_as(vote.reason)

    def _slowed(self, answer: ReportAnswer, request: web.BaseRequest) -> ReportAnswer:
        """A wrong token, counted; after too many of them from one address a refusal to say more."""
        self.guesses += 1
        client = self._client(request)
        wait = self._failures.count(client)
        if wait <= 0:
            log.get().warning("wrong token", realm="Reporter Token", client=client)
            return answer
        words = {"error": "too_many_attempts", "detail": "Too many wrong tokens came from your address."}
        return ReportAnswer(429, words, (("Retry-After", str(ceil(wait))),))


class _Endpoint:
    """The handler of one route, and the shorter way to it."""

    def __init__(self, reports: Reports, route: ReportRoute) -> None:
        self._reports = reports
        self._route = route

    async def __call__(self, request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
        return await self._reports.answer(self._route, request, args)

    def at_once(
        self, args: Mapping[str, str], fields: Mapping[str, str], query: str, body: bytes
    ) -> tuple[ReadyBytes, bool] | None:
        """See `ImmediateRoute`."""
        return self._reports.at_once(self._route, ReportCall("POST", args, _Fields(fields), body, query_string=query))


class _Fields(dict[str, str]):
    """Header fields by name, whatever the case; their own names are lower-case."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field."""
        return super().get(name.lower(), default)


def _encoded(answer: ReportAnswer, *, head: bool) -> ReadyBytes:
    text = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
    headers: list[tuple[str, Any]] = [*ALWAYS, *answer.headers]
    if text and not any(name == "Content-Type" for name, _ in answer.headers):
        headers.append(("Content-Type", "application/json"))
    if answer.status != HTTPStatus.NOT_MODIFIED:
        headers.append(("Content-Length", str(len(text))))
    return ReadyBytes(answer.status, headers, b"" if head else text)


class _Submission(RawResponse):
    """An answer that ends its connection, unless the client is one of ours."""

    __slots__ = ("_keep",)

    def __init__(self, ready: ReadyBytes, dater: Dater, *, keep: bool) -> None:
        super().__init__(ready, dater)
        self._keep = keep

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send it all; who sends on and never reads waits."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self.keep_alive = self._keep and request.keep_alive
        self.prepared = True
        date = self._dater.line(get_running_loop().time(), secure=secure(transport))
        whole = self._ready.at(date) if self.keep_alive else self._ready.with_header(date, CLOSE)
        transport.write(whole)
        # What the library looks at to know that an answer was begun.
        request.writer.output_size += len(whole)
        await drained(request.protocol)
