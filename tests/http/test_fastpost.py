"""Reports taken without the HTTP library: the same answers, the same events, and nothing twice.

As in `test_fastpath`, two readers of one connection must never disagree about where a request ends.
"""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crisp_status.api.reports import Reports
from crisp_status.formats.exposition import Counters
from crisp_status.http.authentication import Failures
from crisp_status.http.responses import Dater
from crisp_status.http.router import Router
from crisp_status.http.site import Site
from crisp_status.reports import OURS
from tests.fakes import FakeClock, FakeEngine
from tests.http.site_fakes import dial, one, serving, table, view
from tests.http.test_fastpath import BODIES, ENDS, FIELDS, HOSTS, VERSIONS, conversations, exchange
from tests.reports.world import BEAT, TOKEN, Page, basic

KNOWN = b'{"replica_id":"10.0.0.1","interval":30,"load":{"cpu":0.1,"ram":0.2}}'
NEW = KNOWN.replace(b".1", b".9", 1)
AUTH = b"Authorization: " + basic(TOKEN).encode()


def post(body=KNOWN, *fields, path=b"/v1/report/web/api", auth=AUTH, length=None):
    """A report as clients send it."""
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: status.example", auth, *fields]
    lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(line for line in lines if line) + b"\r\n\r\n" + body


class Side:
    """A page with its doors, for one of the two readers."""

    def __init__(self, site):
        self.site = site
        self.engine, self.counters = FakeEngine(), Counters()
        page, clock = Page(), FakeClock()
        page.ask("POST", "/v1/report/web/api", KNOWN)
        self.reports = Reports(
            self.engine,
            page.scope,
            counters=self.counters,
            clock=clock,
            dater=Dater(clock),
            failures=Failures(clock.monotonic),
            client=lambda request: "192.0.2.1",
            body_seconds=0.02,
        )
        self.router = Router()
        self.reports.register(self.router)

    async def hear(self, reads, *, fast):
        """What was answered, whether the connection was closed, what happened, and how it was counted."""
        said = await exchange(self.site, reads, fast=fast, router=self.router)
        happened = [(type(e).__name__, e.node, getattr(e, "replica", "")) for e in self.engine.events]
        return (*said, happened, self.counters.reports, self.counters.reports_refused, self.reports.guesses)


