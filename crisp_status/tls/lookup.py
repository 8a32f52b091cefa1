"""What nameservers say of a domain: the host's own, and those of the domain itself, where a fresh record is seen first."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_SECONDS: Final = 5.0
"""For one nameserver, all its tries included."""

SERVERS_MAX: Final = 4
"""Nameservers of a domain that are asked."""

CNAMES_MAX: Final = 8


class NoAnswerError(Exception):
    """A nameserver gave no answer to use; the message says why."""


@dataclass(frozen=True)
class Nameserver:
    """One that is asked."""

    name: str
    """As people know it: `ns1.example.net`, or its address."""
    address: str
    port: int = 53


@dataclass
class NameAnswer:
    """What one nameserver says of a domain."""

    nameserver: str
    addresses: list[str] = field(default_factory=list)
    """IPv4 first."""
    cnames: list[str] = field(default_factory=list)
    """What the domain is an alias of, in order."""
    error: str = ""


def nameserver(text: str) -> Nameserver:
    """`192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:53` or a name. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, "53"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}": expected an address or name, with a port if need be, as in "192.0.2.53:5353"')
    host = host.strip("[]")
    try:
        address = str(ip_address(host))
    except ValueError:
        try:
            address = str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])
        except (OSError, UnicodeError):
            raise ValueError(f'"{text}": this nameserver has no address') from None
    return Nameserver(text, address, int(port))


def of_this_host() -> list[Nameserver]:
    """As in /etc/resolv.conf."""
    with suppress(dns.exception.DNSException, OSError):
        return [Nameserver(str(a), str(a)) for a in dns.asyncresolver.Resolver().nameservers if isinstance(a, str)][:1]
    return []


async def of_domain(domain: str) -> list[Nameserver]:
    """Those that its zone names; none when they cannot be found."""
    found: list[Nameserver] = []
    with suppress(dns.exception.DNSException, OSError):
        resolver = dns.asyncresolver.Resolver()
        resolver.lifetime = ANSWER_SECONDS
        zone = await dns.asyncresolver.zone_for_name(domain, resolver=resolver)
        servers = sorted(str(record.target) for record in await resolver.resolve(zone, "NS"))
        for server in servers[:SERVERS_MAX]:
            with suppress(dns.exception.DNSException):
                answer = await resolver.resolve(server, "A")
                found.append(Nameserver(server.rstrip("."), str(next(iter(answer)).address)))
    return found


async def ask(server: Nameserver, name: str, kind: str) -> list[str]:
    """Records of that kind, or the alias that stands in their place as `CNAME target`. Raises `NoAnswerError`."""
    wanted = dns.rdatatype.from_text(kind)
    query = dns.message.make_query(dns.name.from_text(name), wanted)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await _answer(query, server)
    except TimeoutError:
        raise NoAnswerError(f"no answer within {ANSWER_SECONDS:.0f} seconds") from None
    except (OSError, dns.exception.DNSException) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from error
    code = answer.rcode()
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise NoAnswerError(dns.rcode.to_text(code))
    found: list[str] = []
    for records in answer.answer:
        if records.rdtype == dns.rdatatype.CNAME:
            found += [f"CNAME {record.target.to_text(omit_final_dot=True).lower()}" for record in records]
        elif records.rdtype == wanted:
            found += [record.to_text() for record in records]
    return found


async def _answer(query: dns.message.Message, server: Nameserver) -> dns.message.Message:
    """By datagrams, one lost of which is nobody's fault; by a stream when the answer is too long."""
    for patience in (1.0, 1.5, ANSWER_SECONDS):
        with suppress(dns.exception.Timeout):
            answer, _ = await dns.asyncquery.udp_with_fallback(query, server.address, patience, server.port)
            return answer
    raise NoAnswerError("no answer")


async def addresses(server: Nameserver, domain: str, further: Sequence[Nameserver] = ()) -> NameAnswer:
    """A and AAAA of a domain, aliases followed; `further` answers for those that lead out of the nameserver's zones."""
    said = NameAnswer(server.name)
    try:
        name, asked = domain, server
        for _ in range(CNAMES_MAX):
            found = [r for kind in ("A", "AAAA") for r in await ask(asked, name, kind)]
            said.addresses = [r for r in found if not r.startswith("CNAME ")]
            aliases = list(dict.fromkeys(r.removeprefix("CNAME ") for r in found if r.startswith("CNAME ")))
            said.cnames += [alias for alias in aliases if alias not in said.cnames]
            if said.addresses or not aliases or aliases[-1] == name:
                break
            name, asked = aliases[-1], next(iter(further), server)
    except NoAnswerError as error:
        said.error = str(error)
    return said


async def caa(server: Nameserver, domain: str) -> list[str]:
    """The CAA records that count for a domain: its own, else those of the nearest parent that has some (RFC 8659).

    Raises `NoAnswerError`.
    """
    labels = domain.split(".")
    for start in range(len(labels)):
        found = [r for r in await ask(server, ".".join(labels[start:]), "CAA") if not r.startswith("CNAME ")]
        if found:
            return found
    return []
