"""The documents of the page, ready to send: made once a revision off the request path, found by one look in a table.

A request waits for a renderer only when nobody has asked for that document in the last quarter of an hour.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status import log
from crisp_status.formats.exposition import Counters
from crisp_status.formats.routes import DocumentCall, Made, Table
from crisp_status.http import negotiation
from crisp_status.http.responses import Dater, Document, ReadyBytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crisp_status.clock import Clock
    from crisp_status.http.private_page import PrivatePage
    from crisp_status.view.page_view import PageView

KEPT_SECONDS: Final = 900.0
"""How long a document is kept fresh after somebody asked for it: longer than any feed reader or badge cache waits."""

MAX_DOCUMENTS: Final = 4096
"""Documents kept at a time; above it those that were not asked for the longest are made again when needed."""

MAX_BYTES: Final = 128 * 1024 * 1024
"""The same in bytes: a page of 3,000 nodes has a megabyte with its compressions."""

MAX_REMEMBERED: Final = 1024
"""Different `Accept-Language` headers whose result is remembered; each browser and country sends its own."""


class Key(NamedTuple):
    """Names one document."""

    pattern: str
    args: tuple[str, ...]
    query: str
    language: str
    varies: bool
    """The language came from the request's headers."""


class DocumentRequest(NamedTuple):
    """Everything of a request that decides its answer."""

    key: Key
    codings: tuple[str, ...] = ()
    have: frozenset[str] = frozenset()
    head: bool = False


class NotYetError(Exception):
    """There is no view yet: the daemon is starting."""


