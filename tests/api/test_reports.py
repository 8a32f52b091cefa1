"""The doors for reporters over a real socket, with a fake engine behind them."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from crisp_status.api.reports import Reports
from crisp_status.core.events import Flushed, Reported
from crisp_status.formats.exposition import Counters
from crisp_status.http.authentication import Failures
from crisp_status.http.responses import Dater
from crisp_status.http.router import Router
from crisp_status.reports import OURS
from tests.fakes import FakeClock, FakeEngine
from tests.http.site_fakes import serving
from tests.reports.world import BEAT, TOKEN, Page, basic

ALIVE = b'{"replica_id":"10.0.0.1","interval":30,"load":{"cpu":0.1,"ram":0.2}}'
AUTH = f"Authorization: {basic(TOKEN)}"


class Doors:
    """A listening server and what stands behind it."""

    def __init__(self, page, engine, reports, counters, clock, port):
        self.page, self.engine, self.reports, self.counters = page, engine, reports, counters
        self.clock, self.port = clock, port

    async def ask(self, line, *headers, body=b"", frame=True, whole=True):
        """Send one request as it stands; the status, the fields and the body, if `whole` to the connection's end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            head = [f"{line} HTTP/1.1", "Host: status", *headers]
            if frame:
                head.append(f"Content-Length: {len(body)}")
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            return parse(await asyncio.wait_for(reader.read() if whole else reader.readuntil(b"\r\n\r\n"), 5))
        finally:
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.01)


def parse(raw):
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), fields, rest


@asynccontextmanager
async def doors(**options):
    page, engine, clock, router = Page(), FakeEngine(), FakeClock(), Router()
    counters = Counters()
    reports = Reports(
        engine,
        page.scope,
        counters=counters,
        clock=clock,
        dater=Dater(clock),
        failures=Failures(clock.monotonic),
        client=lambda request: request.remote or "",
        **options,
    )
    reports.register(router)
    async with serving(router=router) as server:
        port = server.port
        yield Doors(page, engine, reports, counters, clock, port)


@pytest.mark.parametrize(
    "target", ["/v1/report/web/api", "/v1/report/web/api/", "/reporter/web/api", "/reporter/web/api/"]
)
async def test_exactly_200_nothing_and_close(target):
    """PROTOCOLS 1.3: with and without slash, no redirect, status 200, no body, and the connection ends."""
    body = ALIVE.replace(b"replica_id", b"replica") if "reporter" in target else ALIVE
    async with doors() as d:
        status, fields, rest = await d.ask(f"POST {target}", AUTH, "Content-Type: application/json", body=body)

    assert (status, rest) == (200, b"")
    assert (fields["connection"], fields["content-length"]) == ("close", "0")
    assert [type(e) for e in d.engine.committed] == [Reported]


async def test_our_own_clients_keep_their_connection():
    """They say who they are, and read answers whole."""
    async with doors() as d:
        reader, writer = await asyncio.open_connection("127.0.0.1", d.port)
        head = f"POST /v1/report/web/api HTTP/1.1\r\nHost: s\r\n{AUTH}\r\nAccept: {OURS}\r\nContent-Length: {len(ALIVE)}\r\n\r\n"
        for _ in range(3):
            writer.write(head.encode() + ALIVE)
            status, fields, _ = parse(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5))
            assert (status, "connection" in fields) == (200, False)
        writer.close()


