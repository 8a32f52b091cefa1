"""HTTP looks against real servers: the window, redirects, bodies, certificates, and every way to misbehave."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import time
import zlib

import pytest
from pydantic import ValidationError

from crisp_status.clock import SystemClock
from crisp_status.look.once import Policy
from crisp_status.look.policy import look
from crisp_status.probes import http as httpkind
from crisp_status.probes.http import Options, check
from tests.probes.servers import Authority, answering, blackhole, http, looked, refusing, saying, talking


class TestTheWindow:
    @pytest.mark.parametrize(
        ("status", "outcome"),
        [(200, "healthy"), (301, "healthy"), (399, "healthy"), (400, "dead"), (503, "dead")],
    )
    async def test_is_half_open(self, status: int, outcome: str) -> None:
        """200 is inside, 400 is not; a redirect that is not followed is healthy."""
        async with talking(saying(http(f"{status} X"))) as server:
            assert outcome == (await looked(server.url())).outcome

    async def test_can_be_moved(self) -> None:
        """A site behind a password is healthy with 401 when the operator says so."""
        async with talking(saying(http("401 Unauthorized"))) as server:
            assert "healthy" == (await looked(server.url(), healthy_above=401, healthy_below=402)).outcome

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (200, "healthy"),
            (299, "healthy"),
            (300, "dead"),
            (304, "healthy"),
            (404, "dead"),
            (418, "healthy"),
            (503, "healthy"),
        ],
    )
    async def test_can_be_a_list(self, status: int, outcome: str) -> None:
        """Ranges with both ends, single statuses, and hundreds; the reason names them."""
        async with talking(saying(http(f"{status} X"))) as server:
            seen = await looked(server.url(), healthy_status=["200-299", 304, "418", "5xx"])

        assert seen.outcome == outcome
        assert outcome == "healthy" or seen.reason.text.endswith("healthy is 200-299, 304, 418 or 5xx")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"healthy_status": ["ok"]}, "is not a status"),
            ({"healthy_status": [99]}, "is not a status"),
            ({"healthy_status": [600]}, "is not a status"),
            ({"healthy_status": [True]}, ""),
            ({"healthy_status": ["299-200"]}, 'write "200-299"'),
            ({"healthy_status": [200], "healthy_above": 300}, "one of both ways only"),
            ({"header_match": {"X-Thing": "("}}, ""),
            ({"header_match": {"X Thing": "a"}}, "is not the name of a header field"),
            ({"headers": {"X-Key": "a\u200bb"}}, "invisible character in it (U+200B)"),
        ],
    )
    def test_options_that_cannot_be(self, options: dict[str, object], words: str) -> None:
        """Each has its sentence at the start, not at night."""
        with pytest.raises(ValidationError) as caught:
            Options.model_validate(options)

        assert words in str(caught.value)

    @pytest.mark.parametrize(
        ("expressions", "reason"),
        [
            ({"content-type": "^application/json"}, ""),
            ({"Content-Type": "json", "X-Version": "^v[0-9]+$"}, ""),
            ({"Content-Type": "html"}, "the header field Content-Type does not have what it must have: html"),
            ({"X-Missing": ""}, "the answer has no header field X-Missing"),
        ],
    )
    async def test_header_fields_may_be_matched(self, expressions: dict[str, str], reason: str) -> None:
        """By HEAD as well, and whatever the case of their names."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Version: v12\r\nContent-Length: 0\r\n\r\n"
        async with talking(saying(head)) as server:
            seen = await looked(server.url(), header_match=expressions)

        assert (seen.outcome, seen.reason.text if reason else "") == ("dead" if reason else "healthy", reason)

    async def test_says_what_was_answered(self) -> None:
        """The reason names the status, and so does its public value."""
        async with talking(saying(http("503 Service Unavailable"))) as server:
            seen = await looked(server.url())

        assert ("status", "answered 503 Service Unavailable; healthy is 200 to 399", "503") == (
            seen.reason.code,
            seen.reason.text,
            seen.reason.value,
        )


