"""What the world sees of a domain: its records, its ports, its certificate; and what is still to be done."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from cryptography import x509

from crisp_status.tls import lookup
from crisp_status.tls.keypair import described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.tls.lookup import NameAnswer, Nameserver

CONNECT_SECONDS: Final = 5.0

OURS: Final = "crisp-status"
"""The `Server` header of our answers."""

_PROXIES: Final = (
    ("cf-ray", "Cloudflare"),
    ("x-amz-cf-id", "Amazon CloudFront"),
    ("x-fastly-request-id", "Fastly"),
    ("x-akamai-transformed", "Akamai"),
    ("x-vercel-id", "Vercel"),
    ("x-azure-ref", "Azure Front Door"),
)
"""Headers by which a proxy in front of us tells itself."""


@dataclass
class Port:
    """How one port of one address answers."""

    address: str
    port: int
    open: bool = False
    error: str = ""
    server: str = ""
    """The `Server` header of its answer to a plain question."""
    proxy: str = ""
    """Who stands between, as far as the answer tells; "": nobody that is known."""


@dataclass
class Served:
    """The certificate that is shown for the domain."""

    address: str
    names: list[str] = field(default_factory=list)
    issuer: str = ""
    ends_at: float = 0.0
    trusted: bool = False
    error: str = ""
    """Why it is not trusted, or why there is none."""


@dataclass
class Report:
    """Everything about one domain."""

    domain: str
    own: list[str]
    """Addresses of this machine."""
    said: list[NameAnswer] = field(default_factory=list)
    caa: list[str] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    certificates: list[Served] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What must be mended, in sentences."""
    notes: list[str] = field(default_factory=list)
    """What is worth knowing."""
    add: list[str] = field(default_factory=list)
    """Records to add, as a zone file has them."""

    @property
    def addresses(self) -> list[str]:
        """Where the domain leads, by all nameservers together."""
        return list(dict.fromkeys(a for said in self.said for a in said.addresses))

    @property
    def resolved(self) -> bool:
        """Every nameserver that answers knows the domain."""
        answered = [said for said in self.said if not said.error]
        return bool(answered) and all(said.addresses for said in answered)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"ok": not self.wrong, **asdict(self)}


async def check(
    domain: str,
    *,
    nameserver: Nameserver | None = None,
    issuers: Sequence[str] = (),
    ports: tuple[int, int] = (80, 443),
    own: Sequence[str] | None = None,
) -> Report:
    """Look at a domain from this machine. `issuers`: what a CAA record must allow, one of them for each authority;
    `own`: addresses of this machine, instead of those that it knows of itself.
    """
    report = Report(domain, list(own if own is not None else own_addresses()))
    host = [nameserver] if nameserver else lookup.of_this_host()
    servers = host if nameserver else [*host, *await lookup.of_domain(domain)]
    report.said = list(await asyncio.gather(*(lookup.addresses(s, domain, host) for s in servers)))
    if not servers:
        report.wrong.append("this machine has no nameserver: set one in /etc/resolv.conf, or give --nameserver")
    await _caa(report, servers[-1:], issuers)
    _judge_records(report)
    plain, secure = ports
    report.ports = list(
        await asyncio.gather(*(_port(a, p, domain, tls=p == secure) for a in report.addresses for p in ports))
    )
    report.certificates = list(
        await asyncio.gather(*(_served(p.address, p.port, domain) for p in report.ports if p.open and p.port == secure))
    )
    _judge_ports(report, plain, secure)
    _judge_certificates(report)
    return report


def own_addresses() -> list[str]:
    """The addresses from which this machine reaches others. Nothing is sent: the system only looks the route up."""
    found: list[str] = []
    for family, somewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))
            found.append(str(probe.getsockname()[0]))
    return found


async def _caa(report: Report, servers: Sequence[Nameserver], issuers: Sequence[str]) -> None:
    for server in servers:
        try:
            report.caa = await lookup.caa(server, report.domain)
        except lookup.NoAnswerError as error:
            report.wrong.append(
                f"CAA records cannot be asked for ({server.name}: {error}): an authority then gives no certificate"
            )
            return
    allowed = [
        record.split(" ", 2)[2].strip('"').partition(";")[0].strip()
        for record in report.caa
        if record.split(" ", 2)[1].lower() == "issue"
    ]
    if allowed and issuers and not set(issuers) & set(allowed):
        report.wrong.append(
            f"a CAA record allows only {', '.join(filter(None, allowed)) or 'nobody'} to give certificates: add "
            f'"{report.domain}. CAA 0 issue "{issuers[0]}""'
        )


