"""A keeper with everything it needs but a daemon: an authority, the two ports that it looks at, a clock that can jump."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

from aiohttp import web

from crisp_status.clock import SystemClock
from crisp_status.tls.authorities import Authority
from crisp_status.tls.challenges import Challenges
from crisp_status.tls.contexts import Contexts
from crisp_status.tls.handshakes import Handshakes
from crisp_status.tls.keeper import CertificatePlan, Keeper
from crisp_status.tls.storage import Storage

DOMAIN = "status.example.org"
BOTH = ("http-01", "tls-alpn-01")


class JumpingClock(SystemClock):
    """Time passes by itself, as a worker waits in it, and jumps when told to. Authorities have their own."""

    def __init__(self):
        self.ahead = 0.0

    def now(self):
        return SystemClock.now() + self.ahead

    def jump(self, seconds):
        self.ahead += seconds


class Echo(asyncio.Protocol):
    """Says what it hears."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Stand:
    """`async with Stand(folder, pebble) as stand: await stand.keeper.round()`."""

    def __init__(
        self, folder, pebble, *, kinds=BOTH, authorities=None, storage=None, domains=(DOMAIN,), clock=None, warn=None
    ):
        self.pebble = pebble
        self.storage = storage or Storage.within(Path(folder) / "state")
        self.challenges = Challenges()
        self.contexts = Contexts(self.challenges)
        self.clock = clock or JumpingClock()
        self.plan = CertificatePlan(
            domains, tuple(authorities or [Authority(pebble.directory, "ops@example.org")]), kinds
        )
        self.keeper = Keeper(self.storage, self.contexts, self.challenges, self.clock, chance=lambda: 0.5, warn=warn)

    async def __aenter__(self):
        async def answer(request):
            found = self.challenges.answer(request.match_info["token"])
            return web.Response(text=found) if found else web.Response(status=404)

        app = web.Application()
        app.router.add_get("/.well-known/acme-challenge/{token}", answer)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.pebble.http_port).start()
        self.handshakes = Handshakes(self.contexts)
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self.handshakes.wrap(Echo), "127.0.0.1", self.pebble.tls_port)
        self.keeper.open(self.plan)
        self.writers = []
        return self

    async def __aexit__(self, *_):
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
        self.keeper.close()
        self.server.close()
        self.handshakes.stop()
        await self.runner.cleanup()

    @property
    def one(self):
        """The first certificate."""
        return next(iter(self.keeper.certificates.values()))

    def again(self, folder=None):
        """A keeper as after a restart, on the same files."""
        self.keeper.close()
        self.keeper = Keeper(self.storage, self.contexts, self.challenges, self.clock, chance=lambda: 0.5)
        self.keeper.open(self.plan)

    async def connect(self, context, name=DOMAIN):
        """A TLS connection as visitors make it."""
        found = await asyncio.open_connection("127.0.0.1", self.pebble.tls_port, ssl=context, server_hostname=name)
        self.writers.append(found[1])
        return found

    async def shown(self, name=DOMAIN, protocols=("http/1.1",)):
        """The certificate that a client is shown, as DER; it need not be trusted."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(list(protocols))
        _, writer = await self.connect(context, name)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return found
