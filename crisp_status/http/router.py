"""Which handler answers which method and path.

Patterns are literal segments and `{names}`. A path is matched segment by segment on its undecoded form, so that an
encoded slash stays inside its segment; one trailing slash makes no difference. There are never redirects.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable
from urllib.parse import unquote

from aiohttp import web

from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from crisp_status.http.responses import ReadyBytes

Handler = Callable[[web.BaseRequest, dict[str, str]], Awaitable[web.StreamResponse]]
"""Gets the request and the named segments, decoded."""


@runtime_checkable
class ImmediateRoute(Protocol):
    """A handler that can also answer a plain request without waiting."""

    def at_once(
        self, args: Mapping[str, str], fields: Mapping[str, str], query: str, body: bytes
    ) -> tuple[ReadyBytes, bool] | None:
        """The answer and whether the connection may live on; None: that needs the ordinary way, nothing has happened.

        `fields` has lower-case names.
        """


MAX_PATH: Final = 2048
"""Longer than any address that we hand out; a bound for what is split and decoded."""


MAX_REMEMBERED: Final = 1024
"""Paths whose door is remembered: those who report use the same one again and again. At most 4 MB."""


class Router:
    """A table of doors, filled at start by each module that has some."""

    def __init__(self) -> None:
        self._fixed: dict[tuple[str, ...], dict[str, Handler]] = {}
        self._named: dict[tuple[str, int], list[tuple[tuple[str, ...], dict[str, Handler]]]] = {}
        self._known: dict[tuple[str, str], tuple[Handler, dict[str, str]]] = {}

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Register one door; its first segment must be literal. `*` as method takes every method."""
        segments = _segments(pattern)
        if any(s.startswith("{") for s in segments):
            if segments[0].startswith("{"):
                raise ValueError(f"{pattern}: the first segment must be literal")
            doors = self._named.setdefault((segments[0], len(segments)), [])
            methods = next((m for known, m in doors if known == segments), None)
            if methods is None:
                methods = {}
                doors.append((segments, methods))
                # Literal before named: `/manager/announcements/x` before `/manager/{kind}/x`.
                doors.sort(key=lambda d: [s.startswith("{") for s in d[0]])
        else:
            methods = self._fixed.setdefault(segments, {})
        if method in methods:
            raise ValueError(f"{method} {pattern} is registered twice")
        methods[method] = handler

    def find(self, method: str, raw_path: str) -> tuple[Handler, dict[str, str]] | None:
        """The handler and its arguments for an undecoded path without query; None when no pattern fits.

        Raises Refused 405 when the path is known and the method is not.
        """
        known = self._known.get((method, raw_path))
        if known is not None:
            return known[0], dict(known[1])
        found = self._search(method, raw_path)
        if found is not None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[method, raw_path] = found
            return found[0], dict(found[1])
        return None

    def _search(self, method: str, raw_path: str) -> tuple[Handler, dict[str, str]] | None:
        if len(raw_path) > MAX_PATH:
            raise Refused(404, "No address of this server is that long.")
        segments = _segments(raw_path)
        methods = self._fixed.get(segments)
        if methods is not None:
            return _choose(methods, method), {}
        for pattern, methods in self._named.get((segments[0], len(segments)), ()):
            args = _match(pattern, segments)
            if args is not None:
                return _choose(methods, method), args
        return None


def _segments(path: str) -> tuple[str, ...]:
    path = path.removeprefix("/")
    path = path.removesuffix("/")
    return tuple(path.split("/"))


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    args: dict[str, str] = {}
    for wanted, got in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            if not got:
                return None
            args[wanted[1:-1]] = unquote(got, errors="replace")
        elif wanted != got:
            return None
    return args


def _choose(methods: dict[str, Handler], method: str) -> Handler:
    handler = methods.get(method) or methods.get("*")
    if handler is None and method == "HEAD":
        handler = methods.get("GET")
    if handler is None:
        allowed = ", ".join(sorted(methods))
        raise Refused(405, f"{method} is not taken here, only {allowed}.", {"Allow": allowed})
    return handler