def _judge_records(report: Report) -> None:
    domain, own = report.domain, [a for a in report.own if ip_address(a).is_global]
    for said in report.said:
        if said.error:
            report.notes.append(f"{said.nameserver} does not answer for {domain}: {said.error}")
    if not report.addresses:
        report.add = [f"{domain}. {'AAAA' if ':' in a else 'A'} {a}" for a in own] or [
            f"{domain}. A <the public address of this machine>"
        ]
        report.wrong.append(f"no nameserver knows an address of {domain}: add the record below, or a CNAME")
        return
    late = [s.nameserver for s in report.said if not s.addresses and not s.error]
    if late:
        report.wrong.append(f"{', '.join(late)} does not know {domain} yet, others do: a new record needs some minutes")
    if own and not set(own) & set(report.addresses):
        report.notes.append(
            f"{domain} leads to {', '.join(report.addresses)}, and this machine is {', '.join(own)}: right behind a "
            "proxy or address translation, else change the record"
        )
    for family, letter, is_v6 in (("IPv4", "A", False), ("IPv6", "AAAA", True)):
        ours = [a for a in own if (":" in a) == is_v6]
        theirs = [a for a in report.addresses if (":" in a) == is_v6]
        if ours and not theirs:
            report.notes.append(f"visitors with {family} alone do not get here; {domain}. {letter} {ours[0]} lets them")


def _judge_ports(report: Report, plain: int, secure: int) -> None:
    for port in report.ports:
        where = f"{port.address} port {port.port}"
        if not port.open and port.port == plain:
            report.notes.append(f"{where} is not open ({port.error}): no way for http-01, and no redirect to HTTPS")
        elif not port.open:
            report.wrong.append(f"{where} is not open ({port.error}): open it in firewall and server.listen")
        elif port.proxy:
            report.notes.append(f"{where}: {port.proxy} stands between; it ends TLS with its own certificate")
        elif port.error:
            report.wrong.append(f"{where} is open, and what answers is not a web server: {port.error}")
        elif port.server != OURS:
            report.notes.append(f"{where}: {port.server or 'a server without a name'} answers, not crisp-status itself")
    if report.addresses and not any(port.open for port in report.ports):
        report.wrong.append(f"{report.domain} does not answer on port {plain} or {secure} at any of its addresses")


def _judge_certificates(report: Report) -> None:
    for served in report.certificates:
        if not served.trusted:
            report.wrong.append(f"{served.address} shows a certificate that browsers refuse: {served.error}")


async def _port(address: str, port: int, domain: str, *, tls: bool) -> Port:
    found = Port(address, port)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError) as error:
        found.error = _why(error)
        return found
    writer.close()
    found.open = True
    host = f"[{address}]" if ":" in address else address
    url = f"http{'s' if tls else ''}://{host}:{port}/healthz"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS)) as session,
            session.get(
                url, headers={"Host": domain}, ssl=False, server_hostname=domain if tls else None, allow_redirects=False
            ) as answer,
        ):
            headers = {name.lower(): value for name, value in answer.headers.items()}
            found.server = headers.get("server", "")
            found.proxy = next((name for header, name in _PROXIES if header in headers), "")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        found.error = _why(error)
    return found


async def _served(address: str, port: int, domain: str) -> Served:
    found = Served(address)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        der = await _certificate(address, port, domain, context)
    except (OSError, TimeoutError, ValueError) as error:
        found.error = _why(error)
        return found
    facts = described(x509.load_der_x509_certificate(der))
    found.names, found.issuer, found.ends_at = list(facts.names), facts.issuer, facts.not_after
    try:
        await _certificate(address, port, domain, ssl.create_default_context())
        found.trusted = True
    except ssl.SSLCertVerificationError as error:
        found.error = error.verify_message
    except (OSError, TimeoutError, ValueError) as error:
        found.error = _why(error)
    return found


async def _certificate(address: str, port: int, domain: str, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=domain)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if not shown:
            raise ValueError("the server shows no certificate")
        return bytes(shown)
    finally:
        writer.close()


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:.0f} seconds"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return str(getattr(error, "strerror", "") or error) or type(error).__name__
