"""Management as Vigil has it (PROTOCOLS section 3.3), with more optional fields, and the operator's own words.

Every door needs the manager token. What is acknowledged with 200 is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from aiohttp import web

from crisp_status.api import json_fields, overview
from crisp_status.api.submit import CommandEngine, done, reply, state, submit
from crisp_status.config.recurrence import rule_fault
from crisp_status.core import calendar
from crisp_status.core.events import (
    Acknowledged,
    Announced,
    Dropped,
    Noted,
    Retried,
    Silenced,
    Tested,
    Unsilenced,
    Withdrawn,
)
from crisp_status.core.model import Health
from crisp_status.core.operator_records import Announcement, Silence
from crisp_status.http import request_body
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisp_status.clock import Clock
    from crisp_status.core.model import State
    from crisp_status.http.authentication import Permissions, Proxies
    from crisp_status.http.router import Handler, Router

MAX_IGNORED: Final = 65535
"""Seconds that Vigil's clients may ask for: an unsigned 16-bit number there."""

LASTING_MAX: Final = 10 * 366 * 86400.0
"""Seconds that an announcement may stand: ten years."""

MAX_SILENCE: Final = 30 * 86400.0
"""A silence of a month is a forgotten one; longer ones are asked for as "until healthy"."""


class Manage:
    """The doors under `/manager/`."""

    def __init__(self, engine: CommandEngine, clock: Clock, gate: Permissions | None, proxies: Proxies) -> None:
        """Without a gate, management is off and every door says so."""
        self._engine = engine
        self._clock = clock
        self._gate = gate
        self._proxies = proxies

    def guard(self, handler: Handler) -> Handler:
        """The handler behind the token, which is asked for before anything is read."""

        async def guarded(request: web.BaseRequest, args: dict[str, str]) -> web.StreamResponse:
            if self._gate is None:
                raise Refused(404, "Management is off: server.manager_token is not set.")
            self._gate.check(request.headers.get("Authorization"), self._proxies.client(request))
            return await handler(request, args)

        return guarded

    def add_routes(self, router: Router) -> None:
        """Register every door."""
        doors: tuple[tuple[str, str, Callable[..., Awaitable[web.StreamResponse]]], ...] = (
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
        for method, pattern, handler in doors:
            router.add(method, pattern, self.guard(handler))

    async def announcements(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: all, those that are still to come included."""
        now = self._clock.now()
        return reply([overview.announcement(a, now) for a in (await state(self._engine)).announcements.values()])

    async def announce(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST posts one, PUT replaces the one of that id."""
        given = await request_body.read_object(request)
        held = await state(self._engine)
        new = self._announcement(given, held, args.get("id") or str(uuid4()))
        if args.get("id") and args["id"] not in held.announcements:
            raise Refused(404, "There is no announcement of that id.")
        full = Refused(409, "It stands in the configuration file and is changed there, or there are too many.")
        await submit(self._engine, Announced(announcement=new), full)
        return reply({"id": new.id})

    def _announcement(self, given: dict[str, Any], held: State, id: str) -> Announcement:
        work = json_fields.names(given, "maintenance")
        for name in work:
            if name not in held.nodes and name not in held.services:
                raise Refused(400, f'"maintenance" names {name!r}; there is no such service or service/node.')
        new = Announcement(
            id=id,
            title=json_fields.text(given, "title", required=True),
            text=json_fields.text(given, "text", json_fields.MAX_TEXT, required=not work, lines=True),
            starts_at=json_fields.moment(given, "starts_at"),
            expires_at=json_fields.moment(given, "expires_at"),
            maintenance=work,
            rrule=json_fields.text(given, "rrule"),
        )
        now = self._clock.now()
        starts = new.starts_at or now
        lasting = json_fields.number(given, "expires_in", LASTING_MAX)
        if lasting:
            new.expires_at = starts + lasting
        if new.expires_at and new.expires_at <= max(starts, 0.0 if new.rrule else now):
            raise Refused(400, '"expires_at" must be later than now and than "starts_at".')
        if new.rrule:
            _check_rule(new, starts, now, held.plan.timezone)
        return new

    async def withdraw(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE: take one down."""
        known = (await state(self._engine)).announcements.get(args["id"])
        if known is not None and known.from_file:
            raise Refused(409, "It stands in the configuration file; take it out there.")
        missing = Refused(404, "There is no announcement of that id.")
        if known is None:
            raise missing
        await submit(self._engine, Withdrawn(id=args["id"]), missing)
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
            await self._silence(seconds, "", "manager")
        return done()

    async def _silence(self, seconds: float, scope: str, by: str) -> Silence:
        until = self._clock.now() + seconds if seconds else 0.0
        new = Silence(id=str(uuid4()), until=until, created_at=0.0, scope=scope, by=by)
        unknown = Refused(404, f"There is no service or node {scope!r}, or there are too many silences.")
        await submit(self._engine, Silenced(silence=new), unknown)
        return new

    async def silences(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: what is silenced."""
        return reply([overview.silence(s) for s in (await state(self._engine)).silences.values()])

    async def silence(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"seconds", "scope"?, "by"?}`: 0 seconds is until healthy; without scope only reminders are held."""
        given = await request_body.read_object(request)
        seconds = json_fields.number(given, "seconds", MAX_SILENCE)
        if seconds is None:
            raise Refused(400, '"seconds" is missing; 0 means until healthy.')
        new = await self._silence(seconds, json_fields.text(given, "scope"), json_fields.text(given, "by"))
        return reply({"id": new.id, "until": json_fields.iso(new.until)})

    async def unsilence(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE: lift one."""
        missing = Refused(404, "There is no silence of that id.")
        if args["id"] not in (await state(self._engine)).silences:
            raise missing
        await submit(self._engine, Unsilenced(id=args["id"]), missing)
        return done()

    async def incidents(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: open ones, newest first, then the last fifty that are over."""
        return reply(overview.incidents(await state(self._engine)))

    async def acknowledge(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"by"?}`: seen; no more reminders of it."""
        given = await request_body.read_object(request)
        number = _number(args["id"])
        held = await state(self._engine)
        if held.incident(number) is None:
            raise Refused(404, f"There is no incident {number}.")
        over = Refused(409, f"Incident {number} is over; there is nothing to acknowledge.")
        await submit(self._engine, Acknowledged(incident=number, by=json_fields.text(given, "by")), over)
        return done()

    async def note(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"text", "by"?}`: a public note on the incident's timeline."""
        given = await request_body.read_object(request)
        number = _number(args["id"])
        words = json_fields.text(given, "text", json_fields.MAX_TEXT, required=True, lines=True)
        if (await state(self._engine)).incident(number) is None:
            raise Refused(404, f"There is no incident {number}.")
        full = Refused(409, f"Incident {number} has too many notes.")
        await submit(self._engine, Noted(incident=number, text=words, by=json_fields.text(given, "by")), full)
        return done()

    async def status(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: the whole tree with reasons and addresses, for operators only."""
        return reply(overview.tree(await state(self._engine), self._clock.now()))

    async def outbox(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """GET: what is undelivered and why, what is not said and why not, and the last attempts."""
        return reply(overview.outbox(await state(self._engine), self._engine.held()))

    async def retry(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST: try one, or everything, now."""
        message = args.get("id", "")
        missing = Refused(404, "There is no such message." if message else "Nothing is waiting.")
        await submit(self._engine, Retried(message=message), missing)
        return done()

    async def drop(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """DELETE: give one up."""
        await submit(self._engine, Dropped(message=args["id"]), Refused(404, "There is no such message."))
        return done()

    async def test(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """POST `{"notifier"?}`: a test message through one notifier or web hook, or all; gives the messages' ids."""
        wanted = json_fields.text(await request_body.read_object(request), "notifier")
        held = await state(self._engine)
        known = [n.id for n in held.plan.notifiers if n.enabled] + list(held.plan.webhooks)
        if wanted and wanted not in known:
            raise Refused(404, f"There is no notifier {wanted!r}; there are: {', '.join(known) or 'none'}.")
        before = set(held.outbox)
        tested, silent = [], []
        for notifier in [wanted] if wanted else known:
            try:
                await submit(self._engine, Tested(notifier=notifier), Refused(409, "nothing to send to"))
            except Refused as refused:
                if refused.status != 409:
                    raise
                silent.append(notifier)
            else:
                tested.append(notifier)
        held = await state(self._engine)
        new = [m for m in held.outbox.values() if m.kind == "test" and m.id not in before]
        messages = [{"id": m.id, "notifier": m.notifier, "target": m.target} for m in new]
        # What was delivered between the two reads is in the log already.
        seen = {m["id"] for m in messages} | before
        late = [a for a in held.attempts if a.kind == "test" and a.message not in seen and a.notifier in tested]
        newest = {a.notifier: a for a in late}
        missing = [n for n in tested if all(m["notifier"] != n for m in messages)]
        messages += [{"id": newest[n].message, "notifier": n, "target": ""} for n in missing if n in newest]
        return reply({"messages": messages, "nothing_to_send_to": silent})


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Refused(404, "An incident is named by its number.")
    return int(text)


def _check_rule(new: Announcement, starts: float, now: float, zone: str) -> None:
    wrong = rule_fault(new.rrule, "DAILY")
    if wrong:
        raise Refused(400, f'"rrule" {wrong}.')
    if not new.expires_at:
        raise Refused(400, '"rrule" needs "expires_at": how long each window is open.')
    probe = Announcement(id="", title="", starts_at=starts, expires_at=new.expires_at, rrule=new.rrule)
    try:
        found = calendar.window(probe, now, zone)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise Refused(400, f'"rrule" is not a recurrence rule of RFC 5545: {error}.') from None
    if found is None:
        raise Refused(400, '"rrule" gives no window in the next 400 days.')
