"""HTTPS of one daemon: its certificates, its TLS ports, its challenges, and how they follow the configuration."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from crisp_status.api.json_fields import iso
from crisp_status.config.certificates import domains
from crisp_status.core.events import CertificateEnding
from crisp_status.engine import EngineTrouble
from crisp_status.http.error_responses import Refused
from crisp_status.http.server import connections_allowed
from crisp_status.http.transport_security import HSTS, TransportSecurity
from crisp_status.net.limits import raise_file_limit
from crisp_status.tls.authorities import Authority
from crisp_status.tls.challenges import PATH, Challenges
from crisp_status.tls.contexts import Contexts
from crisp_status.tls.handshakes import HANDSHAKES, Handshakes
from crisp_status.tls.keeper import CertificatePlan, Keeper
from crisp_status.tls.own_files import OwnFiles
from crisp_status.tls.storage import Storage

if TYPE_CHECKING:
    from crisp_status.clock import Clock
    from crisp_status.config.certificates import TlsSection
    from crisp_status.config.root import Config
    from crisp_status.engine import Engine
    from crisp_status.formats.exposition import Counters
    from crisp_status.http.authentication import Proxies
    from crisp_status.http.responses import Dater
    from crisp_status.http.router import Router
    from crisp_status.tls.challenges import Kind
    from crisp_status.tls.keeper import ManagedCertificate


class Https:
    """Everything that `[tls]` asks for."""

    def __init__(self, config: Config, engine: Engine, clock: Clock, proxies: Proxies, dater: Dater) -> None:
        """Reads the certificates that are there; asks nobody."""
        self._engine = engine
        self._challenges = Challenges()
        self._dater = dater
        contexts = Contexts(self._challenges)
        self.handshakes = Handshakes(contexts, most=connections_allowed(HANDSHAKES, raise_file_limit()))
        self.keeper = Keeper(Storage.within(config.state_folder), contexts, self._challenges, clock, warn=self._warn)
        self.security = TransportSecurity(self.handshakes, proxies, lambda: self.keeper.secure)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Follow a configuration; without `[tls]` what was shown goes on until the next start."""
        tls = config.tls
        if tls is None:
            return
        self.security.configure(config.page.url, redirect=tls.redirect, plain_tokens=tls.plain_tokens)
        self._dater.secure_header = HSTS if tls.hsts else b""
        self.keeper.open(_plan(config, tls))

    async def run(self) -> None:
        """Keep the certificates good, until cancelled."""
        await self.keeper.run()

    def facts(self) -> list[dict[str, Any]]:
        """What operators want to know of each certificate."""
        return [
            {
                "domain": one.domain,
                "source": one.source,
                "issuer": one.pair.issuer if one.pair else "",
                "ends_at": iso(one.pair.not_after) if one.pair else None,
                "ends": one.pair.not_after if one.pair else 0.0,
                "trusted": one.source != "self-signed" and self.keeper.good(one),
                "error": one.error,
                "next_try_at": iso(one.next_at),
            }
            for one in self.keeper.certificates.values()
        ]

    def count(self, counters: Counters) -> None:
        """Bring the figures up to date."""
        counters.handshakes, counters.handshakes_failed = self.handshakes.finished, self.handshakes.failed
        counters.orders, counters.orders_failed = self.keeper.orders, self.keeper.failed_orders
        counters.certificates = {
            one.domain: one.pair.not_after for one in self.keeper.certificates.values() if one.pair is not None
        }

    async def _warn(self, one: ManagedCertificate, level: str) -> None:
        """Tell the operators, once for each step; the state knows what they were told before a restart."""
        assert one.pair is not None
        event = CertificateEnding(
            domain=one.domain, ends_at=one.pair.not_after, urgent=level == "urgent", error=one.error
        )
        with contextlib.suppress(EngineTrouble):  # it is told from memory, and again after the next start
            await self._engine.commit(event)

    def add_routes(self, router: Router) -> None:
        """Where authorities look."""
        router.add("GET", PATH, self._challenge)

    async def _challenge(self, request: web.BaseRequest, args: dict[str, str]) -> web.Response:
        found = self._challenges.answer(args["token"])
        if found is None:
            raise Refused(404, "No order of a certificate that is open here has that token.", everyday=True)
        headers = {"Content-Type": "application/octet-stream", "Cache-Control": "no-store"}
        return web.Response(body=found.encode(), headers=headers)


def _plan(config: Config, tls: TlsSection) -> CertificatePlan:
    names = domains(tls, config.page.url)
    if tls.certificate:
        return CertificatePlan(names, files=OwnFiles(config.file(tls.certificate), config.file(tls.key)))
    hmac = tls.eab_hmac.get_secret_value()
    authorities = tuple(Authority(url, tls.email, tls.eab_kid, hmac, tls.profile) for url in tls.directories)
    return CertificatePlan(names, authorities, _kinds(config, tls))


def _kinds(config: Config, tls: TlsSection) -> tuple[Kind, ...]:
    """Ways to be validated, the likeliest first: an authority counts those that fail."""
    if tls.challenge != "auto":
        return (tls.challenge,)
    listens = config.server.addresses
    plain = any(not listen.tls for listen in listens)
    secure = any(listen.tls or listen.kind == "systemd" for listen in listens)
    kinds: list[Kind] = []
    if plain:
        kinds.append("http-01")
    if secure:
        ours = any(not listen.tls and listen.port == 80 for listen in listens)
        # Port 80 is not ours, and 443 is: the other way round.
        kinds.insert(0 if not ours and any(listen.port == 443 for listen in listens) else len(kinds), "tls-alpn-01")
    return tuple(kinds)