class TestTheQuestion:
    async def test_is_head_by_default_and_names_us(self) -> None:
        """HEAD, on a new connection, with our name and the page's address."""
        heads: list[bytes] = []

        async def talk(reader, writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(http())

        async with talking(talk) as server:
            await looked(server.url("/a%20b?c=d"))
            await looked(server.url("/ä b"[:2]))

        assert heads[0].startswith(b"HEAD /a%20b?c=d HTTP/1.1\r\n")
        assert heads[1].startswith(b"HEAD /%C3%A4 HTTP/1.1\r\n")
        assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in heads[0]
        assert b"(+https://status.acme.example/)\r\n" in heads[0]
        assert b"User-Agent: crisp-status/" in heads[0]
        assert b"Connection: close\r\n" in heads[0]
        assert 2 == server.connections

    @pytest.mark.parametrize(
        "answer", [*(http(f"{status} X") for status in (400, 403, 404, 405, 500, 501)), b"", b"nonsense\r\n\r\n"]
    )
    async def test_is_repeated_as_get_when_head_was_not_healthy(self, answer: bytes) -> None:
        """Many servers do not know HEAD: once more with GET, in the same attempt; from then on GET at once."""
        options = Options()
        async with talking(answering({"HEAD /": answer or b"\r\n\r\n", "GET /": http()})) as server:
            for connections in (2, 3, 4):
                seen = await look(httpkind, server.url(), options, Policy(), SystemClock())
                assert ("healthy", 1, connections) == (seen.outcome, seen.attempts, server.connections)

    async def test_whose_get_is_not_healthy_either_gives_the_reason_of_get(self) -> None:
        """And HEAD is tried again at the next look."""
        options = Options()
        answers = {"HEAD /": http("405 Not Allowed"), "GET /": http("503 Unavailable")}
        async with talking(answering(answers)) as server:
            seen = await look(httpkind, server.url(), options, Policy(retry=0), SystemClock())
            assert ("dead", "503") == (seen.outcome, seen.reason.value)
            answers |= {"HEAD /": http(), "GET /": http("500 Oops")}
            seen = await look(httpkind, server.url(), options, Policy(retry=0), SystemClock())
            assert "healthy" == seen.outcome

    async def test_is_not_repeated_when_the_operator_chose_the_method(self) -> None:
        """Who says HEAD means HEAD."""
        async with talking(answering({"HEAD /": http("405 Method Not Allowed"), "GET /": http()})) as server:
            assert "dead" == (await looked(server.url(), method="HEAD")).outcome

    async def test_sends_what_the_operator_wants(self) -> None:
        """Method, header fields and body go out as written, also those that we would set ourselves."""
        heard: list[bytes] = []

        async def talk(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            heard.append(head + await reader.readexactly(4))
            writer.write(http())

        async with talking(talk) as server:
            seen = await looked(
                server.url(), method="POST", body="ping", headers={"X-Key": "s3cret", "User-Agent": "mine"}
            )

        assert "healthy" == seen.outcome
        assert b"X-Key: s3cret\r\n" in heard[0]
        assert b"User-Agent: mine\r\n" in heard[0]
        assert heard[0].endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\nping")

    async def test_uses_user_and_password_of_the_address_and_hides_them(self) -> None:
        """They become a Basic header and never stand in the story."""
        heads: list[bytes] = []

        async def talk(reader, writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(http())

        async with talking(talk) as server:
            seen = await looked(f"http://jane:s3cret@127.0.0.1:{server.port}/")

        assert b"Authorization: Basic amFuZTpzM2NyZXQ=\r\n" in heads[0]
        assert "s3cret" not in seen.lines()

    async def test_reaches_ipv6(self) -> None:
        """Brackets around an address are understood."""
        async with talking(saying(http()), host="::1") as server:
            seen = await looked(server.url())

        assert "healthy" == seen.outcome
        assert f"connected to [::1]:{server.port}" in seen.lines()


class TestRedirects:
    async def test_are_followed_when_wanted(self) -> None:
        """The last answer counts; a relative Location is understood."""
        answers = {
            f"{method} {path}": answer
            for method in ("HEAD", "GET")
            for path, answer in (("/", http("302 Found", b"", "Location: /down")), ("/down", http("500 Oops")))
        }
        async with talking(answering(answers)) as server:
            assert "healthy" == (await looked(server.url())).outcome
            seen = await looked(server.url(), follow_redirects=True)

        assert ("dead", "500") == (seen.outcome, seen.reason.value)

    async def test_end_after_five(self) -> None:
        """A loop is dead, and says so."""
        async with talking(answering({"GET /": http("302 Found", b"", "Location: /")})) as server:
            seen = await looked(server.url(), method="GET", follow_redirects=True)

        assert "dead" == seen.outcome
        assert "more than 5 redirects" in seen.reason.text
        assert 6 == server.connections

    @pytest.mark.parametrize(("most", "outcome"), [(6, "dead"), (7, "healthy")])
    async def test_as_many_as_the_operator_allows(self, most: int, outcome: str) -> None:
        """Seven redirects, `max_redirects` one less or just enough."""
        answers = {f"HEAD /{n}": http("302 Found", b"", f"Location: /{n + 1}") for n in range(7)} | {"HEAD /7": http()}
        async with talking(answering(answers)) as server:
            seen = await looked(server.url("/0"), follow_redirects=True, max_redirects=most)

        assert outcome == seen.outcome

    @pytest.mark.parametrize(
        "location",
        [
            "//{address}/new page#top",
            "HTTP://{address}/new page",
            "http:/new page",
            "  /old/..\\new page\t",
            "new page?",
            "http:\\\\{address}\\new page",
        ],
    )
    async def test_go_wherever_a_browser_goes(self, location: str) -> None:
        """Spaces, backslashes, missing slashes and hosts, fragments: read as the URL standard says."""
        places = {}
        async with talking(answering(places)) as server:
            sent = location.replace("{address}", server.address)
            places |= {"HEAD /": http("301 Moved", b"", f"Location: {sent}"), "HEAD /new%20page": http()}
            seen = await looked(server.url(), follow_redirects=True)

        assert ("healthy", 2) == (seen.outcome, server.connections), seen.lines()

    async def test_do_not_carry_secrets_to_another_site(self) -> None:
        """Header fields of the operator stay at the site they were written for."""
        heads: list[bytes] = []

        async def talk(reader, writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(http())

        async with talking(talk) as there:
            location = f"Location: {there.url()}"
            async with talking(answering({"HEAD /": http("307 Temporary Redirect", b"", location)})) as server:
                seen = await looked(server.url(), follow_redirects=True, headers={"Authorization": "Bearer s3cret"})

        assert "healthy" == seen.outcome
        assert b"s3cret" not in heads[0]

    @pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "http://", "http://[::bad/"])
    async def test_to_nowhere_are_dead(self, location: str) -> None:
        """An address that is no HTTP address is the target's failure."""
        async with talking(answering({"HEAD /": http("301 Moved", b"", f"Location: {location}")})) as server:
            seen = await looked(server.url(), follow_redirects=True)

        assert ("dead", "status") == (seen.outcome, seen.reason.code)


class TestTheBody:
    async def test_must_have_what_is_wanted(self) -> None:
        """healthy_match is searched, not matched from the start; GET is asked."""
        async with talking(answering({"GET /": http("200 OK", b"all systems normal")})) as server:
            assert "healthy" == (await looked(server.url(), healthy_match="sys.*nor")).outcome
            seen = await looked(server.url(), healthy_match="Normal$")

        assert ("dead", "match") == (seen.outcome, seen.reason.code)

    async def test_must_not_have_what_is_dead(self) -> None:
        """dead_match wins over healthy_match."""
        async with talking(answering({"GET /": http("200 OK", b"fatal but fine")})) as server:
            seen = await looked(server.url(), healthy_match="fine", dead_match="fatal")

        assert ("dead", "the body has what it must not have: fatal") == (seen.outcome, seen.reason.text)

    @pytest.mark.parametrize(
        ("coding", "packed"),
        [("gzip", gzip.compress(b"good day")), ("deflate", zlib.compress(b"good day"))],
        ids=["gzip", "deflate"],
    )
    async def test_may_be_compressed(self, coding: str, packed: bytes) -> None:
        """What we said we understand, we understand."""
        answer = http("200 OK", packed, f"Content-Encoding: {coding}")
        async with talking(answering({"GET /": answer})) as server:
            assert "healthy" == (await looked(server.url(), healthy_match="good day")).outcome

    async def test_may_come_in_chunks(self) -> None:
        """Transfer-Encoding: chunked, split in the middle of a word."""
        parts = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ngoo\r\n", b"5\r\nd day\r\n0\r\n\r\n"]
        async with talking(saying(*parts, wait=0.01)) as server:
            assert "healthy" == (await looked(server.url(), healthy_match="good day")).outcome

    async def test_may_have_another_charset(self) -> None:
        """The charset of the Content-Type is used; an unknown one is read as UTF-8."""
        answer = http("200 OK", "größe".encode("latin-1"), "Content-Type: text/html; charset=iso-8859-1")
        strange = http("200 OK", "größe".encode(), "Content-Type: text/html; charset=klingon")
        async with talking(answering({"GET /": answer, "GET /strange": strange})) as server:
            assert "healthy" == (await looked(server.url(), healthy_match="größe")).outcome
            assert "healthy" == (await looked(server.url("/strange"), healthy_match="größe")).outcome

    async def test_has_no_charset_that_is_none_of_a_page(self) -> None:
        """Codecs of Python for other ends, which raise or take half a minute, do not stop the look, nor the process."""
        for name in ("idna", "undefined", "punycode", "unicode_escape", "rot13", "zlib", "klingon"):
            answer = http("200 OK", b"good day" + b"a" * 999_000, f"Content-Type: text/html; charset={name}")
            async with talking(answering({"GET /": answer})) as server:
                began = time.monotonic()
                seen = await looked(server.url(), healthy_match="good day")
            assert (name, "healthy") == (name, seen.outcome)
            assert time.monotonic() - began < 3

    async def test_that_is_a_bomb_does_not_go_off(self) -> None:
        """30 MB of zeros in 30 kB: only the first megabyte is unpacked, quickly."""
        bomb = http("200 OK", gzip.compress(bytes(30_000_000), 9), "Content-Encoding: gzip")
        async with talking(answering({"GET /": bomb})) as server:
            began = time.monotonic()
            seen = await looked(server.url(), healthy_match="x")

        assert "dead" == seen.outcome
        assert time.monotonic() - began < 2

    async def test_that_never_ends_is_read_for_a_megabyte(self) -> None:
        """An endless stream decides by its beginning."""

        async def talk(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nwelcome")
            while True:
                writer.write(bytes(65_536))
                await writer.drain()

        async with talking(talk) as server:
            assert "healthy" == (await looked(server.url(), healthy_match="welcome")).outcome

    @pytest.mark.parametrize("coding", ["br", "gzip"])
    async def test_that_cannot_be_unpacked_is_dead(self, coding: str) -> None:
        """An encoding that was not asked for, or a lie about it."""
        answer = http("200 OK", b"plain", f"Content-Encoding: {coding}")
        async with talking(answering({"GET /": answer})) as server:
            seen = await looked(server.url(), healthy_match="plain")

        assert ("dead", "match") == (seen.outcome, seen.reason.code)

    async def test_cannot_hold_us_up_with_a_bad_expression(self) -> None:
        """An expression that backtracks for years is stopped; that is unknown, not dead."""
        answer = http("200 OK", b"a" * 60 + b"!")
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.001)
                turns += 1

        async with talking(answering({"GET /": answer})) as server:
            beside = asyncio.create_task(others())
            seen = await looked(server.url(), healthy_match="(?:a|aa)+$", delay_dead=0.5)
            beside.cancel()

        assert "unknown" == seen.outcome
        assert "simplify the expression" in seen.reason.text
        assert turns > 20


class TestBadServers:
    async def test_refused(self) -> None:
        """Nobody listens: the address is named."""
        address = refusing()
        seen = await looked(f"http://{address}/")

        assert ("dead", "refused", f"connection refused by {address}") == (
            seen.outcome,
            seen.reason.code,
            seen.reason.text,
        )

    async def test_swallowed(self) -> None:
        """Nobody accepts: no connection within the time."""
        with blackhole() as address:
            seen = await looked(f"http://{address}/", delay_dead=0.2)

        assert ("dead", "no_answer", f"no connection to {address} within 0.2 s", "0.2") == (
            seen.outcome,
            seen.reason.code,
            seen.reason.text,
            seen.reason.value,
        )

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_silent(self, match: str) -> None:
        """Accepts and says nothing."""
        async with talking(saying(stay=True)) as server:
            seen = await looked(server.url(), delay_dead=0.2, healthy_match=match)

        assert ("dead", "no_answer") == (seen.outcome, seen.reason.code)
        assert seen.reason.text.endswith("within 0.2 s")

    async def test_slow_is_sick(self) -> None:
        """Latency at or above delay_sick."""
        async with talking(saying(b"", http(), wait=0.15)) as server:
            seen = await looked(server.url(), delay_sick=0.1)

        assert ("sick", "slow", "0.1") == (seen.outcome, seen.reason.code, seen.reason.value)
        assert 150 <= seen.latency_ms < 1000

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_dripping(self, match: str) -> None:
        """A byte now and then does not stretch the deadline."""
        drops = [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nX-A: b\r\nX-C: d\r\n"]
        async with talking(saying(*drops, wait=0.03)) as server:
            began = time.monotonic()
            seen = await looked(server.url(), delay_dead=0.3, healthy_match=match)

        assert "dead" == seen.outcome
        assert time.monotonic() - began < 2

    @pytest.mark.parametrize("match", ["", "x"])
    @pytest.mark.parametrize(
        "said",
        [
            b"SSH-2.0-OpenSSH\r\n",
            b"\x00\xff\x00\xff\r\n\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"RTSP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        ],
    )
    async def test_garbage(self, said: bytes, match: str) -> None:
        """What is not HTTP is dead and named so."""
        async with talking(saying(said)) as server:
            seen = await looked(server.url(), healthy_match=match)

        assert ("dead", "error") == (seen.outcome, seen.reason.code)

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_hanging_up(self, match: str) -> None:
        """No answer at all, or half of one."""
        async with talking(saying()) as server:
            seen = await looked(server.url(), healthy_match=match)
        assert ("dead", "no_answer") == (seen.outcome, seen.reason.code)

        async with talking(saying(b"HTTP/1.1 200 OK\r\nContent-Le")) as server:
            assert "dead" == (await looked(server.url(), healthy_match=match)).outcome

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_huge_headers(self, match: str) -> None:
        """Headers without end are cut off."""
        said = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(2000))
        async with talking(saying(said, stay=True)) as server:
            seen = await looked(server.url(), healthy_match=match)

        assert ("dead", "error") == (seen.outcome, seen.reason.code)

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_early_hints_are_passed_over(self, match: str) -> None:
        """100 and 103 come before the answer."""
        said = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + http("200 OK", b"x")
        async with talking(saying(b"HTTP/1.1 100 Continue\r\n\r\n", said, wait=0.01)) as server:
            assert "healthy" == (await looked(server.url(), healthy_match=match)).outcome


class TestCertificates:
    async def test_good_ones_are_healthy(self, authority: Authority) -> None:
        """And the story shows whose they are."""
        async with talking(saying(http()), tls=authority.context()) as server:
            seen = await looked(server.url(scheme="https"))

        assert "healthy" == seen.outcome
        assert "certificate for 127.0.0.1 by Test Authority" in seen.lines()

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_ended(self, authority: Authority, match: str) -> None:
        """The date stands in the reason."""
        ended = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3)
        async with talking(saying(http()), tls=authority.context(starts=-9, ends=-3)) as server:
            seen = await looked(server.url(scheme="https"), healthy_match=match)

        assert ("dead", "certificate", ended.date().isoformat()) == (
            seen.outcome,
            seen.reason.code,
            seen.reason.value,
        )
        assert seen.reason.text.startswith(f"certificate ended on {ended.day} {ended:%B}")

    async def test_not_yet_valid(self, authority: Authority) -> None:
        """One of tomorrow is no good today."""
        async with talking(saying(http()), tls=authority.context(starts=2, ends=9)) as server:
            seen = await looked(server.url(scheme="https"))

        assert "dead" == seen.outcome
        assert "certificate begins only on" in seen.reason.text

    async def test_self_signed(self, authority: Authority) -> None:
        """In plain words."""
        async with talking(saying(http()), tls=authority.context(own=True)) as server:
            seen = await looked(server.url(scheme="https"))

        assert ("dead", "certificate is self-signed") == (seen.outcome, seen.reason.text)

    async def test_of_another_host(self, authority: Authority) -> None:
        """It says for whom they are."""
        async with talking(saying(http()), tls=authority.context(names=("acme.example",))) as server:
            seen = await looked(server.url(scheme="https"))

        assert ("dead", "certificate is not for 127.0.0.1 but for acme.example") == (seen.outcome, seen.reason.text)

    async def test_of_an_unknown_authority(self, authority: Authority, tmp_path) -> None:
        """The authority is named."""
        stranger = Authority(tmp_path, "Stranger")
        async with talking(saying(http()), tls=stranger.context()) as server:
            seen = await looked(server.url(scheme="https"))

        assert ("dead", "certificate comes from an unknown authority (Stranger)") == (
            seen.outcome,
            seen.reason.text,
        )

    async def test_are_not_judged_when_the_operator_says_so(self, authority: Authority) -> None:
        """verify_tls = false takes any; the end date is read all the same."""
        async with talking(saying(http()), tls=authority.context(own=True, ends=3)) as server:
            assert "healthy" == (await looked(server.url(scheme="https"), verify_tls=False)).outcome
            seen = await looked(server.url(scheme="https"), verify_tls=False, certificate_sick_days=7)

        assert ("sick", "certificate") == (seen.outcome, seen.reason.code)
        assert seen.reason.text.startswith("certificate ends on ")

    @pytest.mark.parametrize(("days", "outcome"), [(29, "healthy"), (31, "sick")])
    @pytest.mark.parametrize("match", ["", "x"])
    async def test_that_end_soon_are_sick(self, authority: Authority, days: int, outcome: str, match: str) -> None:
        """Within certificate_sick_days, with the date as reason."""
        answer = answering({"HEAD /": http(), "GET /": http("200 OK", b"x")})
        async with talking(answer, tls=authority.context(ends=30)) as server:
            seen = await looked(server.url(scheme="https"), certificate_sick_days=days, healthy_match=match)

        assert outcome == seen.outcome

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_a_server_without_tls_is_named_so(self, match: str) -> None:
        """https:// to a plain HTTP server."""
        async with talking(saying(http("400 Bad Request"), after_head=False)) as server:
            seen = await looked(server.url(scheme="https"), healthy_match=match)

        assert ("dead", "tls", f"{server.address} does not speak TLS") == (
            seen.outcome,
            seen.reason.code,
            seen.reason.text,
        )

    @pytest.mark.parametrize("match", ["", "x"])
    async def test_a_server_that_hangs_up_or_keeps_silent_in_the_handshake(self, match: str) -> None:
        """Both are dead."""
        async with talking(saying(after_head=False)) as server:
            assert "dead" == (await looked(server.url(scheme="https"), healthy_match=match)).outcome
        async with talking(saying(after_head=False, stay=True)) as server:
            seen = await looked(server.url(scheme="https"), delay_dead=0.2, healthy_match=match)
        assert "dead" == seen.outcome


class TestOptions:
    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"healthy_match": "("}, "not a regular expression"),
            ({"healthy_above": 400, "healthy_below": 400}, "healthy_above must be less"),
            ({"body": "x"}, "method POST, PUT or PATCH"),
            ({"method": "HEAD", "dead_match": "x"}, "HEAD has no body"),
            ({"headers": {"X Y": "z"}}, "not the name of a header field"),
            ({"headers": {"X": "a\r\nb"}}, "line break"),
            ({"headers": {"Content-Length": "1"}}, "written by the probe"),
            ({"method": "BREW"}, "Input should be"),
            ({"healthy_abov": 1}, "Extra inputs"),
        ],
    )
    def test_say_what_is_wrong(self, wrong: dict[str, object], said: str) -> None:
        """A mistake in the file is a sentence, not a crash at night."""
        with pytest.raises(ValidationError, match=said):
            Options(**wrong)

    def test_hide_secrets(self) -> None:
        """Header values and body do not print."""
        assert "s3cret" not in repr(Options(headers={"X": "s3cret"}, method="POST", body="s3cret"))

    @pytest.mark.parametrize(
        "target", ["http://", "http://a b/", "http://a:99999/", "http://a:0/", "https:///x", "ftp://a/"]
    )
    def test_addresses_are_checked(self, target: str) -> None:
        """What cannot be asked is said before it is."""
        with pytest.raises(ValueError, match=r"."):
            check(target)


