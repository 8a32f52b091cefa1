"""The plain way and aiohttp give the same verdict on every answer (SPEED section 2)."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crisp_status import probes
from crisp_status.net import plain_http as plainhttp
from crisp_status.net import tools as net_tools
from crisp_status.net.http_message import Question, written

NAME = st.sampled_from(["Server", "Date", "X-Thing", "Set-Cookie", "Location", "Content-Type", "Vary"])
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
FIELDS = st.lists(st.tuples(NAME, VALUE), max_size=8)
STATUS = st.integers(200, 599).filter(lambda status: status not in {204, 304})
"""Those two have no body; they are in the examples."""
PHRASE = st.sampled_from(["OK", "", "Not Found", "I am a teapot", "ümläut"])


@st.composite
def good(draw: st.DrawFn) -> bytes:
    """A well-formed answer, perhaps after interim ones."""
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"])
    )
    version = draw(st.sampled_from(["1.1", "1.0"]))
    head = [f"HTTP/{version} {draw(STATUS)} {draw(PHRASE)}"]
    head += [f"{name}: {value}" for name, value in draw(FIELDS)]
    head += [draw(st.sampled_from(["Content-Length: 2", "X-No: length", "Connection: close"])), "", ""]
    return interim + "\r\n".join(head).encode() + b"ok"


@st.composite
def bad(draw: st.DrawFn) -> bytes:
    """An answer that was damaged: cut, or with strange bytes in its first line."""
    answer = draw(good())
    if draw(st.booleans()):
        return answer[: draw(st.integers(0, len(answer) - 5))]
    return draw(st.binary(min_size=1, max_size=12).filter(lambda b: not b.startswith(b"HTTP/"))) + b"\r\n\r\n" + answer


async def verdicts(answer: bytes, cut: int) -> tuple[object, object]:
    """What the plain way and what aiohttp make of an answer that comes in two pieces."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer[:cut])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(answer[cut:])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    fields = {"Host": f"127.0.0.1:{port}"}
    question = Question(
        "GET",
        f"http://127.0.0.1:{port}/",
        False,
        "127.0.0.1",
        port,
        "/",
        fields,
        b"",
        True,
        False,
        written("GET", "/", fields, b""),
    )
    async with net_tools.opened() as tools:
        found: list[object] = []
        for exchange in (plainhttp.exchange, tools.client.exchange):
            try:
                reply = await exchange(question)
                found.append((reply.status, reply.headers.get("location"), reply.headers.get("content-type")))
            except probes.ProbeError as error:
                found.append("dead" if error.reason.code in {"error", "no_answer"} else error.reason.code)
    server.close()
    await asyncio.sleep(0)
    return found[0], found[1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(good(), st.integers(0, 60))
@example(b"HTTP/1.1 204 No Content\r\n\r\n", 5)
@example(b"HTTP/1.0 200\r\nA: b\r\n\r\n", 5)
def test_of_good_answers(answer: bytes, cut: int) -> None:
    """Status and header fields are read alike, however the bytes are cut."""
    plain, other = asyncio.run(verdicts(answer, cut))

    assert plain == other
    assert plain != "dead"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bad(), st.integers(0, 60))
def test_of_bad_answers(answer: bytes, cut: int) -> None:
    """What one calls dead, the other does."""
    plain, other = asyncio.run(verdicts(answer, cut))

    assert plain == other
