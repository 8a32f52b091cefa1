"""`dns://server[:port]/name?type=MX` is healthy when that nameserver answers with a record of that type.

`dns:///name` asks the first nameserver of this host. The target is the nameserver and what it says. dnspython
builds and reads the messages (RFC 1035).
"""

from __future__ import annotations

import asyncio
import re
import struct
from typing import Any
from urllib.parse import parse_qs, unquote

from pydantic import field_validator

from crisp_status.config.strict import Strict
from crisp_status.net.errors import explain
from crisp_status.net.match import compiled, found
from crisp_status.net.resolve import Address, nameservers
from crisp_status.net.stream import dial
from crisp_status.net.target import parse
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, Reading, Unknowable, expect, note

SCHEMES = ("dns",)

PORT = 53

RESEND = 2.0
"""Seconds after which a question is asked again: a datagram may get lost, and that is nobody's fault."""

RECORDS_SHOWN = 8
"""Records that a reason or a story names."""


class Options(Strict):
    """The table `[services.nodes.dns]`."""

    type: str = "A"
    """Type of the record: A, AAAA, CNAME, MX, NS, SOA, TXT and so on. `?type=` in the address goes before it."""
    match: str = ""
    """Regular expression that one of the records must match."""

    @field_validator("type")
    @classmethod
    def _type(cls, type: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,9}", type):
            raise ValueError(f"{type!r} is not the type of a record; expected A, AAAA, CNAME, MX, NS, SOA, TXT, …")
        return type.upper()

    @field_validator("match")
    @classmethod
    def _expression(cls, expression: str) -> str:
        try:
            compiled(expression)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return expression


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    _parts(target)


async def probe(target: str, options: Options) -> Reading:
    """Ask the nameserver; by TCP as well when the answer does not fit into a datagram."""
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdatatype

    try:
        server, port, name, kind = _parts(target)
        wanted = dns.rdatatype.from_text(kind or options.type)
        question = dns.message.make_query(dns.name.from_text(name), wanted)
    except (ValueError, dns.exception.DNSException) as error:
        raise Unknowable(f"the address cannot be used: {error}", "missing") from None
    peer = (await tools().resolver.resolve(server or nameservers()[0], port))[0]
    expect(f"no answer from {peer}", peer=str(peer))
    packet = question.to_wire()
    try:
        answer = dns.message.from_wire(await _by_datagram(peer, packet), ignore_trailing=True)
        if answer.flags & dns.flags.TC:
            note("answer does not fit, asking by TCP")
            answer = dns.message.from_wire(await _by_stream(peer, packet))
    except dns.exception.DNSException as error:
        raise ProbeError("error", f"{peer} does not answer with DNS: {error}") from None
    said = dns.rcode.to_text(answer.rcode())
    records = [str(record.to_text()) for rrset in answer.answer if rrset.rdtype == wanted for record in rrset]
    asked = f"{name} {dns.rdatatype.to_text(wanted)}"
    if records:
        note("{peer} says {rcode}: {records}", peer=str(peer), rcode=said, records=records[:RECORDS_SHOWN])
    else:
        note("{peer} says {rcode}", peer=str(peer), rcode=said)
    if said != "NOERROR":
        raise ProbeError("record", f"{peer} says {said} to {asked}", said)
    if not records:
        raise ProbeError("record", f"{peer} has no record {asked}", "no record")
    if options.match and not any(found(options.match, record) for record in records):
        shown = ", ".join(records[:RECORDS_SHOWN])
        raise ProbeError("record", f"no record {asked} matches {options.match}: {shown}", "no match")
    return Reading()


def _parts(target: str) -> tuple[str, int, str, str]:
    """Server ("" is ours), port, name and type ("" is that of the options). A `ValueError` says what is wrong."""
    own = target.startswith("dns:///")
    parts = parse(target.replace("dns:///", "dns://own/", 1) if own else target, PORT)
    path, _, query = parts.path.partition("?")
    name = unquote(path).strip("/")
    if not name or "/" in name:
        raise ValueError("a name to ask for is needed: dns://server/name?type=A")
    given = parse_qs(query)
    if set(given) - {"type"}:
        raise ValueError(f"only ?type= is known, not {', '.join(sorted(set(given) - {'type'}))}")
    return "" if own else parts.host, parts.port, name, given.get("type", [""])[0].upper()


async def _by_datagram(peer: Address, packet: bytes) -> bytes:
    """Ask until an answer with our number comes; the deadline of the attempt ends it."""
    loop = asyncio.get_running_loop()
    try:
        transport, heard = await loop.create_datagram_endpoint(
            lambda: _Answer(packet[:2]), remote_addr=peer.sockaddr[:2], family=peer.family
        )
    except OSError as error:
        raise explain(error, str(peer), peer.sockaddr) from error
    try:
        while True:
            transport.sendto(packet)
            done, _ = await asyncio.wait((heard.answer,), timeout=RESEND)
            if done:
                return heard.answer.result()
    except OSError as error:
        raise explain(error, str(peer), peer.sockaddr) from error
    finally:
        heard.answer.cancel()
        transport.close()


async def _by_stream(peer: Address, packet: bytes) -> bytes:
    wire = await dial(peer.ip, peer.sockaddr[1], verify=None)
    try:
        await wire.send(struct.pack("!H", len(packet)) + packet)
        heard = b""
        while len(heard) < 2 or len(heard) < 2 + struct.unpack_from("!H", heard)[0]:
            more = await wire.receive()
            if not more:
                raise ProbeError("no_answer", f"{peer} closed the connection without an answer")
            heard += more
        return heard[2 : 2 + struct.unpack_from("!H", heard)[0]]
    finally:
        wire.close()


class _Answer(asyncio.DatagramProtocol):
    """Hears the answer with a given number."""

    def __init__(self, number: bytes) -> None:
        self._number = number
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data[:2] == self._number and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)
