"""The domains of the page: which certificate each is shown with, and, when asked, what the world sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crisp_status.config.certificates import TlsSection, domain_text, domains

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from crisp_status.config.root import Config
    from crisp_status.console.frame import Frame, Visit
    from crisp_status.http.router import Router
    from crisp_status.tls.domain_check import Report


class DomainPage:
    """`/operator/settings/domain`. For owners."""

    def __init__(self, frame: Frame, certificates: Callable[[], list[dict[str, Any]]]) -> None:
        """`certificates` tells what there is of them; nothing without `[tls]`."""
        self._frame = frame
        self._certificates = certificates

    def add_routes(self, router: Router) -> None:
        """Register the page and its button."""
        self._frame.add(router, "GET", "/operator/settings/domain", self.show, "owner")
        self._frame.add(router, "POST", "/operator/settings/domain", self.check, "owner")

    async def show(self, visit: Visit) -> web.StreamResponse:
        """GET: certificates, at once."""
        return self._page(visit, [])

    async def check(self, visit: Visit) -> web.StreamResponse:
        """POST: the same with what nameservers and ports say, which takes some seconds."""
        return self._page(visit, await reports(self._frame.config()))

    def _page(self, visit: Visit, found: list[Report]) -> web.Response:
        return self._frame.page(visit, "domain.html", certificates=self._certificates(), reports=found, fault="")


async def reports(config: Config) -> list[Report]:
    """What the world sees of each domain that can have a certificate; names that cannot are left out."""
    from crisp_status.tls import domain_check
    from crisp_status.tls.authorities import CAA, Authority

    tls = config.tls or TlsSection()
    issuers = [] if tls.certificate else [CAA[n] for u in tls.directories if (n := Authority(u).name) in CAA]
    found = []
    for name in domains(tls, config.page.url):
        try:
            domain = domain_text(name)
        except ValueError:
            continue
        found.append(await domain_check.check(domain, issuers=issuers))
    return found
