"""What the web needs of the engine, and how its answers become HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web

from crisp_status import log
from crisp_status.http.error_responses import Refused, json_bytes

if TYPE_CHECKING:
    from crisp_status.core.events import AnyEvent
    from crisp_status.core.model import State

RETRY_AFTER: Final = "10"
"""Seconds to wait when the engine cannot write: a full disk is not emptied faster."""


class CommandEngine(Protocol):
    """The one writer, as far as requests use it."""

    async def commit(self, event: AnyEvent) -> bool:
        """Let it happen and wait until it is durable; False: the state refused it."""

    async def read(self) -> State:
        """The state, consistent and durable until the next await."""

    def held(self) -> list[tuple[int, str, str, str]]:
        """(incident, notifier, node, reason) of everything bad that somebody is not told now."""


async def submit(engine: CommandEngine, event: AnyEvent, refused: Refused) -> None:
    """Carry an operator's word; raises `refused` when the state cannot take it, Refused 503 when it cannot be kept."""
    if not await accepted(engine, event):
        raise refused


async def accepted(engine: CommandEngine, event: AnyEvent) -> bool:
    """Whether the state took it; Refused 503 when it cannot be kept."""
    try:
        return await engine.commit(event)
    except Exception as error:
        log.get().error("operator's word not kept", word=type(event).__name__, error=str(error))
        raise unavailable() from None


async def state(engine: CommandEngine) -> State:
    """The state; Refused 503 when the engine has stopped."""
    try:
        return await engine.read()
    except Exception as error:
        log.get().error("state not readable", error=str(error))
        raise unavailable() from None


def unavailable() -> Refused:
    """When the engine is in trouble."""
    return Refused(
        503,
        "The daemon cannot write it down now. Look whether it was kept before you send it again.",
        {"Retry-After": RETRY_AFTER},
    )


def reply(value: Any, status: int = 200) -> web.Response:
    """A JSON answer that nobody caches."""
    body = json_bytes(value)
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, body=body, headers=headers)


def done() -> web.Response:
    """Done, nothing to say: 200 and an empty body, as Vigil's clients expect."""
    return web.Response(status=200, headers={"Cache-Control": "no-store"})
