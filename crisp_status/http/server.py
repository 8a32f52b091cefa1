"""The HTTP server: opens the addresses, finds who answers a request, says no in words, stops within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web

from crisp_status import log, sdnotify
from crisp_status.http.aiohttp_private import HttpProcessingError
from crisp_status.http.connections import ClientConnection, FastServer, Limits
from crisp_status.http.document_handler import Public
from crisp_status.http.error_responses import Refused, response, wants_html
from crisp_status.http.listen import BACKLOG, Listener, Listeners, open_listeners
from crisp_status.http.router import Handler, ImmediateRoute, Router
from crisp_status.http.site import NotYetError, Site
from crisp_status.http.transport_security import HSTS, TransportSecurity, secure
from crisp_status.net.limits import raise_file_limit, sockets_allowed

if TYPE_CHECKING:
    import socket

NAME: Final = "crisp-status"
"""Instead of the library's own `Server` header, which would tell versions to everybody."""

SPOKEN: Final = frozenset({(1, 0), (1, 1)})
"""Versions of HTTP that are answered."""

RETRY_AFTER: Final = "5"
"""Seconds that a client shall wait when we are not ready; a start takes less."""


FILES_OTHER: Final = 64
"""Files for the journal, names, libraries and connections that wait to be accepted; half of a limit that is lower."""

CONNECTIONS_MIN: Final = 8
"""Connections that are let in whatever the limit on open files says."""