class Site:
    """All documents of one page. Used on the event loop; only rendering happens in threads."""

    def __init__(self, table: Table, clock: Clock, counters: Counters | None = None) -> None:
        self.clock = clock
        self.counters = counters if counters is not None else Counters()
        self.dater = Dater(clock)
        self.table = table
        self.generation = 0
        """Rises with each table, so that whoever remembers keys knows when to forget them."""
        self.private: PrivatePage | None = None
        """Who may see it; None: everybody."""
        self.render_seconds = 0.0
        """How long the last refresh took."""
        self._view: PageView | None = None
        self._documents: dict[Key, Document] = {}
        self._making: dict[Key, asyncio.Task[Document | None]] = {}
        self._languages: dict[str, str] = {}
        self._errors: dict[tuple[int, str], Made] = {}
        # One thread: the renderer of pages keeps rows between two pages and is not for two at a time.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="render")
        self._finishing = ThreadPoolExecutor(1, thread_name_prefix="finish")
        self._log = log.get()

    def configure(self, table: Table, private: PrivatePage | None = None) -> None:
        """A reload: other routes, languages or branding, other visitors. Documents are made again with the next view."""
        self.table, self.private = table, private
        self.generation += 1
        self._documents = {}
        self._languages = {}
        self._errors = {}

    @property
    def home(self) -> str:
        """The address of the page."""
        return self._view.info.url if self._view is not None else self.table.root

    @property
    def name(self) -> str:
        """The name of the page."""
        return self._view.info.name if self._view is not None else ""

    @property
    def view(self) -> PageView | None:
        """What is shown now."""
        return self._view

    def close(self) -> None:
        """Let the threads go."""
        for pool in (self._pool, self._finishing):
            pool.shutdown(wait=False, cancel_futures=True)

    def ask(
        self,
        method: str,
        path: str,
        query: str,
        *,
        accept_language: str,
        accept_encoding: str,
        if_none_match: str,
    ) -> DocumentRequest | None:
        """The question that a request is, by what stands in it; None: no document lives there."""
        key = self.key(path, query, accept_language)
        if key is None:
            return None
        have = negotiation.tags(if_none_match) if if_none_match else frozenset()
        return DocumentRequest(key, negotiation.codings(accept_encoding), have, head=method == "HEAD")

    def key(self, path: str, query: str, accept_language: str) -> Key | None:
        """Which document that is; None when no route leads there."""
        target = self.table.find(path)
        if target is None:
            return None
        route = target.route
        kept = query if query in route.queries else ""
        if not route.localized:
            return Key(route.pattern, target.args, kept, self.table.languages[0], varies=False)
        if target.language:
            return Key(route.pattern, target.args, kept, target.language, varies=False)
        language = self._languages.get(accept_language)
        if language is None:
            language = negotiation.language(accept_language, self.table.languages)
            if len(self._languages) >= MAX_REMEMBERED:
                self._languages.clear()
            self._languages[accept_language] = language
        return Key(route.pattern, target.args, kept, language, varies=True)

    def error(self, status: int, accept_language: str) -> Made | None:
        """The page's own words for a visitor's everyday mistake; None: it has none, or they could not be made."""
        if self.table.error is None:
            return None
        language = negotiation.language(accept_language, self.table.languages)
        found = self._errors.get((status, language))
        if found is None:
            try:
                found = self.table.error(status, language)
            except Exception:
                self._log.exception("an error page could not be made; this is a bug", status=status)
                return None
            self._errors[status, language] = found
        return found

    async def warm(self) -> None:
        """Make the page itself, so that the first visitor does not wait for it, and leave it to `pack` to compress it."""
        key = self.key("/", "", "")
        if key is not None:
            await self._make(key, packed=False)

    async def pack(self) -> None:
        """Compress what `warm` made; until then everybody gets it as it is.

        Gain: with 100,000 replicas a start serves its page 0.4 s sooner, in `python -m benchmarks --only start`.
        """
        documents = list(self._documents.values())
        await asyncio.get_running_loop().run_in_executor(self._pool, _pack, documents)

    def public(self, ask: DocumentRequest) -> ReadyBytes | None:
        """The response, if the document is made already and everybody may see it."""
        return self.available(ask) if self.private is None else None

    def available(self, ask: DocumentRequest) -> ReadyBytes | None:
        """The response, if the document is made already. Who asks may see it."""
        document = self._documents.get(ask.key)
        if document is None:
            return None
        document.used = True
        return document.variant(ask.codings).answer(head=ask.head, have=ask.have)

    async def answer(self, ask: DocumentRequest) -> ReadyBytes | None:
        """The response, made now if need be; None: there is no such document. Raises NotYetError before `show`."""
        found = self.available(ask)
        if found is not None:
            return found
        making = self._making.get(ask.key)
        if making is None:
            making = asyncio.create_task(self._make(ask.key))
            self._making[ask.key] = making
            making.add_done_callback(lambda _: self._making.pop(ask.key, None))
        document = await asyncio.shield(making)
        return None if document is None else document.variant(ask.codings).answer(head=ask.head, have=ask.have)

    async def _make(self, key: Key, *, packed: bool = True) -> Document | None:
        view, generation = self._view, self.generation
        if view is None:
            raise NotYetError
        loop, table = asyncio.get_running_loop(), self.table
        if table.routes[key.pattern].finish is None:
            work = partial(_render, view, table, key, None, packed=packed)
            document = await loop.run_in_executor(self._pool, work)
        else:
            begun = await loop.run_in_executor(self._pool, _begin, view, table, key)
            document = await loop.run_in_executor(self._finishing, _finish, begun, table, key)
        self.counters.renders += 1
        if document is not None and generation == self.generation:
            if view is not self._view:
                # A newer view came meanwhile; what was made is right for this client and old for the next.
                return document
            document.used = True
            document.used_at = self.clock.monotonic()
            if len(self._documents) >= MAX_DOCUMENTS:
                del self._documents[next(iter(self._documents))]
            self._documents[key] = document
        return document

    async def show(self, view: PageView) -> None:
        """Make every document that is in use from this view, then show all of them at once."""
        started = self.clock.monotonic()
        for document in self._documents.values():
            if document.used:
                document.used, document.used_at = False, started
        generation = self.generation
        old = dict(self._documents)
        wanted = self._wanted(started)
        made = await asyncio.get_running_loop().run_in_executor(self._pool, _render_all, view, self.table, wanted, old)
        self.counters.renders += len(made)
        if generation == self.generation:
            for key, document in made.items():
                late = self._documents.get(key)
                document.used = document.used or (late is not None and late.used)
            self._documents = made
        self._view = view
        self.render_seconds = self.clock.monotonic() - started
        self.counters.render_ms_total += int(self.render_seconds * 1000)

    def _wanted(self, now: float) -> list[Key]:
        """Documents worth making before they are asked for, those asked for last first."""
        recent = [
            (k, d)
            for k, d in self._documents.items()
            if now - d.used_at < KEPT_SECONDS and self.table.routes[k.pattern].finish is None
        ]
        recent.sort(key=lambda item: -item[1].used_at)
        size, wanted = 0, []
        for key, document in recent[:MAX_DOCUMENTS]:
            size += document.size
            if size > MAX_BYTES:
                break
            wanted.append(key)
        return wanted


def _render_all(
    view: PageView, table: Table, wanted: Iterable[Key], old: Mapping[Key, Document]
) -> dict[Key, Document]:
    made = {}
    for key in wanted:
        try:
            document = _render(view, table, key, old.get(key))
        except Exception:
            # It is made again when it is asked for, and fails for that client alone.
            log.get().exception("a document could not be made; this is a bug", pattern=key.pattern)
            continue
        if document is not None:
            made[key] = document
    return made


def _pack(documents: Iterable[Document]) -> None:
    for document in documents:
        document.pack()


def _begin(view: PageView, table: Table, key: Key) -> Made | None:
    """The first part of a document that takes long."""
    return table.routes[key.pattern].render(view, DocumentCall(key.language, key.args, key.query))


def _finish(begun: Made | None, table: Table, key: Key) -> Document | None:
    """The rest of it."""
    route = table.routes[key.pattern]
    made = begun if begun is None or route.finish is None else route.finish(begun)
    return None if made is None else Document.made(made, route, key.language, varies=key.varies)


def _render(view: PageView, table: Table, key: Key, before: Document | None, *, packed: bool = True) -> Document | None:
    """One document, or the one before when nothing in it changed: its compressions cost more than its text."""
    route = table.routes[key.pattern]
    made = _begin(view, table, key)
    if made is None:
        return None
    document = Document.made(made, route, key.language, varies=key.varies, before=before)
    if packed:
        document.pack()
    return document
