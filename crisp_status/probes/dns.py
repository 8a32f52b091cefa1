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

from crisp_status.config.hostname import ascii_host
from crisp_status.config.strict import Strict
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.errors import explain
from crisp_status.net.resolve import Address, nameservers
from crisp_status.net.stream import open_connection
from crisp_status.net.target import parse
from crisp_status.net.tools import tools
from crisp_status.probes import ProbeError, Reading, Unknowable, expect, note
from crisp_status.probes._match import Expression, found

SCHEMES = ("dns",)

PORT = 53

RESEND = 2.0
"""Seconds after which a question is asked again: a datagram may get lost, and that is nobody's fault."""

RECORDS_SHOWN = 8
"""Records that a reason or a story names."""


PIECE = re.compile(r"""\\(?P<number>[0-9]{3})|"\s+"|"|\\?(?P<plain>[\s\S])""")
"""Of a record in the presentation format: an escaped byte, the seam of two quoted strings, a quote, any other character."""
ONE_TEXT = {"TXT", "SPF"}
"""Types whose strings are one text that was too long for a string; of others each string is a field."""
XN_LABEL = re.compile(r"\bxn--[a-z0-9-]+", re.IGNORECASE)


class Options(Strict):
    """The table `[services.nodes.dns]`."""

    type: str = "A"
    """Type of the record: A, AAAA, CNAME, MX, NS, SOA, TXT and so on. `?type=` in the address goes before it."""
    match: Expression = ""
    """Regular expression that one of the records must match."""

    @field_validator("type")
    @classmethod
    def _type(cls, type: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,9}", type):
            raise ValueError(f"{type!r} is not the type of a record; expected A, AAAA, CNAME, MX, NS, SOA, TXT, …")
        return type.upper()


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
        question = dns.message.make_query(dns.name.from_text(ascii_host(name)), wanted)
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
        raise ProbeError(ReasonCode.ERROR, f"{peer} does not answer with DNS: {error}") from None
    said = dns.rcode.to_text(answer.rcode())
    answered = [record.to_text() for rrset in answer.answer if rrset.rdtype == wanted for record in rrset]
    records = [written(record, dns.rdatatype.to_text(wanted)) for record in answered]
    asked = f"{name} {dns.rdatatype.to_text(wanted)}"
    if records:
        note("{peer} says {rcode}: {records}", peer=str(peer), rcode=said, records=records[:RECORDS_SHOWN])
    else:
        note("{peer} says {rcode}", peer=str(peer), rcode=said)
    if said != "NOERROR":
        raise ProbeError(ReasonCode.RECORD, f"{peer} says {said} to {asked}", said)
    if not records:
        raise ProbeError(ReasonCode.RECORD, f"{peer} has no record {asked}", "no record")
    if options.match and not await _any_matches(options.match, answered, dns.rdatatype.to_text(wanted)):
        shown = ", ".join(records[:RECORDS_SHOWN])
        raise ProbeError(ReasonCode.RECORD, f"no record {asked} matches {options.match}: {shown}", "no match")
    return Reading()


async def _any_matches(expression: str, records: list[str], kind: str) -> bool:
    """Whether one of them matches as it was written, with names in their own alphabet, or as zone files have it."""
    for record in records:
        plain = written(record, kind)
        for form in dict.fromkeys((plain, _unicode_names(plain), record)):
            if await found(expression, form):
                return True
    return False


def written(record: str, kind: str = "TXT") -> str:
    """A record in the presentation format of zone files (RFC 1035, section 5.1) as the text that somebody wrote: without
    quotes and escapes, the parts of a long text joined (RFC 7208, section 3.3).
    """
    found_bytes = bytearray()
    for piece in PIECE.finditer(record):
        if piece["number"]:
            found_bytes.append(min(int(piece["number"]), 255))
        elif piece["plain"]:
            found_bytes += piece["plain"].encode()
        elif kind not in ONE_TEXT and len(piece[0]) > 1:
            found_bytes += b" "
    return found_bytes.decode("utf-8", "replace")


def _unicode_names(text: str) -> str:
    """The text with `xn--` labels in their own alphabet."""
    return XN_LABEL.sub(lambda label: _label(label[0]), text)


def _label(label: str) -> str:
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


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
    connection = await open_connection(peer.ip, peer.sockaddr[1], verify=None)
    try:
        await connection.send(struct.pack("!H", len(packet)) + packet)
        heard = b""
        while len(heard) < 2 or len(heard) < 2 + struct.unpack_from("!H", heard)[0]:
            more = await connection.receive()
            if not more:
                raise ProbeError(ReasonCode.NO_ANSWER, f"{peer} closed the connection without an answer")
            heard += more
        return heard[2 : 2 + struct.unpack_from("!H", heard)[0]]
    finally:
        connection.close()


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