PATHS = st.sampled_from(
    [b"/v1/report/web/api"] * 6
    + [b"/v1/report/web/api/", b"/v1/report/web/api?x=1", b"/reporter/web/api", b"/v1/report", b"/v1/report/web/none"]
    + [b"/v1/report/web/landing", f"/ping/{BEAT}".encode(), b"/ping/wrong", b"/", b"/status/text", b"/v1/probes/local"]
    + [b"/v1/report/web%2Fapi", b"//v1/report/web/api", b"/v1/report/web/api#x"]
)
AUTHS = st.sampled_from(
    [AUTH] * 8
    + [b"", b"Authorization: " + basic("wrong").encode(), b"Authorization: Basic ?", b"authorization:" + AUTH[14:]]
)
REPORTS = st.sampled_from(
    [KNOWN] * 6
    + [
        NEW,
        b"",
        b"{",
        b"{}",
        KNOWN.replace(b"30", b"NaN"),
        b"[" + KNOWN + b"]",
        KNOWN + b" " * 5000,
        b"\r\n\r\n" + KNOWN,
    ]
    + [KNOWN.replace(b"replica_id", b"replica"), b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"]
)
OURSELVES = b"Accept: " + OURS.encode()


@st.composite
def reports(draw):
    """One report, more or less."""
    body = draw(REPORTS)
    fields = draw(st.lists(st.one_of(st.just(OURSELVES), FIELDS), max_size=2))
    off = draw(st.sampled_from([0] * 10 + [1, -1, 40]))
    made = post(body, *fields, path=draw(PATHS), auth=draw(AUTHS), length=max(0, len(body) + off))
    if draw(st.integers(0, 5)) == 0:
        made = made.replace(b"HTTP/1.1", draw(VERSIONS), 1).replace(b"Host: status.example", draw(HOSTS), 1)
        made = made.replace(b"\r\n\r\n", draw(ENDS), 1)
    return made + draw(BODIES)


@st.composite
def plain(draw):
    """One as most are, each with another load."""
    body = draw(st.sampled_from([KNOWN, KNOWN, NEW])).replace(b":0.1", b":0.%06d" % draw(st.integers(0, 600_000)))
    return post(body, *draw(st.sampled_from([(OURSELVES,), ()])))


def test_both_answer_alike():
    """For thousands of odd conversations: the same bytes, the same events, the same counts."""
    site = Site(table(), FakeClock())
    fast = [0]
    with asyncio.Runner() as runner:
        runner.run(site.show(view()))

        @settings(
            max_examples=int(os.environ.get("CRISP_STATUS_EXAMPLES", "300")),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(conversations(st.one_of(plain(), reports()), 3))
        def same(reads):
            async def both():
                return await Side(site).hear(reads, fast=True), await Side(site).hear(reads, fast=False)

            before = site.counters.requests_fast
            ours, theirs = runner.run(both())
            fast[0] += site.counters.requests_fast - before
            assert ours == theirs

        same()
    site.close()
    assert fast[0] > 25, "the fast reader had its share"


@pytest.mark.parametrize(
    ("read", "fast"),
    [
        (post(), True),
        (post(KNOWN, OURSELVES), True),
        (post(KNOWN, b"Content-Type: application/json"), True),
        (post(path=b"/v1/report/web/api/"), True),
        (post(b"", path=f"/ping/{BEAT}".encode(), auth=b""), False),
        (post(NEW), False),
        (post(auth=b""), False),
        (post(b"{"), False),
        (post(path=b"/v1/report/web/none"), False),
        (post(path=b"/ping/wrong"), False),
        (post() + b"G", False),
        (post(length=len(KNOWN) + 1), False),
        (post(length=len(KNOWN) - 1), False),
        (post().replace(b"Content-Length: ", b"Content-Length: 0"), False),
        (post().replace(b"Content-Length: ", b"Content-Length: +"), False),
        (post(KNOWN, b"Content-Length: 68"), False),
        (post(KNOWN, b"Transfer-Encoding: chunked"), False),
        (post(KNOWN, b"Expect: 100-continue"), False),
        (post(KNOWN, b"Content-Encoding: gzip"), False),
        (post().replace(b"1.1", b"1.0", 1), False),
        (post(KNOWN + b" " * 5000), False),
        (post(KNOWN, b"X: " + b"y" * 5000), False),
    ],
)
async def test_what_is_taken_fast(read, fast):
    """A report that says what is known, in one piece; everything else is taken or refused by the library, and what is new
    waits for the disk."""
    site = Site(table(), FakeClock())
    await site.show(view())
    await Side(site).hear([read], fast=True)

    assert (site.counters.requests_fast > 0) is fast
    site.close()


async def test_a_full_queue_takes_none_fast():
    """Then the ordinary way waits for room; the report is taken once."""
    site = Site(table(), FakeClock())
    await site.show(view())
    side = Side(site)
    side.engine.full = True
    said, _, happened, *_ = await side.hear([post()], fast=True)

    assert said.startswith(b"HTTP/1.1 200")
    assert (happened, site.counters.requests_fast) == ([("Reported", "web/api", "10.0.0.1")], 0)
    site.close()


async def test_its_memory_is_bounded():
    """Clients that never repeat themselves cost no more than those that do."""
    site = Site(table(), FakeClock())
    side = Side(site)
    async with serving(site=site, router=side.router) as s, dial(s.port) as (reader, writer):
        for n in range(2100):
            writer.write(post(KNOWN, OURSELVES, b"X-N: %d" % n))
            assert (await one(reader))[0] == 200
        assert len(s.server._factory.posts) < 2100
    assert site.counters.requests_fast == len(side.engine.submitted) == 2100
    site.close()
