"""What operators can do, once: `api/manage` calls it for JSON, `console/` for forms.

Each function carries one command to the engine and returns when it is durable. What cannot be done raises `Refused`
with a sentence for people; then nothing has changed. `by` is the name of the operator, for the audit log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from crisp_status.api.submit import CommandEngine, state, submit
from crisp_status.config.recurrence import rule_fault
from crisp_status.core import calendar
from crisp_status.core.events import (
    Acknowledged,
    Announced,
    Dropped,
    IncidentCorrected,
    IncidentMerged,
    IncidentOpened,
    IncidentStruck,
    Noted,
    PostmortemWritten,
    Retried,
    Silenced,
    Tested,
    Unsilenced,
    Withdrawn,
)
from crisp_status.core.operator_records import Announcement, Silence
from crisp_status.core.outbox_records import MessageKind
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from crisp_status.core.model import State

MAX_SILENCE: Final = 30 * 86400.0
"""Seconds. Longer silences are forgotten ones; they are asked for as "until healthy"."""


CORRECTABLE: Final = (
    "An incident that is over must end after it began, and not in the future; one that goes on has no end yet."
)
MERGEABLE: Final = "Only an incident that is over can be merged, once, into another one that visitors can see."
STRIKABLE: Final = "Only an incident that is over can be struck out, once. While it goes on, silence its node instead."


async def announce(
    engine: CommandEngine, new: Announcement, now: float, *, by: str = "", replace: bool = False
) -> None:
    """Post an announcement, or replace the one of that id. Checks its nodes, its times and its recurrence rule."""
    held = await state(engine)
    if replace and new.id not in held.announcements:
        raise Refused(404, "There is no announcement of that id.")
    check_announcement(new, held, now)
    full = Refused(409, "It stands in the configuration file and is changed there, or there are too many.")
    await submit(engine, Announced(announcement=new, by=by), full)


def check_announcement(new: Announcement, held: State, now: float) -> None:
    """Raise `Refused` 400 with what is wrong in an announcement."""
    for name in new.maintenance:
        if name not in held.nodes and name not in held.services:
            raise Refused(400, f'"maintenance" names {name!r}; there is no such service or service/node.')
    starts = new.starts_at or now
    if new.expires_at and new.expires_at <= max(starts, 0.0 if new.rrule else now):
        raise Refused(400, '"expires_at" must be later than now and than "starts_at".')
    if new.rrule:
        _check_rule(new, starts, now, held.plan.timezone)


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


async def withdraw(engine: CommandEngine, id: str, by: str = "") -> None:
    """Take an announcement down."""
    known = (await state(engine)).announcements.get(id)
    missing = Refused(404, "There is no announcement of that id.")
    if known is None:
        raise missing
    if known.from_file:
        raise Refused(409, "It stands in the configuration file; take it out there.")
    await submit(engine, Withdrawn(id=id, by=by), missing)


async def silence(engine: CommandEngine, seconds: float, scope: str, by: str, now: float) -> Silence:
    """Hold reminders, or every notice of the service or node `scope`; 0 seconds is until healthy."""
    new = Silence(id=str(uuid4()), until=now + seconds if seconds else 0.0, created_at=0.0, scope=scope, by=by)
    unknown = Refused(404, f"There is no service or node {scope!r}, or there are too many silences.")
    await submit(engine, Silenced(silence=new, by=by), unknown)
    return new


async def unsilence(engine: CommandEngine, id: str, by: str = "") -> None:
    """Lift one silence."""
    missing = Refused(404, "There is no silence of that id.")
    if id not in (await state(engine)).silences:
        raise missing
    await submit(engine, Unsilenced(id=id, by=by), missing)


def incident_number(text: str) -> int:
    """The number of an incident, as it stands in an address."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Refused(404, "An incident is named by its number.")
    return int(text)


