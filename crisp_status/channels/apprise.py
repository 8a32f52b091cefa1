"""apprise: a hundred more services through the Apprise library (`pip install "crisp-status[apprise]"`)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import msgspec
from pydantic import Field, SecretStr, field_validator

from crisp_status.channels import ChannelError, Http, all_at_once, quote
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.model import Health
from crisp_status.core.notice import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URLS_MAX: Final = 20
"""Services of one notifier: each takes a thread while it is told. For more, make more notifiers."""

MISSING: Final = 'the Apprise library is not installed; run: pip install "crisp-status[apprise]"'

TYPES: Final = {Health.DEAD: "failure", Health.SICK: "warning", Health.HEALTHY: "success", Health.PENDING: "info"}

SECRET_MIN: Final = 6
"""Parts of an address that are shorter are no tokens, and masking them would mask words."""

PROGRAM: Final = Path(__file__).with_name("_apprise.py")

PRIVATE: Final = ("CRISP_STATUS_", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY", "MAINPID")
"""Variables that are between us and our service manager, or secrets of the configuration: not for the library."""

END_WAIT: Final = 1.0
"""Seconds for the kernel to end the process."""


class Options(NotifierOptions):
    """Keys of `type = "apprise"`."""

    urls: tuple[SecretStr, ...] = Field(min_length=1, max_length=URLS_MAX)
    """Addresses of Apprise, such as tgram://token/chat. They hold secrets."""

    ca_file: str | None = None
    """PEM file with the authority that signed the services' certificates, when it is your own."""

    @field_validator("urls")
    @classmethod
    def _readable(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if importlib.util.find_spec("apprise") is None:
            raise ValueError(MISSING)
        for place, url in enumerate(urls):
            if "://" not in url.get_secret_value():
                raise ValueError(f"urls[{place}] is not an address of Apprise, such as tgram://token/chat")
        return urls


class _WorkerOutput(msgspec.Struct):
    """A line of the process (`_apprise.py`)."""

    place: str
    outcome: str
    words: str


_DECODER: Final = msgspec.json.Decoder(_WorkerOutput)


targets = all_at_once


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Tell all services at once. Those that took it are `done`, known by their place in the list."""
    urls = {str(place): url for place, url in enumerate(options.urls) if str(place) not in notice.done}
    said = await _outcomes(
        {place: url.get_secret_value() for place, url in urls.items()}, notice, http.timeout, options.ca_file
    )
    errors = {place: error for place, error in said.items() if error is not None}
    if errors:
        permanent = all(error.permanent for error in errors.values())
        done = tuple(place for place in urls if place not in errors)
        words = "; ".join(f"{_scheme(urls[place])}: {error.text}" for place, error in errors.items())
        raise ChannelError(words, permanent, done=done)
    return f"taken by {', '.join(_scheme(url) for url in options.urls)}"


async def _outcomes(
    urls: dict[str, str], notice: Notice, limit: float, ca_file: str | None
) -> dict[str, ChannelError | None]:
    """What came of each service. Those that said nothing within `limit` seconds are left without an answer."""
    order = msgspec.json.encode(
        {
            "urls": urls,
            "page": notice.page_name,
            "title": notice.title,
            "text": notice.text,
            "type": TYPES[notice.health],
        }
    )
    found: dict[str, ChannelError | None] = {}
    silent = ChannelError(f"no answer within {limit:g} s")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit), _library(ca_file) as (orders, answers):
            with contextlib.suppress(ConnectionError):
                orders.write(order)
                await orders.drain()
            orders.close()
            async for line in answers:
                one = _DECODER.decode(line)
                found[one.place] = _error(one, urls[one.place])
            silent = ChannelError("the Apprise library ended without a word")
    return {place: found.get(place, silent) for place in urls}


def _error(said: _WorkerOutput, url: str) -> ChannelError | None:
    if said.outcome == "taken":
        return None
    if said.outcome == "missing":
        return ChannelError(MISSING, permanent=True)
    if said.outcome == "unknown":
        return ChannelError("Apprise does not understand this address", permanent=True)
    if said.outcome == "broken":
        return ChannelError(f"Apprise failed with {quote(said.words)}")
    # Of its words nobody knows whether they are a no for good.
    return ChannelError(quote(mask(said.words, url)) or "the service did not take it")


@contextlib.asynccontextmanager
async def _library(ca_file: str | None) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """The library in a process of its own, which does not outlive this: where it takes orders, and says what it did."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
    if ca_file is not None:
        environ |= {"REQUESTS_CA_BUNDLE": ca_file, "SSL_CERT_FILE": ca_file}
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # our own `email.py` stands beside it
            str(PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=environ,
        )
    except OSError as error:
        raise ChannelError(f"the Apprise library could not be started: {error.strerror}") from None
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdin, process.stdout
    finally:
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.wait((asyncio.ensure_future(process.wait()),), timeout=END_WAIT)


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
