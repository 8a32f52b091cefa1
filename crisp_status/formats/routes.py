"""The shape of a table of documents: which path is made by which function.

`documents.py` fills it; the web server and the static export read it. A renderer is pure: the same view, language and
arguments give the same document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from crisp_status.language.action_words import ActionText
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import PageView

FRESH: Final = "public, max-age=5, stale-if-error=86400"
"""A cache in front may serve it for five seconds, and for a day when it cannot reach us."""

DAILY: Final = "public, max-age=86400"
"""For what changes only with the configuration."""

PRIVATE: Final = "no-store"
"""For all documents of a page that is not for everybody."""

FOREVER: Final = "public, max-age=31536000, immutable"
"""For what has its version in its address."""

MAX_TARGET: Final = 300
"""Longest path that can name a document; ids have at most 64 characters each."""


class Made(NamedTuple):
    """A finished document, before compression."""

    content_type: str
    body: str | bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Such as its own `Content-Security-Policy`."""
    status: int = 200
    """410 for a month that is no longer kept."""


class DocumentCall(NamedTuple):
    """What a renderer is asked for, besides the view."""

    language: str
    args: tuple[str, ...] = ()
    """What stood in the place of the pattern's braces."""
    query: str = ""
    """One of the route's `queries`, or nothing."""


Renderer = Callable[["PageView", DocumentCall], "Made | None"]
"""None: there is no such document."""


class DocumentRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of document."""

    pattern: str
    """Literal path with `{}` for one segment, or a part of one, of an id."""
    render: Renderer
    localized: bool = False
    """There is one a language: by `Accept-Language`, or by the path under `/fr/`."""
    cache: str = FRESH
    access: Literal["page", "keyed", "free"] = "page"
    """Of a private page: `keyed`: the key of the page opens it, as programs fetch it; `free`: it says nothing."""
    open: bool = True
    """May be read by scripts of other sites (CORS `*`)."""
    finish: Callable[[Made], Made | None] | None = None
    """A second part that takes long: done when somebody asks, in a thread of its own, so that no other document waits."""
    queries: tuple[str, ...] = ()
    """Query strings that make another document; all others are ignored."""


class DocumentTarget(NamedTuple):
    """Where a path leads."""

    route: DocumentRoute
    args: tuple[str, ...]
    language: str
    """Of the path's prefix; "" where the client's preference decides, or no language matters."""


class Table:
    """All routes, found by path."""

    def __init__(
        self,
        routes: Sequence[DocumentRoute],
        languages: Sequence[str] = ("en",),
        root: str = "/",
        error: Callable[[int, str], Made] | None = None,
        notice: Callable[[ActionText, str], Made] | None = None,
        locale: Callable[[str], Locale] | None = None,
    ) -> None:
        """`languages`: those the page is offered in, the default first. `root`: the path of its public address.

        `error` makes the page for a visitor's everyday mistake from its status and a language; it needs no view.
        `notice` makes a page of a few words in a language, and `locale` gives that language, for those who word them.
        """
        self.error = error
        self.notice = notice
        self.locale = locale
        self.routes = {r.pattern: r for r in routes}
        self.languages = tuple(languages)
        self.root = root
        self._fixed = {r.pattern: r for r in routes if "{}" not in r.pattern}
        self._named = [(_regex(r.pattern), r) for r in routes if "{}" in r.pattern]

    def find(self, path: str) -> DocumentTarget | None:
        """The route of a path. A trailing slash makes no difference; nothing in it is decoded: ids need no escapes."""
        if len(path) > MAX_TARGET:
            return None
        # As it stands first: a page under "/status/" has a document "/status/text" too.
        found = self._anywhere(path)
        return found if found is not None or self.inner(path) == path else self._anywhere(self.inner(path))

    def _anywhere(self, path: str) -> DocumentTarget | None:
        found = self._find(path)
        if found is not None:
            return DocumentTarget(*found, "")
        prefix, _, rest = path[1:].partition("/")
        if prefix in self.languages:
            found = self._find("/" + rest)
            if found is not None and found[0].localized:
                return DocumentTarget(*found, prefix)
        return None

    def inner(self, path: str) -> str:
        """A path without the page's own prefix: a proxy in front may cut it off or leave it."""
        return path[len(self.root) - 1 :] or "/" if f"{path}/".startswith(self.root) else path

    def _find(self, path: str) -> tuple[DocumentRoute, tuple[str, ...]] | None:
        if path.endswith("/") and path != "/":
            fixed = self._fixed.get(path) or self._fixed.get(path[:-1])
            path = path[:-1]
        else:
            fixed = self._fixed.get(path) or self._fixed.get(path + "/")
        if fixed is not None:
            return fixed, ()
        for regex, route in self._named:
            match = regex.fullmatch(path)
            if match is not None:
                return route, match.groups()
        return None


def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile("([A-Za-z0-9._-]+?)".join(re.escape(part) for part in pattern.split("{}")))
