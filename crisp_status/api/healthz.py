"""`/healthz` for load balancers and supervisors: whether the daemon does all that it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from crisp_status.engine import Engine
    from crisp_status.http.router import Router

HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class HealthEndpoint:
    """200 and `ok`; 503 and a sentence while nothing can be saved. Details, which may name files, are in the log."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_routes(self, router: Router) -> None:
        """Open it to everybody."""
        for method in ("GET", "HEAD"):
            router.add(method, "/healthz", self.read)

    async def read(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        """Answers without waiting for the disk."""
        if self._engine.trouble or self._engine.disk_full:
            return web.Response(status=503, text="what happens cannot be saved; see the log", headers=HEADERS)
        return web.Response(text="ok", headers=HEADERS)
