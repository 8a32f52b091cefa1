"""The management API: Vigil's (PROTOCOLS section 3.3) with more optional fields, and commands of operators.

Every route needs the manager token. What is acknowledged with 200 is durable.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from aiohttp import web

from crisp_status.api import json_fields, operations, overview
from crisp_status.api.incident_commands import IncidentCommands
from crisp_status.api.submit import CommandEngine, done, reply, state, submit
from crisp_status.core.events import (
    Noted,
    Unsilenced,
)
from crisp_status.core.model import Health
from crisp_status.core.operator_records import Announcement
from crisp_status.http import request_body
from crisp_status.http.cross_site import refuse_cross_site, refuse_other_bodies
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisp_status.clock import Clock
    from crisp_status.http.authentication import Permissions, Proxies
    from crisp_status.http.router import Handler, Router

MAX_IGNORED: Final = 65535
"""Seconds that Vigil's clients may ask for: an unsigned 16-bit number there."""

LASTING_MAX: Final = 10 * 366 * 86400.0
"""Seconds that an announcement may stand: ten years."""


@dataclass(frozen=True)
class ReloadResult:
    """What came of loading the configuration file again."""

    problems: list[dict[str, str]] = field(default_factory=list)
    """Each with its `text`, place included. Not empty: nothing was changed."""
    next_start: list[str] = field(default_factory=list)
    """Keys that have another value now and take effect at the next start only."""