def connections_allowed(wanted: int, files: int) -> int:
    """At most `wanted` connections, or as many as a limit of `files` open files leaves beside looks and the journal.

    Strangers must never hold the last file: without a free one nothing can be accepted, and then no idle connection
    would be closed to make room.
    """
    other = min(FILES_OTHER, files // 2)
    return min(wanted, max(CONNECTIONS_MIN, files - sockets_allowed(files) - other))


class WebServer:
    """One HTTP server on several addresses. May be started again after a stop; several can run in one process."""

    def __init__(
        self,
        site: Site,
        router: Router,
        listen: Sequence[str],
        *,
        name: str = "",
        limits: Limits | None = None,
        fast: bool = True,
        security: TransportSecurity | None = None,
        inherited: Callable[[], Sequence[socket.socket]] = sdnotify.take_sockets,
        doors: Listeners = open_listeners,
    ) -> None:
        """`name` is the page's, for error pages; `fast` answers plain requests without the HTTP library; without
        `security` no address speaks TLS.
        """
        self.bound: list[str] = []
        """Where it listens, with real port numbers."""
        self.name = name
        self._site = site
        self._router = router
        self._public = Public(site)
        self._listen = listen
        self._limits = limits or Limits()
        self._fast = fast
        self.security = security
        self._inherited = inherited
        self._open_doors = doors
        self._doors: list[Listener] = []
        self._servers: list[asyncio.Server] = []
        self._factory: _Factory | None = None
        self._log = log.get()

    async def start(self) -> None:
        """Listen on every address. Raises ListenError with a sentence; then nothing listens."""
        taken = list(self._inherited()) if "systemd" in self._listen else []
        self._doors = self._open_doors(self._listen, taken)
        limits = self._limits
        factory = _Factory(
            self,
            self._site if self._fast else None,
            replace(limits, connections=connections_allowed(limits.connections, raise_file_limit())),
            keepalive_timeout=limits.idle_seconds,
            access_log=None,
            max_line_size=limits.line_bytes,
            max_field_size=limits.field_bytes,
            max_headers=limits.fields,
            # The library would unpack before anybody asked for a token, 32 MB at a time; `body` does it within its limit.
            auto_decompress=False,
            lingering_time=2.0,
        )
        loop = asyncio.get_running_loop()
        for door in self._doors:
            # A unix socket is a stream server like the others once it is bound.
            accept: Callable[[], asyncio.Protocol] = factory.accept
            if door.tls and self.security is not None:
                accept = self.security.secured.wrap(accept)
            self._servers.append(await loop.create_server(accept, sock=door.sock, backlog=BACKLOG))
        self._factory = factory
        self.bound = [door.name for door in self._doors]

    async def stop(self, seconds: float = 5.0) -> None:
        """Accept nothing more, finish what is in flight for at most `seconds`, close everything."""
        for server in self._servers:
            server.close()
        if self.security is not None:
            self.security.secured.stop()
        if self._factory is not None:
            self._factory.pre_shutdown()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._factory.shutdown(seconds / 2)
        for door in self._doors:
            door.close()
        self._doors, self._servers, self._factory, self.bound = [], [], None, []

    def reload(self, name: str) -> None:
        """The configuration changed; the site has its new table already."""
        self.name = name
        if self._factory is not None:
            self._factory.forget()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Whatever goes wrong in it becomes an answer too."""
        self._site.counters.requests += 1
        cast("ClientConnection", request.protocol).until = inf
        if request.version not in SPOKEN:
            # The library would answer in the version that it was asked in, whatever that is.
            refused = Refused(400, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
            return self._public.closing(self.refusal(request, refused))
        answer = await self._answer(request)
        if isinstance(answer, web.StreamResponse):
            answer.headers.setdefault("Server", NAME)
            if secure(request.transport) and self._site.dater.secure_header:
                name, _, value = HSTS.decode().strip().partition(": ")
                answer.headers[name] = value
        return answer

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if self.security is not None and self.security.exposed(request.transport):
                sent_on = self.security.answer(request, self._site)
                if sent_on is not None:
                    return sent_on
            reading = request.method in {"GET", "HEAD"}
            private = self._site.private
            asked = self._public.ask(request) if reading or private is not None else None
            if asked is not None and private is not None:  # a form is sent to the address of its page
                private.check(request, self._site.table.routes[asked.key.pattern])
            if asked is not None and reading:
                return await self._public.answer(request, asked)
            found = self._find(request.method, request.rel_url.raw_path)
            if found is not None:
                return await found[0](request, found[1])
            if not reading and self._public.ask(request) is not None:
                return self._public.refuse_method(request)
            raise Refused(404, "No page, feed or door of this server has that address.", everyday=True)
        except Refused as refused:
            return self.refusal(request, refused)
        except NotYetError:
            soon = {"Retry-After": RETRY_AFTER}
            return self.refusal(request, Refused(503, "The daemon is starting.", soon, everyday=True))
        except web.HTTPException:
            raise
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            self._log.exception("request failed", method=request.method, path=request.rel_url.raw_path[:200])
            return self.refusal(request, Refused(500, "This is an error of ours; it is in the log of the daemon."))

    def _find(self, method: str, path: str) -> tuple[Handler, dict[str, str]] | None:
        """Who answers, also under the page's own path."""
        inner = self._site.table.inner(path)
        found = self._router.find(method, path)
        return found if found is not None or inner == path else self._router.find(method, inner)

    def immediate_route(self, path: str) -> tuple[ImmediateRoute, dict[str, str]] | None:
        """Who takes a plain POST to that path at once; None: nobody."""
        try:
            found = self._find("POST", path)
        except Refused:
            return None
        handler: object = found[0] if found is not None else None
        return (handler, found[1]) if found is not None and isinstance(handler, ImmediateRoute) else None

    def refusal(self, request: web.BaseRequest, refused: Refused) -> web.Response:
        """The answer of a refusal, closing the connection when the rest of the request is unwanted."""
        accept, own = request.headers.get("Accept", ""), None
        if refused.everyday and wants_html(accept, page=refused.page):
            own = self._site.error(refused.status, ",".join(request.headers.getall("Accept-Language", ())))
        answer = response(refused, accept=accept, name=self.name, home=self._site.home, own=own)
        answer.headers["Server"] = NAME
        if refused.headers.get("Connection") == "close":
            answer.force_close()
        return answer


class _Factory(FastServer):
    """Makes connections, and words what the HTTP library refuses."""

    def __init__(self, owner: WebServer, site: Site | None, limits: Limits, **kwargs: Any) -> None:
        super().__init__(owner.handle, site, limits, **kwargs)
        self._owner = owner

    def exposed(self, transport: asyncio.Transport) -> bool:
        """By the rules of the server."""
        security = self._owner.security
        return security is not None and security.exposed(transport)

    def immediate_route(self, path: str) -> tuple[ImmediateRoute, dict[str, str]] | None:
        """By the table of doors."""
        return self._owner.immediate_route(path)

    def refuse(
        self, request: web.BaseRequest, status: int, exc: BaseException | None, message: str | None
    ) -> web.StreamResponse:
        """Never more than a 400 for what cannot be read; our own errors are logged with their story."""
        transport = request.transport
        if isinstance(exc, ConnectionError) and (transport is None or transport.is_closing()):
            raise exc  # The client left in the middle; nobody waits for an answer, and it is not logged.
        if status < 500 or isinstance(exc, HttpProcessingError):
            detail = (message or "This is not HTTP as we read it.").splitlines()[0][:200]
            refused = Refused(min(status, 499), detail, {"Connection": "close"})
        else:
            log.get().error("request failed", exc_info=exc)
            refused = Refused(500, "This is an error of ours; it is in the log of the daemon.", {"Connection": "close"})
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        return cast("web.StreamResponse", self._owner.refusal(request, refused))
