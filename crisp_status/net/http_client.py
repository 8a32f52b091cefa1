"""One HTTP/1.1 exchange over one new connection: the only HTTP client of looks.

llhttp (`httptools`) parses the answer, as lenient as it can be. Headers that it refuses and browsers take are mended and parsed
again, so that a target gets one verdict, whether its body is wanted or not. Nothing of the body is read until somebody
asks for it. Redirects are the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import httptools
import msgspec

from crisp_status.core.verdict import ReasonCode
from crisp_status.net.attempt import expect
from crisp_status.net.errors import ProbeError
from crisp_status.net.http_body import BODY_MAX, decoded
from crisp_status.net.stream import Connection, open_connection
from crisp_status.net.way import USUAL, Way

HEAD_MAX: Final = 65_536
"""Bytes of status line and headers: four times what servers commonly allow themselves."""

FIELDS_MAX: Final = 256
"""Header fields of an answer."""

WIRE_TIMES: Final = 4
"""So many times what is looked at is taken from the connection, packed or not."""

SET_COOKIE: Final = b"set-cookie"

PREFIX: Final = b"HTTP/"
STATUS_LINE: Final = re.compile(rb"HTTP/[0-9.]{1,8}[ \t]+([1-9][0-9]{2})(?:[ \t]+([^\r\n]*))?")
HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
INTERIM: Final = re.compile(rb"HTTP/[0-9.]{1,8}[ \t]+1(?!01)[0-9]{2}")
TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SWITCHING_PROTOCOLS: Final = 101


class HttpRequest(msgspec.Struct, frozen=True):
    """What is asked, and of whom."""

    method: str
    url: str
    """For people: without user and password."""
    secure: bool
    host: str
    port: int
    wire: bytes
    """All of it as it goes out."""
    verify_tls: bool
    way: Way = USUAL


def request_bytes(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it goes out. The caller has made sure that no part of it holds a line break."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


class _Events:
    """What the parser found so far. It does not raise: llhttp would wrap it."""

    def __init__(self) -> None:
        self.status = 0
        self.phrase = b""
        self.headers: dict[str, str] = {}
        self.cookies: list[str] = []
        self.fields = 0
        self.size = 0
        """Bytes of the fields, of all heads together."""
        self.head_complete = False
        self.complete = False
        self.body = bytearray()
        self.refused = False
        """llhttp gave up on the head."""
        self.broken = False
        """It gave up on the body."""
        self.parser = httptools.HttpResponseParser(self)
        self.parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_keep_alive=True,
            lenient_transfer_encoding=True,
            lenient_version=True,
            lenient_data_after_close=True,
            lenient_optional_lf_after_cr=True,
            lenient_optional_cr_before_lf=True,
            lenient_optional_crlf_after_chunk=True,
            lenient_spaces_after_chunk_size=True,
        )

    def on_message_begin(self) -> None:
        """Of the answer, or of an interim one before it (100, 103)."""
        if not self.head_complete:
            self.status, self.phrase, self.fields = 0, b"", 0
            self.headers.clear()
            self.cookies.clear()

    def on_status(self, phrase: bytes) -> None:
        """The words after the number, in one or more parts."""
        if not self.head_complete:
            self.phrase += phrase

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of equal header fields the first counts."""
        if not self.head_complete:
            self.fields += 1
            self.size += len(name) + len(value)
            if len(name) == len(SET_COOKIE) and name.lower() == SET_COOKIE:
                self.cookies.append(value.strip().decode("utf-8", "replace"))
            self.headers.setdefault(name.decode("latin-1").lower(), value.strip().decode("utf-8", "surrogateescape"))

    def on_headers_complete(self) -> None:
        """The body follows, unless that was an interim answer."""
        if not self.head_complete:
            self.status = self.parser.get_status_code()
            self.head_complete = self.status >= 200 or self.status == SWITCHING_PROTOCOLS

    def on_body(self, part: bytes) -> None:
        """Without the framing of chunks."""
        self.body += part

    def on_message_complete(self) -> None:
        """By its length, or by the last chunk; an interim answer is complete as well."""
        self.complete = self.head_complete


