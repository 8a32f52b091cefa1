"""A copy of the page in S3-compatible object storage, at each change: `[publish] bucket`. It outlives this machine.

Laws
- Only what changed is sent. After a start that is told by what the bucket says of its objects, not by a memory of ours.
- What pages name goes first, pages after it, the first page last: no visitor sees half a change. What fails holds back the rest.
- An object is taken away only when this process has put it there, and its document is gone.
- Keys come with each configuration, so that a reload is enough to change them; a bucket that refuses them is asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from datetime import timedelta
from hashlib import md5
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from crisp_status import log
from crisp_status.formats.export import documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import S3Store

    from crisp_status.config.sections import PublishSection
    from crisp_status.formats.export import Exported
    from crisp_status.formats.exposition import Counters
    from crisp_status.formats.routes import Table
    from crisp_status.view.page_view import PageView

REST_SECONDS: Final = 5.0
"""At most one change in this time."""
RETRY_FIRST: Final = 5.0
RETRY_MOST: Final = 300.0
"""Seconds after a failure, doubled from the first to the most."""
REQUEST_SECONDS: Final = 60.0
"""For one object with its own tries; a bucket that is slower is not there."""
TRIES: Final = 3
AT_ONCE: Final = 8
"""Objects under way."""
MADE_AT_ONCE: Final = 32
"""Documents made and held in memory: a large page has thousands, of which few change."""


class _Target(NamedTuple):
    """Where to; what is known of one is nothing for another."""

    endpoint: str
    region: str
    bucket: str
    prefix: str


class ObjectStorage:
    """The loop. `configure` may be called again at any time."""

    def __init__(
        self, counters: Counters, *, rest_seconds: float = REST_SECONDS, retry_first: float = RETRY_FIRST
    ) -> None:
        """Without a bucket nothing is sent."""
        self._counters = counters
        self._rest_seconds = rest_seconds
        self._retry_first = retry_first
        self._store: S3Store | None = None
        self._target: _Target | None = None
        self._table: Table | None = None
        self._view: PageView | None = None
        self._there: dict[str, str] | None = None
        """MD5 by name of what the bucket holds; None: it was not asked yet."""
        self._ours: set[str] = set()
        """Names that this process has put there."""
        self._offered = asyncio.Event()
        self._configured = asyncio.Event()
        self.idle = False
        """Whether all that was offered is there."""

    def configure(self, section: PublishSection, table: Table) -> None:
        """Send there from now on."""
        target = _Target(section.endpoint, section.region, section.bucket, section.prefix) if section.bucket else None
        self._store = store_of(section) if target is not None else None
        if target != self._target:
            self._target, self._there, self._ours = target, None, set()
        self._table = table
        self._configured.set()
        if self._view is not None and target is not None:
            self._offered.set()

    def offer(self, view: PageView) -> None:
        """There is something new to send."""
        self._view, self.idle = view, False
        if self._store is not None:
            self._offered.set()

    async def run(self) -> None:
        """Send until cancelled; a failure is told once, and tried again with what is newest then."""
        trouble, failures = "", 0
        while True:
            await self._offered.wait()
            self._offered.clear()
            self._configured.clear()
            store, table, view = self._store, self._table, self._view
            if store is None or table is None or view is None:
                continue
            try:
                await self._send(store, view, table)
            except Exception as error:
                if not _of_storage(error):
                    raise
                self._counters.uploads_failed += 1
                reason = _reason(error)
                if reason != trouble:
                    log.get().error("the page could not be published", bucket=self._bucket, reason=reason)
                trouble, failures = reason, failures + 1
                self._offered.set()
                wait = min(RETRY_MOST, self._retry_first * 2.0 ** min(failures - 1, 10))
                await self._pause(wait * random.uniform(0.8, 1.0))
            else:
                if failures:
                    log.get().info("the page is published again", bucket=self._bucket)
                trouble, failures, self.idle = "", 0, not self._offered.is_set()
                await asyncio.sleep(self._rest_seconds)

    @property
    def _bucket(self) -> str:
        return self._target.bucket if self._target is not None else ""

    async def _pause(self, seconds: float) -> None:
        """Wait, unless another configuration comes: it may be what was wrong."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._configured.wait()

    async def _send(self, store: S3Store, view: PageView, table: Table) -> None:
        there = self._there if self._there is not None else await _listed(store)
        self._there = there
        made = documents(view, table)
        names: set[str] = set()
        last: list[Exported] = []
        while batch := await asyncio.to_thread(_next, made):
            names.update(one.name for one in batch)
            last += [one for one in batch if one.is_home]
            await self._put_all(store, there, [one for one in batch if not one.is_home])
        await self._put_all(store, there, last)
        for gone in sorted(self._ours - names):
            await _in_time(store.delete_async(gone))
            self._ours.discard(gone)
            there.pop(gone, None)

    async def _put_all(self, store: S3Store, there: dict[str, str], batch: list[Exported]) -> None:
        limit = asyncio.Semaphore(AT_ONCE)

        async def put(one: Exported, digest: str) -> None:
            async with limit:
                attributes = {"Content-Type": one.content_type, "Cache-Control": one.cache}
                await _in_time(store.put_async(one.name, one.body, attributes=attributes, use_multipart=False))
            there[one.name] = digest
            self._counters.uploads += 1

        digests = {one.name: md5(one.body, usedforsecurity=False).hexdigest() for one in batch}
        self._ours.update(digests)
        changed = [put(one, digests[one.name]) for one in batch if there.get(one.name) != digests[one.name]]
        failed = [e for e in await asyncio.gather(*changed, return_exceptions=True) if isinstance(e, BaseException)]
        if failed:
            raise failed[0]


def _next(made: Iterator[Exported]) -> list[Exported]:
    return list(islice(made, MADE_AT_ONCE))


def store_of(section: PublishSection) -> S3Store:
    """The bucket of a configuration, which was checked: the library is there."""
    from obstore.store import S3Store

    options: dict[str, Any] = {"virtual_hosted_style_request": False}
    if section.endpoint:
        options["endpoint"] = section.endpoint
    if section.access_key is not None and section.secret_key is not None:
        options["access_key_id"] = section.access_key.get_secret_value()
        options["secret_access_key"] = section.secret_key.get_secret_value()
    return S3Store(
        section.bucket,
        prefix=section.prefix or None,
        region=section.region,
        client_options={"allow_http": section.endpoint.startswith("http://"), "timeout": timedelta(seconds=20)},
        retry_config={"max_retries": TRIES, "retry_timeout": timedelta(seconds=REQUEST_SECONDS / 2)},
        **options,
    )


async def _listed(store: S3Store) -> dict[str, str]:
    """What the bucket holds under our prefix, with what it says of the content."""
    found: dict[str, str] = {}
    async with asyncio.timeout(REQUEST_SECONDS):
        async for part in store.list():
            found.update({one["path"]: (one["e_tag"] or "").strip('"') for one in part})
    return found


async def _in_time(work: Any) -> None:
    async with asyncio.timeout(REQUEST_SECONDS):
        await work


def _of_storage(error: Exception) -> bool:
    """Whether the bucket or the way there is the reason, and not a mistake of ours."""
    from obstore.exceptions import BaseError

    return isinstance(error, BaseError | OSError | TimeoutError)


def _reason(error: Exception) -> str:
    """One line for the log, without what may be a key in an answer."""
    if isinstance(error, TimeoutError):
        return f"no answer within {REQUEST_SECONDS:g} s"
    text = str(error).split("Debug source:", maxsplit=1)[0]
    return log.redactor.text(log.printable(" ".join(text.split())))[:400]
