"""MongoDB's `hello` in scripted answers: Debian has no MongoDB. The same was tried with FerretDB by hand."""

from __future__ import annotations

import asyncio
import struct

import pytest

from crisp_status.probes._bson import decoded, encoded
from tests.probes.servers import blackhole, looked, refusing, talking


def number(name: bytes, value: float) -> bytes:
    return b"\x01" + name + b"\0" + struct.pack("<d", value)


def yes(name: bytes, value: bool = True) -> bytes:
    return b"\x08" + name + b"\0" + bytes([value])


def word(name: bytes, value: bytes) -> bytes:
    return b"\x02" + name + b"\0" + struct.pack("<i", len(value) + 1) + value + b"\0"


def document(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


OTHERS = (
    b"\x03topologyVersion\0" + document(b"\x07processId\0" + bytes(12)),
    b"\x09localTime\0" + bytes(8),
    b"\x12counter\0" + bytes(8),
    b"\x05data\0" + struct.pack("<iB", 3, 0) + b"abc",
    b"\x04hosts\0" + document(word(b"0", b"a:27017")),
)
"""Of kinds that a real answer has, too."""


def reply(body: bytes, *, to: int = 1, operation: int = 2013) -> bytes:
    return struct.pack("<iiiiiB", 21 + len(body), 9, to, operation, 0, 0) + body


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (reply(document(*OTHERS, yes(b"isWritablePrimary"), number(b"ok", 1))), "healthy", ""),
        (reply(document(yes(b"isWritablePrimary", False), yes(b"secondary"), number(b"ok", 1))), "healthy", ""),
        (reply(document(yes(b"ismaster"), word(b"msg", b"isdbgrid"), number(b"ok", 1))), "healthy", ""),
        (
            reply(document(yes(b"secondary", False), word(b"setName", b"rs0"), number(b"ok", 1))),
            "dead",
            "neither primary nor secondary of the set rs0",
        ),
        (reply(document(number(b"ok", 0), word(b"errmsg", b"shutting down"))), "dead", "refuses: shutting down"),
        (reply(document(number(b"ok", 1)), to=2), "dead", "does not answer as MongoDB"),
        (reply(document(number(b"ok", 1)), operation=1), "dead", "does not answer as MongoDB"),
        (reply(b"\xff\xff\xff\xff\x02"), "dead", "does not answer as MongoDB"),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n", "dead", "does not answer as MongoDB"),
        (b"", "dead", "closed the connection without an answer"),
    ],
)
async def test_each_answer_to_hello(answer: bytes, outcome: str, words: str) -> None:
    """A member that can be asked is healthy; whatever else comes is dead, in words."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = struct.unpack("<i", await reader.readexactly(4))[0]
        asked = await reader.readexactly(length - 4)
        assert decoded(asked[17:]) == {"hello": 1, "$db": "admin"}
        writer.write(answer)
        await writer.drain()

    async with talking(talk) as server:
        seen = await looked(f"mongodb://{server.address}")

    assert seen.outcome == outcome, seen.reason.text
    assert words in seen.reason.text


async def test_refused_and_silent() -> None:
    """As everywhere."""
    assert (await looked(f"mongodb://{refusing()}")).reason.code == "refused"
    with blackhole() as address:
        assert (await looked(f"mongodb://{address}", delay_dead=0.3)).reason.code == "no_answer"


def test_bson_there_and_back() -> None:
    """What we write we can read."""
    assert decoded(encoded({"a": 1, "b": "é"})) == {"a": 1, "b": "é"}