class HttpResponse:
    """An answer whose head has come. `read` gets the body; the caller closes it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._events = _Events()
        self._raw = bytearray()
        """The head as it came, until it is complete."""
        self.certificate = connection.certificate
        """DER form, for HTTPS."""
        self.chain = connection.chain

    @property
    def status(self) -> int:
        """As in 200."""
        return self._events.status

    @property
    def phrase(self) -> str:
        """What stands behind the status."""
        return self._events.phrase.decode("utf-8", "replace").strip()

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; the first of equal ones. Bytes that are not UTF-8 are escaped as surrogates."""
        return self._events.headers

    @property
    def cookies(self) -> list[str]:
        """All values of Set-Cookie."""
        return self._events.cookies

    async def read_head(self) -> None:
        """Read until the body begins."""
        peer, total = self._connection.peer, 0
        begin = b""
        while not self._events.head_complete:
            data = await self._connection.receive()
            if not data:
                raise self._broken_off(begin)
            if len(begin) < len(PREFIX):
                if not begin:
                    expect("no complete answer")
                    data = data.lstrip(b"\r\n")  # blank lines before an answer do no harm
                begin += data[: len(PREFIX)]
                if not begin.startswith(PREFIX[: len(begin)]):
                    raise ProbeError(ReasonCode.ERROR, f"{peer} does not answer with HTTP")
            total += len(data)
            pending = 0 if self._feed_head(data) else total
            if max(pending, self._events.size) > HEAD_MAX:
                raise ProbeError(ReasonCode.ERROR, f"{peer} answers with headers of more than {HEAD_MAX // 1024} kB")
        if self._events.fields > FIELDS_MAX:
            raise ProbeError(ReasonCode.ERROR, f"{peer} answers with more than {FIELDS_MAX} header fields")
        self._raw.clear()

    def _feed_head(self, data: bytes) -> bool:
        """Whether the head is complete with that."""
        events, raw = self._events, self._raw
        raw += data
        if not events.refused:
            try:
                events.parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                return True
            except httptools.HttpParserError:
                # After the head it is the body that is broken, which matters when somebody reads it.
                events.refused = not events.head_complete
                events.broken = not events.complete
        searched = max(0, len(raw) - len(data) - len(b"\r\n\r\n"))
        while events.refused and (ends := HEAD_END.search(raw, searched)):
            searched = 0
            head = bytes(raw[: ends.end()])
            del raw[: ends.end()]
            if not INTERIM.match(head):
                self._mend(head, bytes(raw))
                break
        return self._events.head_complete

    def _mend(self, head: bytes, rest: bytes) -> None:
        """Parse again what llhttp refused, as browsers read it."""
        fresh = self._events = _Events()
        fresh.size = len(head)
        try:
            fresh.parser.feed_data(mended(head, str(self._connection.peer)) + rest)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError as error:
            if not fresh.head_complete:
                raise ProbeError(
                    ReasonCode.ERROR, f"{self._connection.peer} does not answer with HTTP: {error}"
                ) from error
            fresh.broken = not fresh.complete

    async def read(self, most: int = BODY_MAX) -> bytes:
        """The decoded body, at most so many bytes of it. Raises `ProbeError` when it breaks off or cannot be decoded."""
        events, peer = self._events, self._connection.peer
        bounded = "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()
        while not events.complete and len(events.body) < WIRE_TIMES * most:
            if events.broken:
                raise ProbeError(ReasonCode.ERROR, f"{peer} answers with a broken body")
            data = await self._connection.receive()
            if not data:
                if bounded:
                    raise ProbeError(ReasonCode.ERROR, f"{peer} closed the connection in the middle of its answer")
                break
            try:
                events.parser.feed_data(data)
            except httptools.HttpParserError:
                events.broken = not events.complete
            if len(events.body) >= most and "content-encoding" not in self.headers:
                break
        return decoded(bytes(events.body), self.headers.get("content-encoding", ""), most)

    def _broken_off(self, begin: bytes) -> ProbeError:
        if not begin:
            return ProbeError(ReasonCode.NO_ANSWER, f"{self._connection.peer} closed the connection without an answer")
        if not begin.startswith(PREFIX):
            return ProbeError(ReasonCode.ERROR, f"{self._connection.peer} does not answer with HTTP")
        return ProbeError(
            ReasonCode.ERROR, f"{self._connection.peer} closed the connection in the middle of its answer"
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


async def exchange(request: HttpRequest) -> HttpResponse:
    """Ask over a new connection and read the head of the answer. Raises `ProbeError` or `Unknowable`."""
    connection = await open_connection(
        request.host,
        request.port,
        verify=request.verify_tls if request.secure else None,
        way=request.way,
        alpn="http/1.1",
    )
    response = HttpResponse(connection)
    try:
        await connection.send(request.wire)
        await response.read_head()
    except BaseException:
        connection.close()
        raise
    return response


def mended(head: bytes, peer: str) -> bytes:
    """A head as llhttp takes it, from one that browsers take. Raises `ProbeError` where they give up, too.

    Lines without a colon and impossible names are left out, folded lines are joined, equal lengths are one length, and a
    length that is not a number is ignored.
    """
    lines: list[bytes] = []
    for line in head.replace(b"\r\n", b"\n").split(b"\n"):
        if line[:1] in {b" ", b"\t"} and len(lines) > 1:
            lines[-1] += b" " + line.strip()
        else:
            lines.append(line)
    first = STATUS_LINE.match(lines[0])
    if first is None:
        raise ProbeError(ReasonCode.ERROR, f"{peer} does not answer with HTTP")
    fields: list[bytes] = []
    lengths: set[bytes] = set()
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        name = name.strip()
        if not colon or not TOKEN.fullmatch(name):
            continue
        if name.lower() == b"content-length":
            lengths |= {part.strip() for part in value.split(b",") if part.strip().isdigit()}
        else:
            fields.append(name + b": " + value.strip().replace(b"\0", b" "))
    if len(lengths) > 1:
        raise ProbeError(ReasonCode.ERROR, f"{peer} answers with two different values of Content-Length")
    if lengths:
        fields.append(b"Content-Length: " + lengths.pop())
    return b"\r\n".join([b"HTTP/1.1 " + first[1] + b" " + (first[2] or b""), *fields, b"", b""])
