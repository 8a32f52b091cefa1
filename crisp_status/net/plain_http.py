"""HTTP/1.1 for the plain case: the head of the answer decides, the body is not read (RFC 9112).

Most looks are of this kind. Everything that needs a body goes through `aiohttp_client`, and the tests hold both to the same
verdicts.

Gain, by `python -m benchmarks --only looks`: a whole look takes half the CPU time of a bare request with that library.
"""

from __future__ import annotations

import re

from crisp_status.net.contract import ProbeError, expect
from crisp_status.net.http_message import FIELDS_MAX, HEAD_MAX, HttpAnswer, Question
from crisp_status.net.stream import Wire, dial

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: ([^\r\n]*))?\r?\n")
HEAD_END = re.compile(rb"\r?\n\r?\n")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*(?:\r?\n[ \t]+[^\0\r\n]*)*)\r?\n")


async def exchange(question: Question) -> HttpAnswer:
    """Ask over a new connection and read the head of the answer. Raises `ProbeError` or `Unknowable`."""
    wire = await dial(question.host, question.port, verify=question.verify_tls if question.secure else None)
    try:
        await wire.send(question.written)
        status, phrase, headers = await _head(wire)
    finally:
        wire.close()
    return HttpAnswer(status, phrase, headers, certificate=wire.certificate)


async def _head(wire: Wire) -> tuple[int, str, dict[str, str]]:
    heard = bytearray()
    searched = 0
    while True:
        end = HEAD_END.search(heard, searched)
        if end is None:
            searched = max(0, len(heard) - 3)  # a drip of single bytes must not make us search all of it each time
        if len(heard) > HEAD_MAX and (end is None or end.end() > HEAD_MAX):
            raise ProbeError("error", f"{wire.peer} answers with headers of more than {HEAD_MAX // 1024} kB")
        if end is not None:
            status, phrase, headers = _parsed(bytes(heard[: end.end()]), wire)
            if status >= 200 or status == 101:
                return status, phrase, headers
            del heard[: end.end()]  # 100 Continue, 103 Early Hints: the answer is still to come
            searched = 0
            continue
        if len(heard) >= 5 and not heard.startswith(b"HTTP/"):
            raise ProbeError("error", f"{wire.peer} does not answer with HTTP")
        more = await wire.receive()
        if not more:
            raise _broken_off(wire, heard)
        if not heard:
            expect("no complete answer")
            more = more.lstrip(b"\r\n")  # blank lines before an answer do no harm
        heard += more


def _parsed(head: bytes, wire: Wire) -> tuple[int, str, dict[str, str]]:
    first = STATUS_LINE.match(head)
    if first is None:
        raise ProbeError("error", f"{wire.peer} does not answer with HTTP")
    headers: dict[str, str] = {}
    at = first.end()
    count = 0
    while field := FIELD.match(head, at):
        headers.setdefault(field[1].decode("ascii").lower(), field[2].rstrip().decode("utf-8", "surrogateescape"))
        at = field.end()
        count += 1
    if head[at:] not in {b"\r\n", b"\n", b""}:
        raise ProbeError("error", f"{wire.peer} answers with a header line that is not HTTP")
    if count > FIELDS_MAX:
        raise ProbeError("error", f"{wire.peer} answers with more than {FIELDS_MAX} header fields")
    return int(first[1]), (first[2] or b"").decode("utf-8", "replace").strip(), headers


def _broken_off(wire: Wire, heard: bytearray) -> ProbeError:
    if not heard:
        return ProbeError("no_answer", f"{wire.peer} closed the connection without an answer")
    if not heard.startswith(b"HTTP/"):
        return ProbeError("error", f"{wire.peer} does not answer with HTTP")
    return ProbeError("error", f"{wire.peer} closed the connection in the middle of its answer")
