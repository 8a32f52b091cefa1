"""Tell subscribers: one lane a kind, one message in flight in each, at a rate. Operators' alerts have another loop.

An answer is durable before the next message goes out, so a kill loses nobody and repeats at most the message in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.channels import ChannelError, redact
from crisp_status.core import bulletins
from crisp_status.core.subscriber_events import (
    BulletinFailed,
    BulletinFinished,
    BulletinSent,
    ConfirmationSent,
    HookOwnerTold,
)
from crisp_status.core.subscriber_records import KINDS
from crisp_status.engine import EngineTrouble
from crisp_status.loops import finish
from crisp_status.loops.subscriber_ways import BulletinTexts, MailWay, Rejected, SubscriberWay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisp_status.clock import Clock
    from crisp_status.core.events import AnyEvent
    from crisp_status.core.model import State
    from crisp_status.core.subscriber_records import Bulletin, Lane, Subscriber
    from crisp_status.engine import Engine

IDLE_SECONDS: Final = 60.0
"""How long a lane sleeps when nothing is to do and nothing happens."""

SEND_SECONDS: Final = 660.0
"""Nothing takes longer: ten minutes after the end of a mail's data, and a minute for the rest."""

PAUSE_FIRST: Final = 5.0
PAUSE_MOST: Final = 600.0
"""Seconds after a failure that concerns everybody, such as a mail server that is away; each doubles the next."""

DOUBT: Final = 10
"""So many failures of single subscribers in a row look like one that concerns everybody."""