async def test_chunked_bodies_are_read():
    """PROTOCOLS 1.3: one client may send its JSON in chunks."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (ALIVE[:20], ALIVE[20:])) + b"0\r\n\r\n"
    async with doors() as d:
        status, _, _ = await d.ask(
            "POST /v1/report/web/api", AUTH, "Transfer-Encoding: chunked", body=chunks, frame=False
        )

    assert status == 200
    assert d.engine.committed[0].replica == "10.0.0.1"


async def test_segments_are_decoded_one_by_one():
    """PROTOCOLS 1.2: an id with an escaped slash stays one segment."""
    async with doors() as d:
        status, _, rest = await d.ask("POST /v1/report/svc%2F1/no%20de/", AUTH, body=ALIVE)

        assert (status, json.loads(rest)["detail"]) == (404, "There is no node svc/1/no de on this page.")
        d.page.ask("POST", "/reporter/web/api", {"replica": "a/b c", "interval": 1, "load": {}})
        status, _, _ = await d.ask("DELETE /reporter/web/api/a%2Fb+c/", AUTH)

    assert status == 200
    assert d.engine.committed == [Flushed(node="web/api", replica="a/b c")]


async def test_refusals_are_json_with_a_word_and_a_sentence():
    """401 with a challenge, 412 and the rest."""
    async with doors() as d:
        none = await d.ask("POST /v1/report/web/api", body=ALIVE)
        mode = await d.ask("POST /v1/report/web/landing", AUTH, body=ALIVE)

    assert (none[0], none[1]["www-authenticate"]) == (401, 'Basic realm="Reporter Token"')
    assert (mode[0], mode[1]["content-type"], json.loads(mode[2])["error"]) == (412, "application/json", "wrong_mode")
    assert d.engine.events == []


async def test_bodies_that_are_too_large_are_refused():
    """64 kB for a report, said before it is read and while it is."""
    async with doors() as d:
        said = await d.ask("POST /v1/report/web/api", AUTH, "Content-Length: 70000", frame=False, whole=False)
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n" + b"10\r\n" + b" " * 16 + b"\r\n0\r\n\r\n"
        how = {"frame": False, "whole": False}
        grown = await d.ask("POST /v1/report/web/api", AUTH, "Transfer-Encoding: chunked", body=chunk, **how)

    assert (said[0], grown[0]) == (413, 413)


async def test_slow_bodies_are_cut_off():
    """Who promises a body and sends it drop by drop is told that it took too long."""
    async with doors(body_seconds=0.05) as d:
        head = ("POST /v1/report/web/api", AUTH, "Content-Length: 100")
        said = await d.ask(*head, body=b'{"repl', frame=False, whole=False)

    assert said[0] == 408
    assert d.engine.events == []


async def test_a_wrong_token_is_answered_before_the_body_comes():
    """Nobody without a token holds a connection with a body that never ends."""
    async with doors() as d:
        status, _, _ = await d.ask(
            "POST /v1/report/web/api",
            f"Authorization: {basic('wrong')}",
            "Content-Length: 60000",
            frame=False,
            whole=False,
        )

    assert status == 401


async def test_guesses_are_slowed_down_and_the_right_token_is_not():
    """After ten wrong ones from one address: 429; the right one opens all the while; each is counted."""
    wrong = f"Authorization: {basic('wrong')}"
    async with doors() as d:
        said = [(await d.ask("POST /v1/report/web/api", wrong, body=ALIVE))[0] for _ in range(11)]
        last = await d.ask(f"GET /ping/{BEAT[:-1]}x", "Authorization: none")
        right = await d.ask("POST /v1/report/web/api", AUTH, body=ALIVE)
        d.clock.advance(5.1)
        patient = await d.ask("POST /v1/report/web/api", wrong, body=ALIVE)

    assert said == [401] * 10 + [429]
    assert (last[0], last[1]["retry-after"], right[0], patient[0]) == (429, "5", 200, 401)
    assert (d.counters.reports, d.counters.reports_refused, d.reports.guesses) == (1, 13, 13)


async def test_heartbeats_by_any_method_over_the_wire():
    """HEAD has no body; the Uptime Kuma door takes every method."""
    async with doors() as d:
        head = await d.ask(f"HEAD /ping/{BEAT}")
        post = await d.ask(f"POST /ping/{BEAT}/1", body=b"x" * 100_000)
        kuma = await d.ask(f"PATCH /api/push/{BEAT}?status=up&ping=")

    assert (head[0], head[2], head[1]["content-length"]) == (200, b"", "2")
    assert (post[0], post[2]) == (200, b"OK")
    assert (kuma[0], kuma[2]) == (200, b'{"ok":true}')
    assert [e.node for e in d.engine.submitted] == ["jobs/backup"] * 3


@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
async def test_three_megabytes_of_output_are_cut(framing):
    """A job that posts its whole log reports all the same, and the start of its log is the reason."""
    size = 3_000_000
    body = b"no space left " + b"x" * size
    headers = [f"Content-Length: {len(body)}"]
    if framing == "chunked":
        headers = ["Transfer-Encoding: chunked"]
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:20], body[20:])) + b"0\r\n\r\n"
    elif framing == "expect":
        headers.append("Expect: 100-continue")
    async with doors() as d:
        bad = await d.ask(f"POST /ping/{BEAT}/7", *headers, body=body, frame=False)
        good = await d.ask(f"POST /ping/{BEAT}", *headers, body=body, frame=False)

    assert b"OK" in bad[2] + good[2]
    assert [(e.health.word, e.reason.text[:45]) for e in d.engine.submitted] == [
        ("dead", "the job ended with exit code 7: no space left"),
        ("healthy", ""),
    ]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
@pytest.mark.parametrize("body", [b"no space left", b"\x1f\x8bnot gzip\xff", b"", b"\x1f"])
async def test_a_body_that_is_not_what_it_says(coding, body):
    """The signal in the path counts."""
    async with doors() as d:
        said = await d.ask(f"POST /ping/{BEAT}/fail", f"Content-Encoding: {coding}", body=body)

    assert said[0] == 200
    assert [e.health.word for e in d.engine.submitted] == ["dead"]


async def test_a_body_that_never_ends_loses_no_signal():
    """A client that promises more than it sends has reported by its URL."""
    async with doors(body_seconds=0.05) as d:
        said = await d.ask(f"POST /ping/{BEAT}/fail", "Content-Length: 100", body=b"half", frame=False)

    assert said[0] == 200
    assert [e.reason.text for e in d.engine.submitted] == ["the job says that it failed: half"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [(("Content-Length: 100",), b"status="), (("Content-Encoding: br", "Content-Length: 3"), b"abc")],
)
async def test_a_status_in_a_body_that_cannot_be_read_is_refused(headers, body):
    """It could have been down, so it is never taken as up; a status in the URL counts all the same."""
    async with doors(body_seconds=0.05) as d:
        lost = await d.ask(f"POST /api/push/{BEAT}", *headers, body=body, frame=False)
        known = await d.ask(f"POST /api/push/{BEAT}?status=down", *headers, body=body, frame=False)

    assert (lost[0], json.loads(lost[2])["ok"], known[0]) == (404, False, 200)
    assert [e.health.word for e in d.engine.submitted] == ["dead"]


@pytest.mark.parametrize("pieces", [1, 2, 7])
async def test_raw_bytes_in_a_url_are_text(pieces):
    """curl sends the characters of a message as they are, in as many packets as it likes."""
    target = f"/api/push/{BEAT}?status=down&msg=Füße—空".encode()
    request = b"GET " + target + b" HTTP/1.1\r\nHost: s\r\nX-Name: \xe9\r\n\r\n"
    async with doors() as d:
        reader, writer = await asyncio.open_connection("127.0.0.1", d.port)
        step = -(-len(request) // pieces)
        for start in range(0, len(request), step):
            writer.write(request[start : start + step])
            await writer.drain()
            await asyncio.sleep(0.01)
        status, _, _ = parse(await asyncio.wait_for(reader.read(), 5))
        writer.close()

    assert status == 200
    assert d.engine.submitted[0].reason.text == "the job says that it is down: Füße—空"


async def test_raw_bytes_come_on_a_connection_that_is_kept():
    """A proxy sends the heartbeat of one client after the request of another."""
    async with doors() as d:
        reader, writer = await asyncio.open_connection("127.0.0.1", d.port)
        writer.write(b"OPTIONS /nothing HTTP/1.1\r\nHost: s\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"}"), 5)
        writer.write(f"GET /api/push/{BEAT}?msg=ü&status=down HTTP/1.1\r\nHost: s\r\n\r\n".encode())
        status, _, _ = parse(await asyncio.wait_for(reader.read(), 5))
        writer.close()

    assert (status, [e.health.word for e in d.engine.submitted]) == (200, ["dead"])


async def test_a_long_message_in_a_url_counts():
    """Sixty thousand characters of output, as a script may append them."""
    async with doors() as d:
        said = await d.ask(f"GET /api/push/{BEAT}?msg={'%20x' * 15_000}&status=down")
        longer = await d.ask(f"GET /api/push/{BEAT}?msg={'x' * 70_000}&status=down")

    assert (said[0], longer[0]) == (200, 400)
    assert [e.health.word for e in d.engine.submitted] == ["dead"]


async def test_a_list_that_did_not_change_is_304_without_anything():
    """PROTOCOLS 2.3: no body, no Location, and the connection ends."""
    async with doors() as d:
        whole = await d.ask("GET /v1/probes/local", AUTH)
        date = json.loads(whole[2])["data"]["date"]
        same = await d.ask(f"GET /v1/probes/local/?since={date}", AUTH)

    assert whole[1]["content-type"].startswith("application/json")
    assert (same[0], same[2], same[1]["connection"]) == (304, b"", "close")
    assert {"location", "content-length", "content-type"}.isdisjoint(same[1])


async def test_a_batch_is_submitted_in_order():
    """The last one is durable only after the others."""
    one = {"service": "web", "node": "api", "replica_id": "a", "interval": 30}
    async with doors() as d:
        said = await d.ask("POST /v1/report", AUTH, body=json.dumps([one, one | {"replica_id": "b"}]).encode())

    assert json.loads(said[2]) == {"accepted": 2, "refused": []}
    assert ([e.replica for e in d.engine.submitted], [e.replica for e in d.engine.committed]) == (["a", "b"], ["b"])


async def test_what_the_state_refuses_is_a_conflict():
    """The page changed between the look and the step."""
    async with doors() as d:
        d.engine.refuse = True
        said = await d.ask("POST /v1/report/web/api", AUTH, body=ALIVE)

    assert (said[0], json.loads(said[2])["error"]) == (409, "refused")


async def test_a_failing_disk_takes_reports_but_no_flush():
    """Watching goes on from memory; what must be durable is refused with the reason."""
    async with doors() as d:
        d.page.ask("POST", "/v1/report/web/api", json.loads(ALIVE))
        d.engine.trouble = "the disk is full"
        report = await d.ask("POST /v1/report/web/api", AUTH, body=ALIVE.replace(b"10.0.0.1", b"new"))
        flush = await d.ask("DELETE /reporter/web/api/10.0.0.1", AUTH)

    assert (report[0], len(d.engine.submitted)) == (200, 1)
    assert (flush[0], "the disk is full" in json.loads(flush[2])["detail"]) == (503, True)
