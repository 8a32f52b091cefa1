"""DNS looks against a nameserver of our own."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from crisp_status.probes.dns import Options, check
from tests.probes.servers import looked

ZONE = {
    ("acme.example.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("acme.example.", "MX"): ["10 mail.acme.example."],
    ("empty.example.", "A"): [],
    ("spf.example.", "TXT"): [r'"v=spf1 include:_spf.example" " gr\195\182\195\159e \"quoted\" -all"'],
    ("caa.example.", "CAA"): ['0 issue "letsencrypt.org"'],
    ("hinfo.example.", "HINFO"): ['"one cpu" "an os"'],
    ("idn.example.", "MX"): ["10 mail.xn--mnchen-3ya.de."],
    ("large.example.", "TXT"): [f'"{n:03}{"x" * 200}"' for n in range(20)],
}


def answer(packet: bytes, *, by_stream: bool = False) -> bytes:
    question = dns.message.from_wire(packet)
    reply = dns.message.make_response(question)
    asked = question.question[0]
    key = (asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype))
    if key not in ZONE:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif ZONE[key]:
        reply.answer.append(dns.rrset.from_text(asked.name, 60, "IN", key[1], *ZONE[key]))
    packed = reply.to_wire()
    if len(packed) > 512 and not by_stream:
        reply.answer.clear()
        reply.flags |= dns.flags.TC
        packed = reply.to_wire()
    return packed


class Datagrams(asyncio.DatagramProtocol):
    """Loses the first `lost` questions; before each answer comes a stray datagram."""

    def __init__(self, lost: int) -> None:
        self.lost = lost

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        if self.lost:
            self.lost -= 1
            return
        self.transport.sendto(bytes([data[0] ^ 1]) + data[1:], addr)
        self.transport.sendto(answer(data), addr)


@contextlib.asynccontextmanager
async def nameserver(lost: int = 0) -> AsyncIterator[str]:
    async def stream(reader, writer):
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        packed = answer(await reader.readexactly(size), by_stream=True)
        writer.write(struct.pack("!H", len(packed)) + packed)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(stream, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(lost), local_addr=("127.0.0.1", port))
    try:
        yield f"127.0.0.1:{port}"
    finally:
        transport.close()
        listener.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("question", "given", "outcome", "value"),
    [
        ("acme.example", {}, "healthy", ""),
        ("acme.example?type=MX", {}, "healthy", ""),
        ("acme.example", {"type": "mx", "match": "mail"}, "healthy", ""),
        ("acme.example", {"match": r"^192\.0\.2\.2$"}, "healthy", ""),
        ("acme.example", {"match": r"198\.51"}, "dead", "no match"),
        ("empty.example", {}, "dead", "no record"),
        ("nosuch.example", {}, "dead", "NXDOMAIN"),
        ("large.example?type=TXT", {"match": "019x"}, "healthy", ""),
        ("spf.example?type=TXT", {"match": '^v=spf1 include:_spf.example größe "quoted" -all$'}, "healthy", ""),
        ("spf.example?type=TXT", {"match": r'^"v=spf1.*\\195\\182'}, "healthy", ""),
        ("caa.example?type=CAA", {"match": "^0 issue letsencrypt.org$"}, "healthy", ""),
        ("hinfo.example?type=HINFO", {"match": "^one cpu an os$"}, "healthy", ""),
        ("idn.example?type=MX", {"match": "mail.münchen.de"}, "healthy", ""),
        ("idn.example?type=MX", {"match": "mail.xn--mnchen-3ya.de"}, "healthy", ""),
    ],
)
async def test_the_answer_decides(question: str, given: dict[str, str], outcome: str, value: str) -> None:
    """A record of the type, and one that matches as it was written, or in the form of zone files; a long answer is fetched
    by TCP.
    """
    async with nameserver() as address:
        seen = await looked(f"dns://{address}/{question}", **given)

    assert (seen.outcome, seen.reason.value) == (outcome, value), seen.reason.text


async def test_nobody_there_is_dead() -> None:
    """A port that refuses is known at once."""
    async with nameserver() as address:
        pass
    seen = await looked(f"dns://{address}/acme.example")

    assert (seen.outcome, seen.reason.code) == ("dead", "refused")


async def test_silence_is_dead() -> None:
    """No answer in time."""
    async with nameserver(lost=9) as address:
        seen = await looked(f"dns://{address}/acme.example", delay_dead=0.1)

    assert (seen.outcome, seen.reason.text) == ("dead", f"no answer from {address} within 0.1 s")


@pytest.mark.parametrize("target", ["dns://a", "dns://a/", "dns://a/b/c", "dns://a/b?kind=MX", "dns:///"])
def test_addresses_are_checked(target: str) -> None:
    """A name to ask for is needed, and only the type may follow."""
    with pytest.raises(ValueError, match=r"."):
        check(target)


@pytest.mark.parametrize("wrong", [{"type": "M X"}, {"match": "("}])
def test_options_are_checked(wrong: dict[str, str]) -> None:
    """Mistakes are found when the file is read."""
    with pytest.raises(ValidationError):
        Options(**wrong)
