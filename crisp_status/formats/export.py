"""The page as static files: every document of the table under the name that a plain file server finds it by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from crisp_status.formats.routes import DocumentCall
from crisp_status.view import past

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.formats.routes import DocumentRoute, Table
    from crisp_status.view.page_view import PageView

LEFT_OUT: Final = ("/favicon.ico",)
"""What says something of the daemon, or is also there under another name."""


class Exported(NamedTuple):
    """One document as a file."""

    name: str
    """Path relative to the folder."""
    content_type: str
    cache: str
    """As in `Cache-Control`."""
    body: bytes
    is_home: bool
    """Whether it is the first page, in some language: what everything else hangs on."""


def files(view: PageView, table: Table) -> Iterator[tuple[str, bytes]]:
    """(path relative to the folder, content) of every document, pages last so that what they name is there first."""
    return ((one.name, one.body) for one in documents(view, table))


def documents(view: PageView, table: Table) -> Iterator[Exported]:
    """The same, with what a server says of each."""
    routes = [r for p, r in table.routes.items() if p not in LEFT_OUT]
    for route in sorted(routes, key=lambda r: r.localized):
        for args in _arguments(view, route):
            path = _filled(route.pattern, args)
            for language in table.languages if route.localized else ("",):
                made = route.render(view, DocumentCall(language or table.languages[0], args))
                if made is not None and route.finish is not None:
                    made = route.finish(made)
                if made is not None and made.status == 200:
                    body = made.body.encode() if isinstance(made.body, str) else made.body
                    prefix = f"/{language}" if language and language != table.languages[0] else ""
                    name = file_name(prefix + path, made.content_type)
                    yield Exported(name, made.content_type, route.cache, body, route.pattern == "/")


def file_name(path: str, content_type: str) -> str:
    """The file that a plain server gives for `path`: pages are `index.html` in a folder of their name."""
    path = path.strip("/")
    if content_type.startswith("text/html"):
        return f"{path}/index.html".lstrip("/")
    if path == "includes/badge":
        return "includes/badge/index.svg"
    return path


def _arguments(view: PageView, route: DocumentRoute) -> list[tuple[str, ...]]:
    if "{}" not in route.pattern:
        return [()]
    if route.pattern.startswith(("/history/", "/uptime/")):
        return [(month,) for month in view.months]
    if route.pattern.startswith("/day/"):
        return [(day,) for day in view.days if past.is_kept(view, day)]
    if route.pattern.startswith("/nodes/"):
        return [(node.service, node.id) for node in view.nodes.values()]
    if route.pattern.startswith("/incidents/"):
        return [(str(incident.id),) for incident in view.incidents]
    if route.pattern.startswith("/badge/{}/{}"):
        return [(node.service, node.id) for node in view.nodes.values()]
    if route.pattern.startswith("/badge/"):
        return [(service.id,) for service in view.services]
    return [(name,) for name in view.info.assets]


def _filled(pattern: str, args: tuple[str, ...]) -> str:
    for arg in args:
        pattern = pattern.replace("{}", arg, 1)
    return pattern
