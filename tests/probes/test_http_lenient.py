"""What browsers and curl take, we take; and the verdict is the same whether a body is wanted or not."""

from __future__ import annotations

import gzip
import zlib

import pytest

from tests.probes.servers import answering, http, looked, saying, talking

BODY = b"good day, this is it"


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def packed(data: bytes) -> bytes:
    """Without the time, which would stand in the names of tests."""
    return gzip.compress(data, mtime=0)


def with_head(*lines: bytes, body: bytes = BODY) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]) + body


@pytest.mark.parametrize("match", ["", "good day"])
@pytest.mark.parametrize(
    "answer",
    [
        with_head(b"Content-Length: 20, 20"),
        with_head(b"Content-Length: 20", b"Content-Length: 20"),
        with_head(b"Content-Length: 20", b"X-Thing : 1"),
        with_head(b"Content-Length: 20", b"X Bad: 1"),
        with_head(b"no colon at all", b"Content-Length: 20"),
        with_head(b"Content-Length:", b"X: 1"),
        with_head(b"X-Folded: a", b"  b", b"Content-Length: 20"),
        with_head(b"X-Control: \x01\x02", b"Content-Length: 20"),
        with_head(b"Transfer-Encoding: chunked", b"Content-Length: 3", body=b"14\r\n" + BODY + b"\r\n0\r\n\r\n"),
        with_head(b"Transfer-Encoding: chunked", body=b"14 ;x=y\r\n" + BODY + b"\r\n0\r\n\r\n"),
        b"HTTP/1.1 200 OK\nContent-Length: 20\n\n" + BODY,
        b"HTTP/1.1  200\r\nContent-Length: 20\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        b"\r\nHTTP/1.1 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.1 103 Early\r\nX Y: 1\r\n\r\nHTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n" + BODY,
        with_head(b"Content-Encoding: UTF-8", b"Content-Length: 20"),
        with_head(b"Content-Encoding: none", b"Content-Length: 20"),
        with_head(b"Content-Encoding: binary", b"Content-Length: 20"),
        with_head(b"Content-Encoding: identity, gzip", body=packed(BODY)),
        with_head(b"Content-Encoding: gzip", body=packed(BODY[:9]) + packed(BODY[9:])),
        with_head(b"Content-Encoding: gzip", body=packed(b"") + packed(BODY) + b"\0\0rubbish"),
        with_head(b"Content-Encoding: gzip, gzip", body=packed(packed(BODY))),
        with_head(b"Content-Encoding: deflate", body=raw_deflate(BODY)),
        with_head(b"Content-Encoding: deflate", body=zlib.compress(BODY)),
    ],
)
async def test_is_healthy(answer: bytes, match: str) -> None:
    """Equal lengths, strange header lines, strange codings."""
    async with talking(saying(answer)) as server:
        seen = await looked(server.url(), method="GET", healthy_match=match)

    assert seen.outcome == "healthy", seen.reason.text


@pytest.mark.parametrize("match", ["", "good day"])
@pytest.mark.parametrize(
    "answer",
    [
        with_head(b"Content-Length: 20, 21"),
        with_head(b"Content-Length: 20", b"Content-Length: 21"),
        with_head(b"X" * 70_000),
        b"HTTP/1.1 abc\r\n\r\n" + BODY,
    ],
)
async def test_is_dead(answer: bytes, match: str) -> None:
    """Two different lengths may be two answers in one: nobody believes that."""
    async with talking(saying(answer)) as server:
        seen = await looked(server.url(), method="GET", healthy_match=match)

    assert (seen.outcome, seen.reason.code) == ("dead", "error")


async def test_brotli_is_unpacked_where_it_is_installed() -> None:
    """And asked for; a bomb of it is unpacked for a megabyte."""
    brotli = pytest.importorskip("brotli")
    answers = {
        "GET /": http("200 OK", brotli.compress(BODY), "Content-Encoding: br"),
        "GET /bomb": http("200 OK", brotli.compress(b"good day" + bytes(50_000_000)), "Content-Encoding: br"),
        "GET /lie": http("200 OK", BODY, "Content-Encoding: br"),
    }
    async with talking(answering(answers)) as server:
        assert (await looked(server.url(), healthy_match="this is it$")).outcome == "healthy"
        assert (await looked(server.url("/bomb"), healthy_match="^good day")).outcome == "healthy"
        assert (await looked(server.url("/lie"), healthy_match="good")).reason.code == "match"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xef\xbb\xbf" + "größe".encode(), "text/html; charset=iso-8859-1"),
        ("\ufeffgröße".encode("utf-16-le"), "text/html"),
        ("\ufeffgröße".encode("utf-16-be"), "text/html"),
        (b"<meta charset='iso-8859-1'>" + "größe".encode("latin-1"), "text/html"),
        (
            b'<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">' + "größe".encode("latin-1"),
            "text/html",
        ),
        ("größe".encode("latin-1"), "text/html; charset='ISO-8859-1'"),
        ("größe“".encode("cp1252"), "text/html; charset=latin1"),
        ("größe".encode(), "text/html; charset=klingon"),
        (b"<meta charset=utf-16>" + "größe".encode(), "text/html"),
    ],
)
async def test_the_charset_is_found_as_browsers_find_it(body: bytes, content_type: str) -> None:
    """Byte order mark, Content-Type, `<meta>`, in that order."""
    answer = http("200 OK", body, f"Content-Type: {content_type}")
    async with talking(answering({"GET /": answer})) as server:
        assert (await looked(server.url(), healthy_match="größe")).outcome == "healthy"


async def test_a_byte_order_mark_is_not_text() -> None:
    """An expression for the beginning finds it."""
    answer = http("200 OK", b"\xef\xbb\xbfok")
    async with talking(answering({"GET /": answer})) as server:
        assert (await looked(server.url(), healthy_match="^ok$")).outcome == "healthy"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a/../b", b"/b"),
        ("/a/./b/", b"/a/b/"),
        ("/../../b?x=/../y", b"/b?x=/../y"),
        ("/a/%2e%2E/b", b"/b"),
        ("/a/..", b"/"),
        ("/.well-known/x", b"/.well-known/x"),
        ("/a//b", b"/a//b"),
    ],
)
@pytest.mark.parametrize("match", ["", "x"])
async def test_the_path_is_sent_as_browsers_send_it(path: str, sent: bytes, match: str) -> None:
    """Without dot segments, whether a body is wanted or not."""
    lines: list[bytes] = []

    async def talk(reader, writer):
        lines.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        writer.write(http("200 OK", b"x"))

    async with talking(talk) as server:
        await looked(server.url(path), healthy_match=match)

    assert lines == [sent]


async def test_a_body_that_breaks_off_is_dead_only_for_who_wants_it() -> None:
    """What is not asked for is not read."""
    async with talking(saying(with_head(b"Content-Length: 99"))) as server:
        assert (await looked(server.url(), method="GET")).outcome == "healthy"
        seen = await looked(server.url(), healthy_match="good")

    assert (seen.outcome, seen.reason.code) == ("dead", "error")
    assert "in the middle of its answer" in seen.reason.text