class TestWhatATargetSays:
    async def test_cannot_write_to_the_terminal_or_break_a_line(self, authority: Authority) -> None:
        """Status phrase, redirect target, certificate names: one clean line, also with broken characters."""
        head = b"HTTP/1.1 503 \x1b[2J\xff oh\r\nContent-Length: 0\r\n\r\n"
        async with talking(saying(head)) as server:
            seen = await looked(server.url())
        assert seen.reason.text.isprintable()
        assert seen.lines().replace("\n", "").isprintable()

        location = b"HTTP/1.1 302 Found\r\nLocation: http://\xff\x1b.example/\xe4\r\n\r\n"
        async with talking(saying(location)) as server:
            seen = await looked(server.url(), follow_redirects=True)
        assert (seen.outcome, seen.reason.text.isprintable()) == ("dead", True)
        seen.reason.text.encode()

    async def test_in_a_redirect_keeps_its_bytes(self) -> None:
        """A Location in an old charset leads where it says."""
        heads: list[bytes] = []

        async def talk(reader, writer):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(http() if b"%E4" in heads[-1] else b"HTTP/1.1 302 Found\r\nLocation: /\xe4\r\n\r\n")

        async with talking(talk) as server:
            assert (await looked(server.url(), follow_redirects=True)).outcome == "healthy"
        assert heads[1].startswith(b"HEAD /%E4 ")

    async def test_byte_by_byte_does_not_keep_us_busy(self) -> None:
        """Sixty kilobytes of headers in tiny pieces cost little."""
        said = [b"HTTP/1.1 200 OK\r\n", *(b"X-%d: %s\r\n" % (n, b"y" * 20) for n in range(250)), b"\r\n"]
        async with talking(saying(*said)) as server:
            began = time.process_time()
            assert (await looked(server.url())).outcome == "healthy"
        assert time.process_time() - began < 2
