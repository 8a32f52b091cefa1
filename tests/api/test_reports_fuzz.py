"""Broken and hostile requests at the report doors over a real socket: no 5xx, no hang, and the next client is served."""

import asyncio
import os
import random

from tests.api.test_reports import ALIVE, AUTH, doors
from tests.reports.world import BEAT, basic

REQUESTS = int(os.environ.get("CRISP_STATUS_FUZZ", "300"))
"""How many; 300000 take some ten minutes."""

AUTHS = [AUTH, f"Authorization: {basic('wrong')}", f"Authorization: Bearer {BEAT}", "Authorization: Basic \xff", "X: y"]
LINES = [
    "POST /v1/report/web/api",
    "POST /v1/report/lan/office/",
    "POST /v1/report",
    "GET /v1/probes/local?since=1&agent=%ff",
    "POST /reporter/web/api/",
    "DELETE /reporter/web/api/%2e%2e/",
    f"GET /ping/{BEAT}/start",
    f"POST /ping/{BEAT}/%00",
    f"BREW /api/push/{BEAT}?ping=%zz",
    "POST /api/v1/endpoints/jobs_backup/external?success=true&duration=1h",
]
FRAMES = ["Content-Length: {}", "Content-Length: 999999999", "Transfer-Encoding: chunked", "Content-Length: -1", ""]
EXTRAS = ["Expect: 100-continue", "Content-Encoding: gzip", "Connection: keep-alive", "Content-Type: text/\x00", ""]


def request(chance):
    """A request that is nearly right, with some of its bytes changed now and then."""
    body = chance.choice([ALIVE, b"", b"[" * 1000, b"{}", b"5\r\nhello\r\n0\r\n\r\n", chance.randbytes(40)])
    head = [chance.choice(LINES) + " HTTP/1.1", "Host: x", chance.choice(AUTHS), chance.choice(EXTRAS)]
    head.append(chance.choices(FRAMES, [8, 1, 2, 1, 1])[0].format(len(body)))
    raw = bytearray("\r\n".join([*filter(None, head), "", ""]).encode("latin-1") + body)
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        place = chance.randrange(len(raw))
        raw[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(raw[: chance.choice([len(raw), len(raw), chance.randrange(len(raw) + 1)])])


async def send(port, raw):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_nothing_that_is_sent_makes_a_5xx():
    """Every answer is one of ours, and after all of it a good report is taken."""
    seed = int(os.environ.get("CRISP_STATUS_SEED", "1"))
    chance = random.Random(seed)
    async with doors(body_seconds=0.3) as d:
        for number in range(0, REQUESTS, 20):
            batch = [request(chance) for _ in range(20)]
            for raw, said in zip(batch, await asyncio.gather(*(send(d.port, raw) for raw in batch)), strict=True):
                # What is no HTTP is answered in the oldest one.
                assert not said or said.startswith((b"HTTP/1.1 ", b"HTTP/1.0 400 ")), (seed, number, raw, said)
                assert not said.startswith(b"HTTP/1.1 5"), (seed, number, raw, said)
            d.engine.submitted.clear()
            d.engine.committed.clear()
        status, _, _ = await d.ask("POST /v1/report/web/api", AUTH, body=ALIVE)

    assert status == 200
