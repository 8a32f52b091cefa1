"""Bring what is owed to those it is owed to. One worker a notifier: a slow one delays nobody else.

Laws
- The outbox in the state is the only queue; a message leaves it by an event, after the receiver said yes.
- Of one incident the older message goes first to each target, so that nobody hears of an end before its beginning; so
  it is with the hooks of a page. But nothing waits for ever: a message that was refused, or has failed for
  `PATIENCE_SECONDS`, holds up those behind it no longer. (An older hook leaves when a newer one was delivered.)
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol

from crisp_status import log
from crisp_status.channels import ChannelError
from crisp_status.core.events import Delivered, NotDelivered, Unsubscribed
from crisp_status.core.outbox_records import MESSAGES
from crisp_status.engine import EngineTrouble
from crisp_status.loops import finish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crisp_status.clock import Clock
    from crisp_status.core.model import Message, State
    from crisp_status.engine import Engine
    from crisp_status.formats.exposition import Counters

SEND_SECONDS: Final = 900.0
"""A sender that is not done by then has a bug: channels limit each of their steps, and the longest is ten minutes."""

PATIENCE_SECONDS: Final = 600.0
"""So long what is newer waits behind a message that fails."""

IDLE_SECONDS: Final = 5.0
"""The outbox is looked at this often even if nothing seems due: the clock may have been set."""


class MessageSender(Protocol):
    """One notifier or web hook, ready to send."""

    async def send(self, message: Message, state: State) -> str:
        """Send `message`; what the receiver answered. Raises `ChannelError`."""


class Deliverer:
    """The loop. `configure` may be called again at any time."""

    def __init__(self, engine: Engine, clock: Clock, counters: Counters) -> None:
        """Deliver what `engine` owes."""
        self._engine = engine
        self._clock = clock
        self._counters = counters
        self._senders: dict[str, MessageSender] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def configure(self, senders: dict[str, MessageSender]) -> None:
        """Send through these from now on."""
        self._senders = senders
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled. An attempt that does not end soon then is given up: it is still owed."""
        watcher = asyncio.create_task(self._watch())
        try:
            while True:
                self._wake.clear()
                wait = await self._start_due()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
        finally:
            watcher.cancel()
            await finish([watcher, *self._busy.values()])

    async def _watch(self) -> None:
        revision = self._engine.revision
        while True:
            revision = await self._engine.changed(revision)
            self._wake.set()

    async def _start_due(self) -> float:
        """Start a worker for each notifier that has something due; seconds until the next is."""
        state = await self._engine.read()
        now = self._clock.now()
        wait = IDLE_SECONDS
        for notifier, message in next_messages(state.outbox.values(), self._busy, now).items():
            if notifier not in self._senders:
                await self._gone(message)
            elif message.due_at <= now:
                task = asyncio.create_task(self._deliver(notifier, message.id))
                self._busy[notifier] = task
                task.add_done_callback(lambda _, which=notifier: self._free(which))  # type: ignore[misc]
            else:
                wait = min(wait, message.due_at - now)
        return max(wait, 0.01)

    def _free(self, notifier: str) -> None:
        self._busy.pop(notifier, None)
        self._wake.set()

    async def _gone(self, message: Message) -> None:
        if message.due_at > self._clock.now():
            return
        text = f"there is no notifier {message.notifier!r} in the configuration any more"
        await self._settled(NotDelivered(message=message.id, error=text, permanent=True))

    async def _deliver(self, notifier: str, message_id: str) -> None:
        state = await self._engine.read()
        message = state.outbox.get(message_id)
        if message is None or not self._engine.leads:
            return
        say = log.get(notifier=notifier, message=message.id, kind=message.kind)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                answer = await self._senders[notifier].send(message, state)
        except ChannelError as error:
            await self._failed(message, error)
            say.warning("not delivered", reason=error.text, permanent=error.permanent)
            return
        except TimeoutError:
            await self._failed(message, ChannelError(f"no end within {SEND_SECONDS:g} s"))
            say.warning("not delivered", reason="it took too long")
            return
        except Exception as error:
            await self._failed(message, ChannelError(f"the channel has a bug: {type(error).__name__}"))
            say.exception("a channel broke; this is a bug, please report it")
            return
        self._counters.deliveries += 1
        await self._settled(Delivered(message=message.id, detail=answer))
        say.info("delivered", answer=answer)

    async def _failed(self, message: Message, error: ChannelError) -> None:
        self._counters.deliveries_failed += 1
        for target in error.done:
            await self._settled(Delivered(message=message.id, target=target))
        if error.gone and message.target and await self._settled(Unsubscribed(id=message.target)):
            return
        words = log.redactor.text(error.text)  # a receiver may quote what we sent
        await self._settled(
            NotDelivered(
                message=message.id,
                error=words,
                permanent=error.permanent or error.final or error.gone,
                retry_after=error.retry_after,
                final=error.final or error.gone,
            )
        )

    async def _settled(self, event: Delivered | NotDelivered | Unsubscribed) -> bool:
        """Hand in what came of it and wait until the state has it, so that it is not started again; whether it took it."""
        if self._engine.trouble:
            await self._engine.submit(event)
            await asyncio.sleep(0.1)
            return True
        with contextlib.suppress(EngineTrouble):  # it is in the state already, and saved as soon as the disk works
            return await self._engine.commit(event)
        return True


def next_messages(messages: Iterable[Message], busy: Iterable[str], now: float) -> dict[str, Message]:
    """The message that each idle notifier sends next: the first due of those that no older one holds up.

    An older message of the same incident and target holds up a newer one. What belongs to no incident, such as a test,
    waits for nothing before it; hooks wait for each other, and so does what is told of announced work.
    """
    taken = set(busy)
    held_up: set[tuple[str, str, int]] = set()
    first: dict[str, Message] = {}
    for message in messages:
        if message.notifier in taken:
            continue
        line = (message.notifier, message.target, message.incident or -MESSAGES[message.kind].queue)
        if line[2]:
            if line in held_up:
                continue
            if not gives_way(message, now):
                held_up.add(line)
        known = first.get(message.notifier)
        if known is None or message.due_at < known.due_at:
            first[message.notifier] = message
    return first


def gives_way(message: Message, now: float) -> bool:
    """Whether what is newer goes before it."""
    return message.refusals > 0 or (message.attempts > 1 and now - message.created_at > PATIENCE_SECONDS)
