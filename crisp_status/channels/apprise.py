"""apprise: a hundred more services through the Apprise library (`pip install "crisp-status[apprise]"`)."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import Field, SecretStr, field_validator

from crisp_status.channels import ChannelError, Http, quote
from crisp_status.config.schema import NotifierOptions
from crisp_status.core.model import Health
from crisp_status.core.notice import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

URLS_MAX: Final = 20
"""Services of one notifier: each takes a thread while it is told. For more, make more notifiers."""

STUCK_MAX: Final = 2 * URLS_MAX
"""Threads that may be stuck in the library; with so many, something is wrong that one more will not mend."""

MISSING: Final = 'the Apprise library is not installed; run: pip install "crisp-status[apprise]"'

TYPES: Final = {Health.DEAD: "failure", Health.SICK: "warning", Health.HEALTHY: "success", Health.PENDING: "info"}

SECRET_MIN: Final = 6
"""Parts of an address that are shorter are no tokens, and masking them would mask words."""

_stuck = threading.BoundedSemaphore(STUCK_MAX)


class Options(NotifierOptions):
    """Keys of `type = "apprise"`."""

    urls: tuple[SecretStr, ...] = Field(min_length=1, max_length=URLS_MAX)
    """Addresses of Apprise, such as tgram://token/chat. They hold secrets."""

    @field_validator("urls")
    @classmethod
    def _readable(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if importlib.util.find_spec("apprise") is None:
            raise ValueError(MISSING)
        for place, url in enumerate(urls):
            if "://" not in url.get_secret_value():
                raise ValueError(f"urls[{place}] is not an address of Apprise, such as tgram://token/chat")
        return urls


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Tell all services at once. Those that took it are `done`, known by their place in the list."""
    places = [place for place in range(len(options.urls)) if str(place) not in notice.done]
    said = await asyncio.gather(*(_tell(options.urls[place], notice, http.timeout) for place in places))
    errors = [error for error in said if error is not None]
    if errors:
        permanent = all(error.permanent for error in errors)
        done = tuple(str(place) for place, error in zip(places, said, strict=True) if error is None)
        raise ChannelError("; ".join(error.text for error in errors), permanent, done=done)
    return f"taken by {', '.join(_scheme(url) for url in options.urls)}"


async def _tell(url: SecretStr, notice: Notice, limit: float) -> ChannelError | None:
    try:
        await _in_thread(lambda: _notify(url.get_secret_value(), notice), limit)
    except ChannelError as error:
        return ChannelError(f"{_scheme(url)}: {error.text}", error.permanent)
    return None


def _notify(url: str, notice: Notice) -> None:
    """Runs in a thread of its own: the library blocks, even where its name says `async`."""
    try:
        import apprise
    except ImportError:
        raise ChannelError(MISSING, permanent=True) from None
    asset = apprise.AppriseAsset(async_mode=False, app_id="crisp-status", app_desc=notice.page_name)
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ChannelError("Apprise does not understand this address", permanent=True)
    said = _Listener()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    try:
        taken = service.notify(title=notice.title, body=notice.text, notify_type=TYPES[notice.health])
    finally:
        logger.removeHandler(said)
    if not taken:
        # The library says only yes or no; its words are in its log. It is never known to be a no for good.
        raise ChannelError(mask(quote("; ".join(said.lines)), url) or "the service did not take it")


async def _in_thread(work: Callable[[], None], limit: float) -> None:
    """Run it in a daemon thread, and wait `limit` seconds: nobody can stop a thread.

    Those of an executor would hold up our own end for as long as they are stuck.
    """
    if not _stuck.acquire(blocking=False):
        raise ChannelError("too many calls of the Apprise library are stuck; trying again later")
    loop = asyncio.get_running_loop()
    result: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not result.done():
            result.set_exception(error) if error else result.set_result(None)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except ChannelError as refused:
            error = refused
        except Exception as broken:
            error = ChannelError(f"Apprise failed with {type(broken).__name__}")
        finally:
            _stuck.release()
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="apprise", daemon=True).start()
    try:
        async with asyncio.timeout(limit):
            await result
    except TimeoutError:
        raise ChannelError(f"no answer within {limit:g} s") from None


class _Listener(logging.Handler):
    """Keeps the warnings that the library logs in the thread in which it was made."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if record.thread == self._thread and len(self.lines) < 5:
            self.lines.append(record.getMessage())


def mask(text: str, url: str) -> str:
    """The text without any part of the address that could be a token."""
    rest = url.partition("://")[2]
    for separator in "/?&=@:,":
        rest = rest.replace(separator, " ")
    for part in sorted(rest.split(), key=len, reverse=True):
        for spelling in (part, unquote(part)):
            if len(spelling) >= SECRET_MIN:
                text = text.replace(spelling, "<secret>")
    return text


def _scheme(url: SecretStr) -> str:
    return quote(url.get_secret_value().partition("://")[0], 20)
