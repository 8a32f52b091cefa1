"""Stands before an authority and changes what it says: rate limits, advice on renewal, silence. Plain HTTP will do."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp import web


class Front:
    """`directory` is its address. `refuse_orders`: answer new orders with that status and `Retry-After`; `window`: ARI."""

    def __init__(self, pebble):
        self.pebble = pebble
        self.refuse_orders = None
        self.window = None
        self.asked = []

    async def __aenter__(self):
        app = web.Application()
        app.router.add_get("/dir", self._directory)
        app.router.add_post("/new-order", self._order)
        app.router.add_get("/ari/{certificate}", self._advice)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        self.directory = f"{self.base}/dir"
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()

    async def _directory(self, request):
        trust = ssl.create_default_context(cafile=str(self.pebble.root))
        async with aiohttp.ClientSession() as session, session.get(self.pebble.directory, ssl=trust) as answer:
            found = await answer.json()
        if self.refuse_orders:
            found["newOrder"] = f"{self.base}/new-order"
        if self.window:
            found["renewalInfo"] = f"{self.base}/ari"
        return web.json_response(found)

    async def _order(self, request):
        self.asked.append("order")
        status, after = self.refuse_orders
        problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates already issued"}
        return web.json_response(
            problem, status=status, headers={"Retry-After": after}, content_type="application/problem+json"
        )

    async def _advice(self, request):
        self.asked.append(request.match_info["certificate"])
        start, end = self.window
        return web.json_response({"suggestedWindow": {"start": start, "end": end}}, headers={"Retry-After": "3600"})