async def acknowledge(engine: CommandEngine, number: int, by: str) -> None:
    """Somebody has seen the incident: no more reminders of it."""
    if (await state(engine)).incident(number) is None:
        raise Refused(404, f"There is no incident {number}.")
    over = Refused(409, f"Incident {number} is over; there is nothing to acknowledge.")
    await submit(engine, Acknowledged(incident=number, by=by), over)


async def write_update(engine: CommandEngine, new: Noted) -> None:
    """Add an operator's update to an incident."""
    if (await state(engine)).incident(new.incident) is None:
        raise Refused(404, f"There is no incident {new.incident}.")
    await submit(engine, new, Refused(409, f"Incident {new.incident} has too many notes."))


async def retry(engine: CommandEngine, message: str, by: str = "", to: str = "") -> None:
    """Try an undelivered message now; "" tries all. `to`: send it, or all of vanished receivers, to that notifier."""
    missing = Refused(404, "There is no such message." if message else "Nothing is waiting.")
    if to:
        await _check_receiver(engine, to)
        what = "There is no such message" if message else "Nothing is waiting for a notifier that has vanished"
        missing = Refused(404, f"{what}, or {to!r} cannot take it.")
    await submit(engine, Retried(message=message, to=to, by=by), missing)


async def _check_receiver(engine: CommandEngine, to: str) -> None:
    plan = (await state(engine)).plan
    known = [n.id for n in plan.notifiers if n.enabled] + list(plan.webhooks)
    if to not in known:
        raise Refused(404, f"There is no notifier {to!r}; there are: {', '.join(known) or 'none'}.")


async def drop(engine: CommandEngine, message: str, by: str = "") -> None:
    """Give an undelivered message up."""
    await submit(engine, Dropped(message=message, by=by), Refused(404, "There is no such message."))


async def send_tests(engine: CommandEngine, wanted: str = "", by: str = "") -> dict[str, Any]:
    """Send a test message through one notifier or web hook, or all.

    Gives `messages` (id, notifier, target of each) and `nothing_to_send_to` (ids of notifiers without a recipient).
    """
    held = await state(engine)
    known = [n.id for n in held.plan.notifiers if n.enabled] + list(held.plan.webhooks)
    if wanted and wanted not in known:
        raise Refused(404, f"There is no notifier {wanted!r}; there are: {', '.join(known) or 'none'}.")
    before = set(held.outbox)
    tested, silent = [], []
    for notifier in [wanted] if wanted else known:
        try:
            await submit(engine, Tested(notifier=notifier, by=by), Refused(409, "nothing to send to"))
        except Refused as refused:
            if refused.status != 409:
                raise
            silent.append(notifier)
        else:
            tested.append(notifier)
    held = await state(engine)
    new = [m for m in held.outbox.values() if m.kind is MessageKind.TEST and m.id not in before]
    messages = [{"id": m.id, "notifier": m.notifier, "target": m.target} for m in new]
    # What was delivered between the two reads is in the attempts log already.
    seen = {m["id"] for m in messages} | before
    late = [a for a in held.attempts if a.kind is MessageKind.TEST and a.message not in seen and a.notifier in tested]
    newest = {a.notifier: a for a in late}
    missing = [n for n in tested if all(m["notifier"] != n for m in messages)]
    messages += [{"id": newest[n].message, "notifier": n, "target": ""} for n in missing if n in newest]
    return {"messages": messages, "nothing_to_send_to": silent}


async def open_incident(engine: CommandEngine, new: IncidentOpened) -> None:
    """Open an incident by hand."""
    held = await state(engine)
    for key in new.nodes:
        if key not in held.nodes:
            raise Refused(400, f"There is no node {key!r}.")
    await submit(engine, new, Refused(409, "Too many incidents are open by hand; end one of them first."))


async def edit_incident(
    engine: CommandEngine, event: IncidentCorrected | IncidentStruck | IncidentMerged | PostmortemWritten, sentence: str
) -> None:
    """Change an incident; `sentence` says what is expected when the state does not take it."""
    if (await state(engine)).incident(event.incident) is None:
        raise Refused(404, f"There is no incident {event.incident}.")
    await submit(engine, event, Refused(409, sentence))