class Manage:
    """The routes under `/manager/`."""

    def __init__(
        self,
        engine: CommandEngine,
        clock: Clock,
        permissions: Permissions | None,
        proxies: Proxies,
        *,
        page_url: Callable[[], str] = str,
        certificates: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        """Without `permissions` management is off, and every route says so.

        `page_url` gives `[page] url`, `certificates` what is known of the certificates in use.
        """
        self._certificates = certificates
        self._engine = engine
        self._clock = clock
        self._permissions = permissions
        self._proxies = proxies
        self._page_url = page_url

    def guard(self, handler: Handler) -> Handler:
        """The handler behind the token, which is checked before the body is read.

        Requests that another site sends through the browser of an operator are refused.
        """

        async def guarded(request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
            if self._permissions is None:
                raise Refused(404, "Management is off: server.manager_token is not set.")
            refuse_cross_site(request, self._page_url())
            self._permissions.check(request.headers.get("Authorization"), self._proxies.client(request))
            refuse_other_bodies(request)
            return await handler(request, args)

        return guarded

    def add_routes(self, router: Router) -> None:
        """Register every route."""
        routes: tuple[tuple[str, str, Callable[..., Awaitable[web.StreamResponse]]], ...] = (
            ("GET", "/manager/announcements", self.announcements),
            ("POST", "/manager/announcement", self.announce),
            ("PUT", "/manager/announcement/{id}", self.announce),
            ("DELETE", "/manager/announcement/{id}", self.withdraw),
            ("GET", "/manager/prober/alerts", self.alerts),
            ("GET", "/manager/prober/alerts/ignored", self.ignored),
            ("PUT", "/manager/prober/alerts/ignored", self.ignore),
            ("GET", "/manager/status", self.status),
            ("GET", "/manager/silences", self.silences),
            ("POST", "/manager/silences", self.silence),
            ("DELETE", "/manager/silences/{id}", self.unsilence),
            ("GET", "/manager/incidents", self.incidents),
            ("POST", "/manager/incidents/{id}/ack", self.acknowledge),
            ("POST", "/manager/incidents/{id}/notes", self.note),
            ("GET", "/manager/outbox", self.outbox),
            ("POST", "/manager/outbox/retry", self.retry),
            ("POST", "/manager/outbox/{id}/retry", self.retry),
            ("DELETE", "/manager/outbox/{id}", self.drop),
            ("POST", "/manager/notify-test", self.test),
        )
        for method, pattern, handler in routes:
            router.add(method, pattern, self.guard(handler))
        IncidentCommands(self._engine, self.guard).add_routes(router)

    def add_reload(self, router: Router, reload: Callable[[], Callable[[], Awaitable[ReloadResult]] | None]) -> None:
        """Register the route that loads the configuration file again; `reload` gives the function that does it."""

        async def handle(request: web.BaseRequest, args: dict[str, str]) -> web.Response:
            load = reload()
            if load is None:
                raise Refused(409, "This daemon was started without a file, so there is nothing to load again.")
            # The answer belongs to whoever asked; a client that goes away must not stop the reload half-way.
            result = await asyncio.shield(asyncio.ensure_future(load()))
            if not result.problems:
                return reply({"taken": True, "next_start": result.next_start})
            detail = "The configuration was not changed: the file has problems."
            return reply({"error": "refused", "detail": detail, "problems": result.problems}, 409)

        router.add("POST", "/manager/reload", self.guard(handle))

    async def announcements(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: all, those that are still to come included."""
        now = self._clock.now()
        return reply([overview.announcement(a, now) for a in (await state(self._engine)).announcements.values()])

    async def announce(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST posts one, PUT replaces the one of that id."""
        given = await request_body.read_object(request)
        new = self._announcement(given, args.get("id") or str(uuid4()))
        await operations.announce(self._engine, new, self._clock.now(), replace="id" in args)
        return reply({"id": new.id})

    def _announcement(self, given: dict[str, Any], id: str) -> Announcement:
        work = json_fields.names(given, "maintenance")
        new = Announcement(
            id=id,
            title=json_fields.text(given, "title", required=True),
            text=json_fields.text(
                given, "text", json_fields.MAX_TEXT, required=not work and given.get("text") is not None, lines=True
            ),
            starts_at=json_fields.moment(given, "starts_at"),
            expires_at=json_fields.moment(given, "expires_at"),
            maintenance=work,
            rrule=json_fields.text(given, "rrule"),
        )
        lasting = json_fields.number(given, "expires_in", LASTING_MAX)
        if lasting:
            new.expires_at = (new.starts_at or self._clock.now()) + lasting
        return new

    async def withdraw(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE: take one down."""
        await operations.withdraw(self._engine, args["id"])
        return done()

    async def alerts(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: replicas that are dead or sick now."""
        held = await state(self._engine)
        found: dict[str, list[dict[str, str]]] = {"dead": [], "sick": []}
        for node in held.nodes.values():
            if node.health < Health.SICK:
                continue
            service, _, name = node.key.partition("/")
            for replica in node.replicas.values():
                if replica.health >= Health.SICK:
                    found[replica.health.word].append({"probe": service, "node": name, "replica": replica.id})
        return reply(found)

    async def ignored(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: for how many more seconds reminders are held."""
        now = self._clock.now()
        held = [
            s for s in (await state(self._engine)).silences.values() if not s.scope and (not s.until or s.until > now)
        ]
        left = max((s.until - now if s.until else MAX_IGNORED for s in held), default=0.0)
        return reply({"reminders_seconds": min(MAX_IGNORED, int(left)) if held else None})

    async def ignore(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """PUT: hold reminders for so many seconds; null lifts it."""
        seconds = json_fields.number(await request_body.read_object(request), "reminders_seconds", MAX_IGNORED)
        if not seconds:
            await submit(self._engine, Unsilenced(), Refused(409, "The silence could not be lifted."))
        else:
            await operations.silence(self._engine, seconds, "", "manager", self._clock.now())
        return done()

    async def silences(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: what is silenced."""
        return reply([overview.silence(s) for s in (await state(self._engine)).silences.values()])

    async def silence(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"seconds", "scope"?, "by"?}`: 0 seconds is until healthy; without scope only reminders are held."""
        given = await request_body.read_object(request)
        seconds = json_fields.number(given, "seconds", operations.MAX_SILENCE)
        if seconds is None:
            raise Refused(400, '"seconds" is missing; 0 means until healthy.')
        scope, by = json_fields.text(given, "scope"), json_fields.text(given, "by")
        new = await operations.silence(self._engine, seconds, scope, by, self._clock.now())
        return reply({"id": new.id, "until": json_fields.iso(new.until)})

    async def unsilence(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE: lift one."""
        await operations.unsilence(self._engine, args["id"])
        return done()

    async def incidents(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: open ones, newest first, then the last fifty that are over."""
        return reply(overview.incidents(await state(self._engine)))

    async def acknowledge(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"by"?}`: seen; no more reminders of it."""
        given = await request_body.read_object(request)
        by = json_fields.text(given, "by")
        await operations.acknowledge(self._engine, operations.incident_number(args["id"]), by)
        return done()

    async def note(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"text", "by"?}`: a public note on the incident's timeline."""
        given = await request_body.read_object(request)
        text = json_fields.text(given, "text", json_fields.MAX_TEXT, required=True, lines=True)
        new = Noted(incident=operations.incident_number(args["id"]), text=text, by=json_fields.text(given, "by"))
        await operations.write_update(self._engine, new)
        return done()

    async def status(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: the whole tree with reasons and addresses, for operators only."""
        return reply(overview.tree(await state(self._engine), self._clock.now(), self._certificates()))

    async def outbox(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: what is undelivered and why, what is not said and why not, and the last attempts."""
        return reply(overview.outbox(await state(self._engine), self._engine.held()))

    async def retry(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"to"?}`: try one, or everything, now; `to` sends it to another notifier from now on."""
        to = json_fields.text(await request_body.read_object(request), "to")
        await operations.retry(self._engine, args.get("id", ""), to=to)
        return done()

    async def drop(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE: give one up."""
        await operations.drop(self._engine, args["id"])
        return done()

    async def test(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"notifier"?}`: a test message through one notifier or web hook, or all; gives the messages' ids."""
        wanted = json_fields.text(await request_body.read_object(request), "notifier")
        return reply(await operations.send_tests(self._engine, wanted))