class SubscriberLanes:
    """A task for each kind of subscriber."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        """Nothing is sent before `configure`."""
        self._engine = engine
        self._clock = clock
        self._words: BulletinTexts | None = None
        self._ways: Mapping[str, SubscriberWay] = {}
        self._gap = 0.1

    def configure(self, words: BulletinTexts, ways: Mapping[str, SubscriberWay], per_minute: int) -> None:
        """Take these from now on."""
        self._words, self._ways, self._gap = words, ways, 60.0 / per_minute

    async def run(self) -> None:
        """Tell until cancelled."""
        lanes = [asyncio.create_task(_Lane(self, kind).run()) for kind in KINDS]
        try:
            await asyncio.gather(*lanes)
        finally:
            await finish(lanes)


class _Lane:
    """All that is sent to one kind of subscriber, in order."""

    def __init__(self, lanes: SubscriberLanes, kind: str) -> None:
        self._all = lanes
        self._kind = kind
        self._engine, self._clock = lanes._engine, lanes._clock
        self._rosters: dict[int, list[int]] = {}
        """Of bulletins under way: who is still to be told, the last one first."""
        self._pause = 0.0
        self._doubts = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        while True:
            revision = self._engine.revision
            way = self._all._ways.get(self._kind)
            if self._engine.trouble or not self._engine.leads:
                await asyncio.sleep(1.0)
                continue
            if way is None:
                await self._skip()
                await self._engine.changed(revision)
                continue
            worked, wait = await self._one(way)
            if worked:
                free_at = max(free_at, loop.time() - self._all._gap) + self._all._gap
                if free_at > loop.time():
                    await asyncio.sleep(free_at - loop.time())
                if self._pause:
                    await way.rest()
                    await asyncio.sleep(self._pause)
                continue
            await way.rest()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, min(wait, IDLE_SECONDS))):
                    await self._engine.changed(revision)

    async def _skip(self) -> None:
        """This kind is switched off: nobody of it is told."""
        state, now = await self._engine.read(), self._clock.now()
        for bulletin in list(state.audience.bulletins.values()):
            lane = bulletin.lanes.get(self._kind)
            if lane is not None and not lane.done and bulletin.due_at <= now:
                await self._commit(BulletinFinished(bulletin=bulletin.id, kind=self._kind))

    async def _one(self, way: SubscriberWay) -> tuple[bool, float]:
        """Send one message; else how long nothing is due."""
        state, now = await self._engine.read(), self._clock.now()
        waits = [IDLE_SECONDS]
        for token, pending in state.audience.pending.items():
            if pending.due_at and pending.subscriber.kind == self._kind:
                if pending.due_at <= now:
                    await self._send_link(way, token, pending.subscriber, state)
                    return True, 0.0
                waits.append(pending.due_at - now)
        if isinstance(way, MailWay) and state.audience.stopped:
            await self._send_stopped(way, state.audience.stopped[0], state)
            return True, 0.0
        for bulletin in list(state.audience.bulletins.values()):
            lane = bulletin.lanes.get(self._kind)
            if lane is None or (lane.done and not lane.deferred):
                continue
            if bulletin.due_at > now:
                waits.append(bulletin.due_at - now)
                continue
            id = self._next(bulletin, lane, state, now, waits)
            if id is not None:
                await self._send_bulletin(way, bulletin, id, state.subscribers[id], state)
                return True, 0.0
            if not lane.done:
                self._rosters.pop(bulletin.id, None)
                await self._commit(BulletinFinished(bulletin=bulletin.id, kind=self._kind))
                return False, 0.0
        return False, min(waits)

    def _next(self, bulletin: Bulletin, lane: Lane, state: State, now: float, waits: list[float]) -> int | None:
        """Who is told next: whoever failed before and whose time has come, else the next of the roster."""
        for id, deferred in lane.deferred.items():
            if deferred.due_at <= now and id in state.subscribers:
                return id
            waits.append(deferred.due_at - now)
        if lane.done:
            return None
        roster = self._rosters.get(bulletin.id)
        if roster is None:
            members = state.subscribers.items()
            roster = [i for i, s in members if s.kind == self._kind and bulletins.concerns(bulletin, i, s)]
            roster.sort(reverse=True)
            self._rosters[bulletin.id] = roster
        while roster:
            id = roster[-1]
            known = state.subscribers.get(id)
            if id > lane.cursor and known is not None and bulletins.concerns(bulletin, id, known):
                return id
            roster.pop()
        return None

    async def _send_bulletin(
        self, way: SubscriberWay, bulletin: Bulletin, id: int, subscriber: Subscriber, state: State
    ) -> None:
        words = self._all._words
        assert words is not None
        said, seen = words.of(bulletin, subscriber, state)
        event: AnyEvent = BulletinSent(bulletin=bulletin.id, kind=self._kind, subscriber=id, seen=seen)
        try:
            if said is not None:
                async with asyncio.timeout(SEND_SECONDS):
                    await way.send(bulletin, said, id, subscriber)
        except Rejected as error:
            event = BulletinFailed(
                bulletin=bulletin.id,
                kind=self._kind,
                subscriber=id,
                error=log.redactor.text(error.text),
                outcome=error.outcome,
                retry_after=error.retry_after,
            )
            self._doubts += error.outcome == "later"
        except (ChannelError, TimeoutError) as error:
            self._trouble(error)
            return
        except Exception as error:
            log.get().exception("a message to subscribers broke; this is a bug, please report it")
            event = BulletinFailed(
                bulletin=bulletin.id, kind=self._kind, subscriber=id, error=f"a bug: {type(error).__name__}"
            )
        else:
            self._doubts = 0
        self._pause = PAUSE_FIRST if self._doubts and self._doubts % DOUBT == 0 else 0.0
        await self._commit(event)

    async def _send_link(self, way: SubscriberWay, token: str, subscriber: Subscriber, state: State) -> None:
        event = ConfirmationSent(token=token)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await way.send_link(subscriber, token, state)
        except Rejected as error:
            event = ConfirmationSent(
                token=token, error=log.redactor.text(error.text), final=error.outcome in {"bounced", "gone"}
            )
        except (ChannelError, TimeoutError) as error:
            self._trouble(error)
            return
        self._pause = 0.0
        await self._commit(event)

    async def _send_stopped(self, way: MailWay, id: int, state: State) -> None:
        known = state.subscribers.get(id)
        try:
            if known is not None:
                async with asyncio.timeout(SEND_SECONDS):
                    await way.send_stopped(id, known, redact(known.address))
        except Rejected:
            pass  # it is stopped all the same; the console shows it
        except (ChannelError, TimeoutError) as error:
            self._trouble(error)
            return
        await self._commit(HookOwnerTold(id=id))

    def _trouble(self, error: Exception) -> None:
        """What fails concerns everybody: nobody is counted as failed, and it is tried again after a pause."""
        if not self._pause:
            log.get().warning("subscribers wait", kind=self._kind, reason=getattr(error, "text", "it took too long"))
        self._pause = min(max(PAUSE_FIRST, self._pause * 2), PAUSE_MOST)

    async def _commit(self, event: AnyEvent) -> None:
        with contextlib.suppress(EngineTrouble):  # it is in the state already, and saved as soon as the disk works
            await self._engine.commit(event)
